"""
The thread that hears from the API server: it finds out which version is served, and watches the node's own NodeImage.

Neither a server that is away nor one without our kinds ends it: it says so and asks again. What it hears is for
inbound.py to understand.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from daemon.agent.inbound import Inbound
from daemon.api.rules.metadata import GROUP
from daemon.clock import Clock, Moment
from daemon.cluster.backoff import asked_seconds, backoff_seconds
from daemon.cluster.discovery import served_version
from daemon.cluster.errors import ClusterError, NotFound
from daemon.cluster.interface import Listener, Resource, Telemetry, WatchApi
from daemon.cluster.metadata import Identity, decode_with_writings
from daemon.cluster.reflector import Reflector


DISCOVERY_TIMEOUT_SECONDS: Final = 10.0
_RESOURCE: Final = "nodeimages"


class NodeImageWatch:
    """
    Watches the NodeImage of one node; `run` belongs in a thread of its own, everything else is for any thread.

    Args:
        api: the API server.
        node_name: whose NodeImage.
        inbound: makes the listener, from the path of the object.
        served: hears which version is served (apps.kruise.io/v1beta1), before anything is watched.
        missed: hears why no version can be found out.
        telemetry: where restarts are counted.
        clock: the time.
        wait_of: how long to leave the server alone, by the number of failures in a row.
    """

    def __init__(
        self,
        api: WatchApi,
        *,
        node_name: str,
        inbound: Callable[[str], Inbound],
        served: Callable[[str], None],
        missed: Callable[[ClusterError], None],
        telemetry: Telemetry,
        clock: Clock,
        wait_of: Callable[[int], float] = backoff_seconds,
    ) -> None:
        self._api = api
        self._wait_of = wait_of
        self._node_name = node_name
        self._inbound = inbound
        self._served = served
        self._missed = missed
        self._telemetry = telemetry
        self._clock = clock
        self._stop = threading.Event()
        self._reflector: Reflector[Resource] | None = None

    @property
    def last_sync(self) -> Moment | None:
        """When what is known was last known to be right; None before the first list."""
        return self._reflector.last_sync if self._reflector else None

    def run(self) -> None:
        """Watch until stopped."""
        failures = 0
        while (version := self._version()) is not None:
            self._served(f"{GROUP}/{version}")
            self._watch(version)
            # Discovery may know a kind that is not served yet: a watch that never began is no reason to ask at once.
            failures = 0 if self.last_sync is not None else failures + 1
            self._stop.wait(self._wait_of(failures) if failures else 0.0)

    def stop(self) -> None:
        """End `run` at once, whatever it waits for."""
        self._stop.set()
        if self._reflector is not None:
            self._reflector.stop()

    def _version(self) -> str | None:
        """Ask which version is served until there is one; None once stopped."""
        failures = 0
        while not self._stop.is_set():
            try:
                return served_version(self._api, _RESOURCE, timeout_seconds=DISCOVERY_TIMEOUT_SECONDS)
            except ClusterError as error:
                failures += 1
                self._missed(error)
                self._stop.wait(asked_seconds(error) + self._wait_of(failures))
        return None

    def _watch(self, version: str) -> None:
        """Watch under one version, until stopped or until it is no longer served."""
        path = f"/apis/{GROUP}/{version}/{_RESOURCE}"
        listener = _UntilGone(self._inbound(f"{path}/{self._node_name}"), gone=self._leave)
        self._reflector = Reflector(
            self._api,
            path=path,
            query={"fieldSelector": f"metadata.name={self._node_name}"},
            listener=listener,
            decode=decode_with_writings,
            telemetry=self._telemetry,
            clock=self._clock,
        )
        if not self._stop.is_set():
            self._reflector.run()

    def _leave(self) -> None:
        if self._reflector is not None:
            self._reflector.stop()


class _UntilGone:
    """Hands on what it hears, and ends the watch where the server no longer has the resource: another may be served."""

    def __init__(self, listener: Listener[Resource], *, gone: Callable[[], None]) -> None:
        self._listener = listener
        self._gone = gone

    def listed(self, identities: Sequence[Identity]) -> None:
        self._listener.listed(identities)

    def applied(self, identity: Identity, value: Resource) -> None:
        self._listener.applied(identity, value)

    def passed_over(self, identity: Identity, words: str) -> None:
        self._listener.passed_over(identity, words)

    def deleted(self, identity: Identity) -> None:
        self._listener.deleted(identity)

    def missed(self, error: ClusterError) -> None:
        self._listener.missed(error)
        if isinstance(error, NotFound):
            self._gone()
