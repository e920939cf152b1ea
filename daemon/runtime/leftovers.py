"""
Leftovers: what Prewarm has left on a runtime, as values, and the way to it.

They are leases of held downloads (holds.py), which only containerd has. A living agent keeps and ends its own; this is
for whoever takes Prewarm off a node. grpc is loaded here and not before.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Final, Protocol

import msgspec

from daemon.runtime.connect import prepare_environment


CONTENT: Final = "content"
INGESTS: Final = "ingests"
SNAPSHOTS: Final = "snapshots/"


class Kept(msgspec.Struct, frozen=True, order=True):
    """One thing that a lease keeps: a blob's digest, an open ingest's ref, or a layer's chain ID, and which it is."""

    kind: str
    id: str


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A lease of ours; `expires` is when it would end by itself, RFC 3339."""

    lease_id: str
    role: str
    image: str = ""
    expires: str = ""
    kept: frozenset[Kept] = frozenset()


class Leftovers(Protocol):
    """The leases of ours on one containerd. Every method raises CriError where the runtime fails it."""

    def found(self) -> tuple[Leftover, ...]:
        """List all of them, by image."""
        ...

    def sizes(self, kept: Iterable[Kept]) -> dict[Kept, int]:
        """Measure what is there of these, in bytes on disk; what is gone is left out."""
        ...

    def remove(self, lease_id: str, *, is_awaited: bool) -> None:
        """Delete a lease; absent is fine. Awaited, it returns when what nothing else keeps is gone."""
        ...


def leftovers_at(endpoint: str) -> AbstractContextManager[Leftovers]:
    """
    Return what is left at `endpoint`, a containerd's socket, without asking anything yet.

    Raises:
        ValueError: the endpoint names no Unix socket.
    """
    prepare_environment()
    from daemon.runtime.leases import Leases

    return Leases(endpoint)
