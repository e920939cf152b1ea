"""
Two programs in the place of busybox's cp and echo, for a Job that brings an image by running it.

`/cp` copies `/echo` to `/tmp/bin/echo`, whatever it is told, and `/tmp/bin/echo` says its line and ends. So an image
need not have a program: an init container puts one into a folder that both containers see.
"""

from collections.abc import Mapping
from typing import Final

from tests.servers.cluster import elf
from tests.servers.layers import Layer


FOLDER: Final = "/tmp/bin"  # noqa: S108 - in a container
SAYING: Final = b"Image pulled successfully!\n"
_WRITE, _OPEN, _SENDFILE, _EXIT = 1, 2, 40, 231
_CREATE: Final = 0x241
"""O_WRONLY, O_CREAT and O_TRUNC."""

_MOST_BYTES: Final = 1 << 20
_EAX_TO_EBX, _EAX_TO_EDI, _EBX_TO_ESI = b"\x89\xc3", b"\x89\xc7", b"\x89\xde"
_NONE_IN_EDI, _NONE_IN_ESI, _NONE_IN_EDX = b"\x31\xff", b"\x31\xf6", b"\x31\xd2"
# What failed is negative.
_SIGN_OF_EAX = b"\xc1\xe8\x1f"


def echo() -> bytes:
    """Return the program that says SAYING and exits with 0."""
    say = (elf.put("eax", _WRITE), elf.put("edi", 1), elf.put("esi", elf.DATA_AT), elf.put("edx", len(SAYING)))
    end = (elf.put("eax", _EXIT), _NONE_IN_EDI, elf.CALL)
    return elf.program(SAYING, b"".join((*say, elf.CALL, *end)))


def copy(source: str = "/echo", target: str = f"{FOLDER}/echo") -> bytes:
    """Return the program that copies one file, as one that can be run, and exits with 0, or with 1 where it can't."""
    paths = f"{source}\0{target}\0".encode()
    target_at = elf.DATA_AT + len(source.encode()) + 1
    open_source = (elf.put("eax", _OPEN), elf.put("edi", elf.DATA_AT), _NONE_IN_ESI, elf.CALL, _EAX_TO_EBX)
    made = (elf.put("esi", _CREATE), elf.put("edx", 0o755))
    open_target = (elf.put("eax", _OPEN), elf.put("edi", target_at), *made, elf.CALL, _EAX_TO_EDI)
    send = (elf.put("eax", _SENDFILE), _EBX_TO_ESI, _NONE_IN_EDX, elf.put("r10d", _MOST_BYTES), elf.CALL)
    end = (_SIGN_OF_EAX, _EAX_TO_EDI, elf.put("eax", _EXIT), elf.CALL)
    return elf.program(paths, b"".join((*open_source, *open_target, *send, *end)))


def layer() -> Layer:
    """Return the layer of the init container's image."""
    programs: Mapping[str, bytes] = {"cp": copy(), "echo": echo()}
    return Layer(size_bytes=0, files=0, programs=dict(programs))
