"""
The program of every Pod here: it waits until it is told to end, and needs nothing of its image.

It blocks SIGTERM and SIGINT (as the first process of a container it would never get them else), waits for one, and
exits with 0.
"""

import struct
from typing import Final

from tests.servers.cluster import elf
from tests.servers.layers import Layer


PROGRAM: Final = "wait"
ENTRYPOINT: Final = (f"/{PROGRAM}",)

# Signals 2 and 15, each at its bit less one.
_MASK: Final = 1 << (2 - 1) | 1 << (15 - 1)


def program() -> bytes:
    """
    Return the file.

    Raises:
        NotImplementedError: this machine is no x86-64.
    """
    eight_bytes = elf.put("r10d", 8)
    none_in_edx = b"\x31\xd2"
    mask_in_esi, mask_in_edi = (elf.put(register, elf.DATA_AT) for register in ("esi", "edi"))
    block_signals = (elf.put("eax", 14), b"\x31\xff", mask_in_esi, none_in_edx, eight_bytes, elf.CALL)
    wait_for_one = (elf.put("eax", 128), mask_in_edi, b"\x31\xf6", none_in_edx, eight_bytes, elf.CALL)
    exit_with_0 = (elf.put("eax", 231), b"\x31\xff", elf.CALL)
    return elf.program(struct.pack("<Q", _MASK), b"".join((*block_signals, *wait_for_one, *exit_with_0)))


def layer() -> Layer:
    """Return a layer with nothing but the program."""
    return Layer(size_bytes=0, files=0, programs={PROGRAM: program()})
