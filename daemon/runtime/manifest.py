"""
What a manifest says about a pull: which blobs it brings, how large, and under which names its layers are unpacked.

Pure; reading the blobs is left to content.py. Whoever pushed an image wrote its blobs, and a runtime lets more pass
than we read: what we cannot read costs the pull its progress and nothing else.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

import msgspec


# The last two are none of msgspec's own: bytes that are no UTF-8, and JSON nested deeper than Python's stack.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """A blob by digest, and its size in bytes."""

    digest: str
    size: Annotated[int, msgspec.Meta(ge=0)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """
    An image's manifest, of OCI or of Docker; `layers` from the base up.

    Spec: https://github.com/opencontainers/image-spec/blob/main/manifest.md
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    manifests: tuple[Descriptor, ...]


class _RootFs(msgspec.Struct, frozen=True, kw_only=True):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    rootfs: _RootFs = _RootFs()


def parse_manifest(blob: bytes) -> Manifest | None:
    """Return the manifest, or None where the blob is something else, such as an index."""
    try:
        return msgspec.json.decode(blob, type=Manifest)
    except _UNREADABLE:
        return None


def parse_children(blob: bytes) -> frozenset[str]:
    """Return the digests of an index's manifests; none where the blob is something else."""
    try:
        return frozenset(child.digest for child in msgspec.json.decode(blob, type=_Index).manifests)
    except _UNREADABLE:
        return frozenset()


def chain_ids(config: bytes) -> tuple[str, ...]:
    """
    Return the names under which a snapshotter keeps the layers, from the base up.

    Spec: https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
    """
    try:
        diff_ids = msgspec.json.decode(config, type=_Config).rootfs.diff_ids
    except _UNREADABLE:
        return ()
    return _chained(diff_ids)


def _chained(diff_ids: Sequence[str]) -> tuple[str, ...]:
    chain: list[str] = []
    for diff_id in diff_ids:
        joined = f"{chain[-1]} {diff_id}".encode() if chain else b""
        chain.append(f"sha256:{hashlib.sha256(joined).hexdigest()}" if joined else diff_id)
    return tuple(chain)
