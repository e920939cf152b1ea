"""
Coordinators that each have a gateway of their own to the API server, so that a test sees and spoils what one of them
writes, and knows at which write it killed it.

What is counted as a write is what a leader decides: NodeImages, jobs and Nodes. The Lease is what lets it decide, and
events are told apart from all that.
"""

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import LEASE, NAMESPACE, CoordinatorProcess, holder
from tests.servers.gateway import Dropped, Fault, Gateway, Passed
from tests.servers.objects import ObjectOnServer
from tests.servers.processes import ServerFailed, until


LEASES: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_DECIDED: Final = ("/nodeimages", "/imagepulljobs", "/api/v1/nodes")

Plan = Callable[[Passed], Fault | None]


class Placed(msgspec.Struct, frozen=True):
    """A coordinator, and the gateway that all its requests pass."""

    process: CoordinatorProcess
    gateway: Gateway

    @property
    def name(self) -> str:
        """Its identity in the Lease."""
        return self.process.name

    def writes(self) -> list[Passed]:
        """Return every write so far that a leader decides."""
        found = [one for method in ("POST", "PATCH", "PUT", "DELETE") for one in self.gateway.seen(method)]
        return [one for one in found if is_decided(one)]

    def grants(self) -> list[Passed]:
        """Return every write so far of a NodeImage's spec."""
        return [one for one in self.writes() if is_spec(one)]


class Deaths:
    """
    Kills whichever of several coordinators leads with SIGKILL, at one of its writes; and again, as often as there are
    moments. Whoever was killed writes nothing more until it is started anew.

    Args:
        moments: at which write from the last death on, 1 for the next; and whether the API server still does that
            write, of which nobody hears then, or it does not arrive.
    """

    def __init__(self, moments: Sequence[tuple[int, bool]]) -> None:
        self._moments = list(moments)
        self._left = self._moments[0][0]
        self._dead: dict[str, int] = {}
        self._lock = threading.Lock()
        self._told: queue.SimpleQueue[Placed] = queue.SimpleQueue()

    def follow(self, placed: Placed) -> None:
        """Count the writes of a coordinator too."""
        placed.gateway.plan = lambda request: self._passes(placed, request)

    def next(self, *, timeout_seconds: float = 60.0) -> Placed:
        """
        Return who was killed, once somebody is.

        Raises:
            TimeoutError: the coordinators have not written so often.
        """
        try:
            placed = self._told.get(timeout=timeout_seconds)
        except queue.Empty:
            error = TimeoutError(f"{self._left} writes short of a death after {timeout_seconds:g} s")
            error.add_note(f"{len(self._moments)} more were to come")
            raise error from None
        placed.process.kill()
        return placed

    def _passes(self, placed: Placed, request: Passed) -> Fault | None:
        if not is_decided(request):
            return None
        with self._lock:
            pid = _pid(placed.process)
            # What the dead one had on its way may come when there is no process, or the next one.
            if not self._moments or pid in {0, self._dead.get(placed.name, 0)}:
                return None
            self._left -= 1
            if self._left:
                return None
            _, is_done = self._moments.pop(0)
            self._left = self._moments[0][0] if self._moments else 0
            self._dead[placed.name] = pid
            os.killpg(pid, signal.SIGKILL)
        self._told.put(placed)
        return None if is_done else Dropped()


class Place:
    """Starts coordinators behind gateways; they are stopped at the end of the context, and nobody leads then."""

    def __init__(self, apiserver: ApiServer, folder: Path) -> None:
        self.apiserver = apiserver
        self._folder = folder
        self._running = contextlib.ExitStack()

    def __call__(
        self, name: str, *, options: Sequence[str] = (), plan: Plan | None = None, variables: Mapping[str, str] = {}
    ) -> Placed:
        """Start one with this name; `plan` says from its first request on what becomes of them."""
        gateway = self._running.enter_context(Gateway(self.apiserver))
        gateway.plan = plan or gateway.plan
        process = CoordinatorProcess(
            self.apiserver,
            self._folder / name,
            name=name,
            options=options,
            variables={**gateway.variables, **variables},
        )
        return Placed(self._running.enter_context(process), gateway)

    def holder(self) -> str:
        """Return who holds the Lease, "" where nobody does."""
        return holder(self._lease().find() or {})

    def free_lease(self) -> None:
        """Say in the Lease that nobody holds it, as an administrator may who knows that its holder is dead."""
        if self._lease().find() is not None:
            self._lease().patch({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})

    def until_held(self, *, timeout_seconds: float = 60.0) -> str:
        """Return who holds the Lease, once somebody does."""
        return until(self.holder, what="somebody holds the Lease", timeout_seconds=timeout_seconds)

    def until_taken(self, other: str, *, timeout_seconds: float = 60.0) -> str:
        """Return who holds the Lease, once that is another than `other`."""

        def taken() -> str:
            found = self.holder()
            return "" if found == other else found

        return until(taken, what=f"another than {other} holds the Lease", timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Stop them all."""
        self._running.close()
        self.free_lease()

    def _lease(self) -> ObjectOnServer:
        return ObjectOnServer(self.apiserver, LEASES, LEASE)


@contextlib.contextmanager
def placing(apiserver: ApiServer, folder: Path) -> Iterator[Place]:
    """Let coordinators be started."""
    place = Place(apiserver, folder)
    try:
        yield place
    finally:
        place.close()


def _pid(process: CoordinatorProcess) -> int:
    """Return a process's number, 0 between its end and its next start; without a look at whether it runs."""
    try:
        return process.process.pid
    except ServerFailed:
        return 0


def is_decided(request: Passed) -> bool:
    """Tell whether a request is a write that a leader decides; a dry run writes nothing."""
    is_dry = "dryRun=" in request.path
    return request.method != "GET" and not is_dry and any(part in request.path for part in _DECIDED)


def is_spec(request: Passed) -> bool:
    """Tell whether a request writes a NodeImage's spec."""
    path = request.path.partition("?")[0]
    return is_decided(request) and "/nodeimages" in path and not path.endswith("/status") and request.method != "DELETE"
