"""
What a fault proxy has seen and sent: the truth that progress, retries and "pulled once" are checked against.

Thread-safe. Bytes are those of bodies, counted when the kernel has taken them.
"""

import bisect
import threading
import time
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a request is about, by its path."""

    PING = "ping"
    MANIFEST = "manifest"
    BLOB = "blob"
    OTHER = "other"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    One request as it came: `reference` is the tag or digest in its path, `range_start` the first byte asked for.

    `range_start` is None without a Range header; `user` is the name in basic auth, "" without; `at` is monotonic.
    """

    method: str
    kind: Kind
    repository: str
    reference: str
    range_start: int | None
    user: str
    at: float


class Traffic:
    """Counts of one proxy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._by_digest: dict[str, int] = {}
        self._times: list[float] = []
        self._totals: list[int] = []

    def saw(self, request: Request) -> None:
        """Note a request."""
        with self._lock:
            self._requests.append(request)

    def sent(self, digest: str, count: int, *, kind: Kind) -> None:
        """Note bytes of a body."""
        with self._lock:
            self._by_digest[digest] = self._by_digest.get(digest, 0) + count
            if kind is Kind.BLOB:
                self._times.append(time.monotonic())
                self._totals.append(self._blob_bytes() + count)

    def requests(
        self, kind: Kind | None = None, *, method: str | None = None, reference: str | None = None
    ) -> tuple[Request, ...]:
        """Return what was asked, in order; each argument narrows it."""
        wanted = {"kind": kind, "method": method, "reference": reference}
        given = {name: value for name, value in wanted.items() if value is not None}
        with self._lock:
            seen = tuple(self._requests)
        return tuple(one for one in seen if all(getattr(one, name) == value for name, value in given.items()))

    def range_requests(self) -> tuple[Request, ...]:
        """Return the requests for the rest of a blob, which is how a runtime resumes."""
        return tuple(one for one in self.requests(Kind.BLOB, method="GET") if one.range_start)

    def bytes_of(self, digest: str) -> int:
        """Return the bytes sent of one blob or manifest, over all requests for it."""
        with self._lock:
            return self._by_digest.get(digest, 0)

    def blob_bytes(self, at: float | None = None) -> int:
        """Return the bytes of all blobs sent until `at` (monotonic seconds), or until now."""
        with self._lock:
            if at is None:
                return self._blob_bytes()
            place = bisect.bisect_right(self._times, at)
            return self._totals[place - 1] if place else 0

    def _blob_bytes(self) -> int:
        return self._totals[-1] if self._totals else 0
