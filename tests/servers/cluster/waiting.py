"""
The program of every Pod here: it waits until it is told to end, and needs nothing of its image.

An ELF file made by hand, since a person's machine may have no compiler: it blocks SIGTERM and SIGINT (as the first
process of a container it would never get them else), waits for one, and exits with 0.
"""

import platform
import struct
from typing import Final

from tests.servers.layers import Layer


PROGRAM: Final = "wait"
ENTRYPOINT: Final = (f"/{PROGRAM}",)

_BASE: Final = 0x400000
_HEADERS_BYTES: Final = 64 + 56
# Signals 2 and 15, each at its bit less one.
_MASK: Final = 1 << (2 - 1) | 1 << (15 - 1)


def program() -> bytes:
    """
    Return the file.

    Raises:
        NotImplementedError: this machine is no x86-64.
    """
    if platform.machine() != "x86_64":
        raise NotImplementedError(f"the lab's Pods run a program for x86_64, and this machine is {platform.machine()}")
    mask_at = _BASE + _HEADERS_BYTES
    eight_bytes = b"\x41\xba" + struct.pack("<I", 8)
    none_in_edx = b"\x31\xd2"
    call = b"\x0f\x05"
    block_signals = (_set("eax", 14), b"\x31\xff", _set("esi", mask_at), none_in_edx, eight_bytes, call)
    wait_for_one = (_set("eax", 128), _set("edi", mask_at), b"\x31\xf6", none_in_edx, eight_bytes, call)
    exit_with_0 = (_set("eax", 231), b"\x31\xff", call)
    code = b"".join((*block_signals, *wait_for_one, *exit_with_0))
    size = _HEADERS_BYTES + 8 + len(code)
    header = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH",
        *(b"\x7fELF", 2, 1, 1, 0, 2, 62, 1, mask_at + 8, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + struct.pack("<Q", _MASK) + code


def layer() -> Layer:
    """Return a layer with nothing but the program."""
    return Layer(size_bytes=0, files=0, programs={PROGRAM: program()})


def _set(register: str, value: int) -> bytes:
    opcode = {"eax": 0xB8, "esi": 0xBE, "edi": 0xBF}[register]
    return struct.pack("<BI", opcode, value)
