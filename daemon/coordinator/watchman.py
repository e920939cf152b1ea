"""
What a coordinator knows of its API server, in words: for its log, its readiness and /state.

Hears from the election, the watches and the events, each in its own thread. When a failure is logged is
observe/troubles.py's.
"""

from collections.abc import Mapping
from typing import Final

from daemon.clock import Clock, Moment
from daemon.cluster.errors import ClusterError
from daemon.observe.logs import Logger
from daemon.observe.troubles import Troubles


LEASE: Final = "lease"
WATCH: Final = "watch"
EVENTS: Final = "events"
BESIDE: Final = "beside"
# What a server answers that understood us, also to whoever came second.
_UNDERSTOOD: Final = frozenset({"200", "201", "404", "409"})


class Watchman:
    """
    Listens to how one coordinator fares with its API server; thread-safe.

    Args:
        log: where changes are told.
        clock: the time.
    """

    def __init__(self, log: Logger, *, clock: Clock) -> None:
        self._troubles = Troubles(log, clock=clock)
        self._has_asked = False

    def problem(self, *, is_leading: bool, last_sync: Moment | None) -> str:
        """Say what is wrong now, "" for nothing; who stands by needs the Lease alone, a leader all its watches."""
        for lease in self._troubles.of(LEASE).values():
            return lease.words
        if not self._has_asked:
            return "not asked for the Lease yet"
        if not is_leading:
            return ""
        newest = max(self._troubles.of(WATCH).values(), key=lambda trouble: trouble.seconds, default=None)
        if last_sync is None:
            return newest.words if newest is not None else "not synced yet"
        return newest.words if newest is not None and newest.seconds > last_sync.seconds else ""

    def requested(self, verb: str, resource: str, code: str) -> None:
        """Hear of each request, as cluster's Telemetry tells it: an answer about the Lease says that it works."""
        del verb
        if resource == "leases" and code in _UNDERSTOOD:
            self._has_asked = True
            self._troubles.over(LEASE, resource="leases")

    def lease_failed(self, error: ClusterError) -> None:
        """The Lease could not be read or written."""
        self._failed(LEASE, "leases", error)

    def watch_failed(self, resource: str, error: ClusterError) -> None:
        """A list or watch failed and is tried again."""
        self._failed(WATCH, resource, error)

    def event_failed(self, error: ClusterError) -> None:
        """An event was not taken; events are best effort."""
        self._failed(EVENTS, "events", error)

    def beside_failed(self, error: ClusterError) -> None:
        """Whether another serves jobs could not be seen; what was known before still stands."""
        self._failed(BESIDE, "leases", error)

    def beside_seen(self) -> None:
        """It could."""
        self._troubles.over(BESIDE, resource="leases")

    def synced(self, syncs: Mapping[str, Moment]) -> None:
        """Hear when each resource's watch was last right: what failed before then works again."""
        for resource, trouble in self._troubles.of(WATCH).items():
            if (sync := syncs.get(resource)) is not None and trouble.seconds < sync.seconds:
                self._troubles.over(WATCH, resource=resource)

    def term_ended(self) -> None:
        """Forget what the watches of a term met, which are no more."""
        self._troubles.forget(WATCH)

    def _failed(self, name: str, resource: str, error: ClusterError) -> None:
        self._troubles.failed(name, resource=resource, error=type(error).__name__, message=error.message)
