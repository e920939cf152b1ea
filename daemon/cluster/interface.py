"""
The seam between a role and its API server: what may be asked, and who hears what a watch saw.

Objects are decoded JSON, or the bytes of it for callers that decode what they need. The transport behind it is
transport.py's, the watches are reflector.py's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self, TypeVar

import msgspec

from daemon.cluster.errors import ClusterError
from daemon.cluster.metadata import Identity
from daemon.cluster.paths import Verb


JSON = "application/json"

Resource = dict[str, object]
Value_contra = TypeVar("Value_contra", contravariant=True)


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a JSON Patch (RFC 6902); `value` is left out for "remove"."""

    op: str
    path: str
    value: object = msgspec.UNSET


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One change to send, as writes.py makes it."""

    verb: Verb
    path: str
    body: bytes
    content_type: str = JSON
    query: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Leave out the body: it may hold a Secret, and no log needs it."""
        return f"Write({self.verb} {self.path})"


class Api(Protocol):
    """One API server. Every call is thread-safe, shows its timeout, and raises a ClusterError."""

    def get(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> Resource:
        """Read one object or a list; `path` is below the server's address, such as /api/v1/namespaces."""
        ...

    def create(self, path: str, body: Resource, *, timeout_seconds: float) -> Resource:
        """Create an object and return it as the server stored it."""
        ...

    def patch(self, path: str, operations: Sequence[Operation], *, timeout_seconds: float) -> Resource:
        """Apply a JSON Patch and return the object as the server stored it."""
        ...

    def close(self) -> None:
        """Cut what is under way and close every connection."""
        ...


class RawApi(Protocol):
    """The API server in bytes, for callers that decode what they need of them. Thread-safe; raises a ClusterError."""

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read one object or a list as `get` does, and return its JSON as it came."""
        ...

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Send a change once, and return the answer's JSON: the object as the server stored it."""
        ...


class WatchApi(Api, Protocol):
    """An API server whose changes can be followed."""

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read one object or a list as `get` does, and return its JSON as it came."""
        ...

    def stream(
        self, path: str, *, query: Mapping[str, str], timeout_seconds: float, silence_seconds: float
    ) -> AbstractContextManager[Iterator[bytes]]:
        """
        Yield an answer that goes on, line by line; `close` from another thread ends it.

        Args:
            path: what to ask, as for `get`.
            query: its parameters.
            timeout_seconds: how long the answer may take to begin.
            silence_seconds: how long it may then say nothing before it counts as cut.
        """
        ...

    def separate(self) -> Self:
        """Return the same server over connections of its own, which `close` ends and no others."""
        ...


class Listener(Protocol[Value_contra]):
    """
    Hears what one list-and-watch saw, in the watch's thread: it should only note and return.

    It gets each object as the reflector's `decode` returned it, and is the only one who keeps it.
    """

    def applied(self, identity: Identity, value: Value_contra) -> None:
        """An object is new or has changed."""
        ...

    def passed_over(self, identity: Identity, words: str) -> None:
        """An object is new or has changed and can't be read; the words say why, and nothing of what is in it."""
        ...

    def deleted(self, identity: Identity) -> None:
        """An object is gone, also one that was passed over; another of its name may follow."""
        ...

    def listed(self, identities: Sequence[Identity]) -> None:
        """Everything that matches, after each list, and after all that it changed was told."""
        ...

    def missed(self, error: ClusterError) -> None:
        """A list or watch failed and is tried again; what was heard before still stands."""
        ...


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where requests and watches are counted.

    `requested` gets the verb (get, list, watch, create, patch, update, delete), the resource (nodeimages/status), and
    the HTTP status as text ("200"; "none" where no answer came). `restarted` gets why a watch began again: ended,
    expired, cut, or an error's name. `opened` hears that a watch is open, also one that has nothing to tell.
    """

    requested: Callable[[str, str, str], None] = lambda _verb, _resource, _code: None
    restarted: Callable[[str], None] = lambda _reason: None
    opened: Callable[[], None] = lambda: None
