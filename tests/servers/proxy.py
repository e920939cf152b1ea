"""
An HTTP proxy between a runtime and a registry that plays the faults of a script and counts what it sends.

Beside the script stand switches for all connections: `limit` (bytes a second), `cut` and `cut_after` (now, or at an
exact number of bytes), `refuse` and `accept` (is anything listening). They take effect at once, for bodies under way
too. It answers GET and HEAD; push straight into the registry.
"""

import threading
import time
from types import TracebackType
from typing import Self

import urllib3

from tests.servers.connections import ConnectionCut
from tests.servers.faults import Fault, Script
from tests.servers.processes import until
from tests.servers.relay import Server
from tests.servers.traffic import Traffic


class FaultProxy:
    """
    The proxy before the registry at `upstream_url`, on a free loopback port that it keeps.

    All methods are thread-safe. containerd needs a hosts entry: `hosts.add(proxy.host, proxy.url)`.
    """

    def __init__(self, upstream_url: str) -> None:
        self.traffic = Traffic()
        self.upstream = urllib3.PoolManager(num_pools=1, maxsize=32, retries=False, timeout=30)
        self.upstream_url = upstream_url
        self.script = Script()
        self.port = 0
        self._server: Server | None = None
        self._changed = threading.Condition()
        self._bytes_per_second: float | None = None
        self._free_at = 0.0
        self._permitted_bytes = 0
        self._cut_at_bytes: int | None = None
        self._releases = 0
        self._cuts = 0

    @property
    def host(self) -> str:
        """The registry's part of an image reference that goes through this proxy."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.upstream.clear()

    def add(self, fault: Fault) -> None:
        """Append a fault to the script."""
        self.script.add(fault)

    def clear(self) -> None:
        """Make the network well again: no faults, no limit, no coming cut; what hangs is released."""
        self.script.clear()
        self.limit(None)
        self.cut_after(None)
        self.release()

    def limit(self, bytes_per_second: float | None) -> None:
        """Let all connections together send no more than this; None is as fast as it goes."""
        with self._changed:
            self._bytes_per_second = bytes_per_second
            self._free_at = 0.0
            self._changed.notify_all()

    def cut_after(self, bytes_from_now: int | None) -> None:
        """Send exactly so many more bytes of bodies over all connections, then reset them all; None takes it back."""
        with self._changed:
            self._cut_at_bytes = None if bytes_from_now is None else self._permitted_bytes + bytes_from_now

    def cut(self) -> None:
        """Reset every connection now; new ones are taken."""
        with self._changed:
            self._cut()

    @property
    def cuts(self) -> int:
        """How often every connection was reset, by whatever cause: what a test waits for."""
        return self._cuts

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._server.connections.count if self._server is not None else 0

    def release(self) -> None:
        """End all that hangs now, by a reset."""
        with self._changed:
            self._releases += 1
            self._changed.notify_all()

    def refuse(self) -> None:
        """Stop listening and reset every connection: "connection refused" from now on."""
        if self._server is None:
            return
        self._server.stop()
        self.cut()
        server, self._server = self._server, None
        until(lambda: not server.connections.count, what="all connections of the proxy ended", timeout_seconds=30)

    def accept(self) -> None:
        """Listen, again on the same port after `refuse`."""
        self._server = Server(self, port=self.port)
        self.port = self._server.server_address[1]
        self._server.start()

    def permit(self, wanted_bytes: int, *, cuts: int) -> int:
        """
        Wait until the limit lets a body go on, and return how many of wanted_bytes it may send now.

        Raises:
            ConnectionCut: every connection was reset since `cuts` was read.
        """
        with self._changed:
            self._wait_for_limit(cuts)
            if self._cut_at_bytes is not None and self._permitted_bytes >= self._cut_at_bytes:
                self._cut_at_bytes = None
                self._cut()
                raise ConnectionCut
            left = wanted_bytes if self._cut_at_bytes is None else self._cut_at_bytes - self._permitted_bytes
            count = min(wanted_bytes, left)
            if self._bytes_per_second is not None:
                # Small steps, so that a limit is smooth and a change of it is felt.
                count = max(1, min(count, int(self._bytes_per_second / 50)))
                self._free_at = max(time.monotonic(), self._free_at) + count / self._bytes_per_second
            self._permitted_bytes += count
            return count

    def hang(self, *, cuts: int) -> None:
        """Wait for `release` or a cut."""
        with self._changed:
            releases = self._releases
            self._changed.wait_for(lambda: self._releases != releases or self._cuts != cuts)

    def _wait_for_limit(self, cuts: int) -> None:
        while True:
            if self._cuts != cuts:
                raise ConnectionCut
            wait_seconds = self._free_at - time.monotonic() if self._bytes_per_second is not None else 0
            if wait_seconds <= 0:
                return
            self._changed.wait(wait_seconds)

    def _cut(self) -> None:
        self._cuts += 1
        self._changed.notify_all()
        if self._server is not None:
            self._server.connections.wake_idle()
