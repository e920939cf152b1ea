"""Layers of any size and number of files: tar archives of incompressible content that a runtime really unpacks."""

import gzip
import io
import random
import tarfile
from enum import StrEnum

import msgspec


_BLOCK_BYTES = 1 << 20


class Compression(StrEnum):
    """How a layer travels; its values are the endings of OCI's media type."""

    NONE = ""
    GZIP = "+gzip"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer with size_bytes of random content from `seed`, in `files` files of equal size, and programs by name."""

    size_bytes: int
    seed: int = 0
    files: int = 1
    compression: Compression = Compression.NONE
    programs: dict[str, bytes] = {}


def archive(layer: Layer) -> bytes:
    """Return the layer's tar, whose digest is its diff ID."""
    source = random.Random(layer.seed)  # noqa: S311 - content, not a secret
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(layer.files):
            size = layer.size_bytes * (number + 1) // layer.files - layer.size_bytes * number // layer.files
            entry = tarfile.TarInfo(f"data-{layer.seed}-{number}")
            entry.size = size
            tar.addfile(entry, io.BytesIO(_random_bytes(source, size)))
        for name, content in layer.programs.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _random_bytes(source: random.Random, size: int) -> bytes:
    # One random block, numbered each time: as incompressible as all of it (gzip looks back 32 KiB) and far quicker.
    block = source.randbytes(min(_BLOCK_BYTES, size))
    numbered = b"".join(place.to_bytes(8) + block[8:] for place in range(len(block) and -(-size // len(block))))
    return numbered[:size]


def compressed(tar: bytes, layer: Layer) -> bytes:
    """Return the tar as the layer travels, whose digest is the descriptor's."""
    if layer.compression is Compression.NONE:
        return tar
    return gzip.compress(tar, compresslevel=1, mtime=0)
