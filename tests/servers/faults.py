"""
The script of a network that misbehaves on purpose: which requests meet which fault. proxy.py plays it.

    proxy.add(Fault(Status(429, headers={"Retry-After": "5"}), kind=Kind.MANIFEST, times=2))
    proxy.add(Fault(Reset(after_bytes=1 << 20), reference=image.layers[1].digest))
    proxy.add(Fault(CutAll(after_bytes=size // 2), kind=Kind.BLOB, skip=2))     # half-way through the third blob

A fault with `after_bytes` plays after that many bytes of what this request sends (the rest, if it asked for a range);
a body that is shorter goes out whole first.
"""

import threading
from collections.abc import Mapping

import msgspec

from tests.servers.traffic import Kind, Request


class Status(msgspec.Struct, frozen=True):
    """Answer with this HTTP status, headers and body instead of the registry."""

    code: int
    headers: Mapping[str, str] = {}
    body: bytes = b'{"errors": [{"code": "FAULT", "message": "made by the test"}]}'


class Corrupt(msgspec.Struct, frozen=True, kw_only=True):
    """Flip the bits of the body's byte at `offset`, so that its digest is wrong and its length right."""

    offset: int = 0


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """Reset the connection (RST); with after_bytes=0 before any answer."""

    after_bytes: int = 0


class Truncate(msgspec.Struct, frozen=True, kw_only=True):
    """Close the connection in good order (FIN) though the headers announced the whole body."""

    after_bytes: int = 0


class Hang(msgspec.Struct, frozen=True, kw_only=True):
    """Send nothing more until the proxy's `release` or a cut, then reset; with after_bytes=0 before any answer."""

    after_bytes: int = 0


class CutAll(msgspec.Struct, frozen=True, kw_only=True):
    """Reset this and every other connection."""

    after_bytes: int = 0


Break = Reset | Truncate | Hang | CutAll
Answer = Status | Corrupt | Break


class Fault(msgspec.Struct, frozen=True):
    """
    Which requests get which answer; what is None fits everything.

    Of those that fit, the first `skip` pass, the next `times` get the answer (None: all), later ones pass again.
    """

    answer: Answer
    kind: Kind | None = None
    method: str | None = None
    repository: str | None = None
    reference: str | None = None
    user: str | None = None
    skip: int = 0
    times: int | None = 1

    def fits(self, request: Request) -> bool:
        """Tell whether this fault is about such a request."""
        names = ("kind", "method", "repository", "reference", "user")
        return all(getattr(self, name) in (None, getattr(request, name)) for name in names)

    def plays(self, occurrence: int) -> bool:
        """Tell whether the fitting request number `occurrence` (from 0) gets the answer."""
        return occurrence >= self.skip and (self.times is None or occurrence < self.skip + self.times)


class Script:
    """The faults of one proxy and how often each was met; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._met: list[int] = []

    def add(self, fault: Fault) -> None:
        """Append a fault; those added before it are asked first."""
        with self._lock:
            self._faults.append(fault)
            self._met.append(0)

    def clear(self) -> None:
        """Forget all faults: the network is well again."""
        with self._lock:
            self._faults.clear()
            self._met.clear()

    def answer(self, request: Request) -> Answer | None:
        """Return what the request gets, None where it passes; every fault that fits counts it."""
        chosen: Answer | None = None
        with self._lock:
            for place, fault in enumerate(self._faults):
                if fault.fits(request):
                    if chosen is None and fault.plays(self._met[place]):
                        chosen = fault.answer
                    self._met[place] += 1
        return chosen
