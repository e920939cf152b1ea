"""
Programs made by hand, since a person's machine may have no compiler: ELF files for x86-64 that need nothing else.

What a program does is its module's own; here is what surrounds the code, and how it speaks to the kernel.
"""

import platform
import struct
from typing import Final


_BASE: Final = 0x400000
_HEADERS_BYTES: Final = 64 + 56
DATA_AT: Final = _BASE + _HEADERS_BYTES
"""Where a program finds its data."""

CALL: Final = b"\x0f\x05"
"""Asks the kernel for what the registers say."""


def program(data: bytes, code: bytes) -> bytes:
    """
    Return the file: `data`, which is at DATA_AT, and the code right behind it.

    Raises:
        NotImplementedError: this machine is no x86-64.
    """
    if platform.machine() != "x86_64":
        raise NotImplementedError(f"the lab's Pods run a program for x86_64, and this machine is {platform.machine()}")
    size = _HEADERS_BYTES + len(data) + len(code)
    header = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH",
        *(b"\x7fELF", 2, 1, 1, 0, 2, 62, 1, DATA_AT + len(data), 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + data + code


def put(register: str, value: int) -> bytes:
    """Return the code that puts a number into a register."""
    opcodes = {"eax": b"\xb8", "edx": b"\xba", "esi": b"\xbe", "edi": b"\xbf", "r10d": b"\x41\xba"}
    return opcodes[register] + struct.pack("<I", value)
