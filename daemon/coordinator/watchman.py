"""
What a coordinator knows of its API server, in words: for its log, its readiness and /state.

Hears from the election, the watches and the senders, each in its own thread. A failure is logged when it begins and
when it becomes another, and so is its end; what repeats is counted by the metrics alone.
"""

import threading
from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.clock import Clock, Moment
from daemon.cluster.errors import ClusterError
from daemon.observe.logs import Logger


LEASE: Final = "lease"
WATCH: Final = "watch"
EVENTS: Final = "events"
# What a server answers that understood us, also to whoever came second.
_UNDERSTOOD: Final = frozenset({"200", "201", "404", "409"})


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that fails: when it was last seen to, and in which words."""

    seconds: float
    words: str


class Watchman:
    """
    Listens to how one coordinator fares with its API server; thread-safe.

    Args:
        log: where changes are told.
        clock: the time.
    """

    def __init__(self, log: Logger, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._troubles: dict[tuple[str, str], Trouble] = {}
        self._has_asked = False

    def problem(self, *, is_leading: bool, last_sync: Moment | None) -> str:
        """Say what is wrong now, "" for nothing; who stands by needs the Lease alone, a leader all its watches."""
        with self._lock:
            lease = self._troubles.get((LEASE, "leases"))
            watches = [trouble for (what, _), trouble in self._troubles.items() if what == WATCH]
            has_asked = self._has_asked
        if lease is not None:
            return lease.words
        if not has_asked:
            return "not asked for the Lease yet"
        if not is_leading:
            return ""
        newest = max(watches, key=lambda trouble: trouble.seconds, default=None)
        if last_sync is None:
            return newest.words if newest is not None else "not synced yet"
        return newest.words if newest is not None and newest.seconds > last_sync.seconds else ""

    def requested(self, verb: str, resource: str, code: str) -> None:
        """Hear of each request, as cluster's Telemetry tells it: an answer about the Lease says that it works."""
        del verb
        if resource == "leases" and code in _UNDERSTOOD:
            self._has_asked = True
            self._over(LEASE, "leases")

    def lease_failed(self, error: ClusterError) -> None:
        """The Lease could not be read or written."""
        self._failed(LEASE, "leases", error)

    def watch_failed(self, resource: str, error: ClusterError) -> None:
        """A list or watch failed and is tried again."""
        self._failed(WATCH, resource, error)

    def event_failed(self, error: ClusterError) -> None:
        """An event was not taken; events are best effort."""
        self._failed(EVENTS, "events", error)

    def synced(self, syncs: Mapping[str, Moment]) -> None:
        """Hear when each resource's watch was last right: what failed before then works again."""
        if not self._troubles:
            return
        with self._lock:
            over = [
                resource
                for (what, resource), trouble in self._troubles.items()
                if what == WATCH and (sync := syncs.get(resource)) is not None and trouble.seconds < sync.seconds
            ]
        for resource in over:
            self._over(WATCH, resource)

    def term_ended(self) -> None:
        """Forget what the watches of a term met, which are no more."""
        with self._lock:
            self._troubles = {key: trouble for key, trouble in self._troubles.items() if key[0] != WATCH}

    def _failed(self, what: str, resource: str, error: ClusterError) -> None:
        words = f"{what} {resource}: {type(error).__name__}: {error.message}"
        trouble = Trouble(seconds=self._clock.now().seconds, words=words)
        with self._lock:
            before = self._troubles.get((what, resource))
            self._troubles[what, resource] = trouble
        if before is None or before.words != words:
            self._log.warning(f"{what}_failed", resource=resource, error=type(error).__name__, message=error.message)

    def _over(self, what: str, resource: str) -> None:
        with self._lock:
            before = self._troubles.pop((what, resource), None)
        if before is not None:
            self._log.info(f"{what}_works_again", resource=resource)
