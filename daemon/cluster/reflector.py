"""
Follows one resource of the API server, for days: list, then watch from the list's version, again and again.

A watch that ends by itself goes on from the last version heard. Only a version that is gone (410), or an error that a
version could be the cause of, brings a new list; it is compared with what is known, so nothing is told twice
(telling.py). What objects mean, and whether they are kept, is the listener's.
"""

import random
import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from daemon.clock import Clock, Moment, SystemClock
from daemon.cluster.backoff import asked_seconds
from daemon.cluster.errors import ClusterError, Expired, Throttled, Unauthenticated, Unreachable
from daemon.cluster.interface import Listener, Telemetry, WatchApi
from daemon.cluster.known import Known
from daemon.cluster.pages import PAGE_OBJECTS, Pages
from daemon.cluster.sightings import Sort, sighting_of
from daemon.cluster.telling import Telling
from daemon.jitter import full_jitter_seconds


Value = TypeVar("Value")


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """
    How long a reflector waits for what, and how much it asks for at once.

    Attributes:
        request_seconds: for a page of a list, and for a watch to begin.
        watch_seconds: the server is asked to end a watch after a time drawn between these.
        slack_seconds: how much longer than that a watch may be silent before it counts as cut.
        first_seconds: the most that is waited after a first failure; it doubles with each.
        most_seconds: the most that is waited after any.
        steady_seconds: a watch that lasted so long makes the failures before it forgotten.
        page_objects: how many objects a page of a list may have: less where they are large, and memory is short.
    """

    request_seconds: float = 30.0
    watch_seconds: tuple[float, float] = (300.0, 600.0)
    slack_seconds: float = 15.0
    first_seconds: float = 0.5
    most_seconds: float = 30.0
    steady_seconds: float = 30.0
    page_objects: int = PAGE_OBJECTS


# The version is still good after these: it is the way to the server that failed, or our right to go it.
_KEEPS_VERSION = (Unreachable, Throttled, Unauthenticated)


class Reflector(Generic[Value]):
    """
    One list and watch; `run` belongs in a thread of its own, everything else is for any thread.

    `known` is which objects there are; `last_sync` when that was last known to be right, None before the first list is
    complete. Objects of a list are told as their page arrives; those that a new list no longer has, at its end.

    Args:
        api: the API server; the reflector uses connections of its own to it.
        path: the resource's path, such as /apis/apps.kruise.io/v1beta1/nodeimages.
        query: what narrows it, such as {"fieldSelector": "metadata.name=n1"}.
        listener: hears each change and then, after a list, everything. It is called in run's thread.
        decode: makes of an object's JSON what the listener gets; an object for which it raises msgspec.MsgspecError or
            ValueError is passed over. Items of a list of Kubernetes' own kinds name neither kind nor apiVersion.
        telemetry: where restarts are counted.
        clock: for how long a watch lasted and when all was last known to be right.
        timing: how long to wait for what, and how much to ask for at once.
    """

    def __init__(
        self,
        api: WatchApi,
        *,
        path: str,
        listener: Listener[Value],
        decode: Callable[[bytes], Value],
        query: Mapping[str, str] | None = None,
        telemetry: Telemetry | None = None,
        clock: Clock | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.known = Known()
        self.last_sync: Moment | None = None
        self._api = api.separate()
        self._path = path
        self._query = query or {}
        self._listener = listener
        self._telling = Telling(self.known, listener=listener, decode=decode)
        self._telemetry = telemetry or Telemetry()
        self._clock = clock or SystemClock()
        self._timing = timing or Timing()
        self._stopping = threading.Event()
        self._pages = Pages(
            self._api,
            path,
            query=self._query,
            timeout_seconds=self._timing.request_seconds,
            is_stopped=self._stopping.is_set,
            page_objects=self._timing.page_objects,
        )
        self._version = ""
        self._failures = 0
        self._failed_by: type[ClusterError] | None = None
        self._watching_since: float | None = None

    def run(self) -> None:
        """List and watch until `stop`; a defect, ours or the listener's, ends it and is the caller's."""
        try:
            while not self._stopping.is_set():
                self._turn()
        finally:
            self._api.close()

    def stop(self) -> None:
        """End `run` at once; only a connection that is being made is waited for, exchange.CONNECT_SECONDS at most."""
        self._stopping.set()
        self._api.close()

    def _turn(self) -> None:
        """List if the version is gone, watch until that ends, and wait if it ended badly."""
        self._watching_since = None
        try:
            if not self._version:
                self._list()
            watch_seconds = self._watch()
        except ClusterError as error:
            if not self._stopping.is_set():
                self._failed(error)
            return
        if self._watched_seconds() >= watch_seconds / 2:
            self._failures, self._failed_by = 0, None
            self._telemetry.restarted("ended")
        else:
            self._pause("ended")

    def _list(self) -> None:
        listed = self._pages.list(self._telling.seen)
        self._telling.listed(listed.keys)
        self._version = listed.version
        self._synced()

    def _watch(self) -> float:
        """Watch until the server ends it, and return after how long it was asked to."""
        # Spread, because each node's watch begins at the same moment after an API server's restart.
        watch_seconds = max(1, round(random.uniform(*self._timing.watch_seconds)))  # noqa: S311
        query = {
            **self._query,
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(watch_seconds),
        }
        with self._api.stream(
            self._path,
            query=query,
            timeout_seconds=self._timing.request_seconds,
            silence_seconds=watch_seconds + self._timing.slack_seconds,
        ) as lines:
            self._synced()
            self._telemetry.opened()
            self._watching_since = self._clock.now().seconds
            for line in lines:
                self._hear(line)
        return watch_seconds

    def _hear(self, line: bytes) -> None:
        sighting = sighting_of(line, path=self._path)
        if sighting.sort in {Sort.ADDED, Sort.MODIFIED}:
            self._telling.seen(sighting.identity, sighting.content)
        elif sighting.sort == Sort.DELETED:
            self._telling.gone(sighting.identity)
        self._version = sighting.identity.resourceVersion
        self._synced()

    def _failed(self, error: ClusterError) -> None:
        if not isinstance(error, _KEEPS_VERSION):
            self._version = ""
        if isinstance(error, Expired) and self._failed_by is not Expired:
            # The server is back after an outage that outlived its memory: the long pauses of that are over.
            self._failures = 0
        self._failed_by = type(error)
        self._listener.missed(error)
        self._pause(_reason(error), at_least_seconds=asked_seconds(error))

    def _pause(self, reason: str, *, at_least_seconds: float = 0.0) -> None:
        self._telemetry.restarted(reason)
        if self._watched_seconds() >= self._timing.steady_seconds:
            self._failures = 0
        self._failures += 1
        jitter = full_jitter_seconds(
            self._failures, first_seconds=self._timing.first_seconds, most_seconds=self._timing.most_seconds
        )
        self._stopping.wait(at_least_seconds + jitter)

    def _watched_seconds(self) -> float:
        """Return how long the watch of this turn has lasted; 0 where it never began."""
        return 0.0 if self._watching_since is None else self._clock.now().seconds - self._watching_since

    def _synced(self) -> None:
        self.last_sync = self._clock.now()


def _reason(error: ClusterError) -> str:
    """Name a failure for a counter."""
    names: Mapping[type[ClusterError], str] = {Expired: "expired", Unreachable: "cut"}
    return names.get(type(error), type(error).__name__)
