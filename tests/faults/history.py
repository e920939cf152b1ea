"""
Everything that a NodeImage was while a test ran, seen by a watch of the test's own and with the time of each sight.

A status that was wrong for a moment only is seen too, unless the API server was away at that moment.
"""

import threading
import time
from types import TracebackType
from typing import Self

import msgspec
import urllib3

from tests.servers.apiserver_access import ApiFailed
from tests.servers.nodeimages import Json, NodeImageOnServer
from tests.servers.processes import until


RETRY_SECONDS = 0.2
# An API server that has just started may leave a watch without a word.
WATCH_SECONDS = 20.0
JOIN_SECONDS = 30.0
LAST = "last"


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """The object as it was told at this monotonic time."""

    at_seconds: float
    resource: Json

    @property
    def status(self) -> Json:
        """Its status, {} where there is none."""
        found: Json = self.resource.get("status") or {}
        return found

    def tags(self) -> dict[tuple[str, str], Json]:
        """Return each tag status by repository and tag."""
        images = self.status.get("imageStatuses") or {}
        return {(key, each["tag"]): each for key, value in images.items() for each in value["tags"]}


class History:
    """What one NodeImage was, from entering until leaving; all of it is there when it has been left."""

    def __init__(self, node_image: NodeImageOnServer) -> None:
        self._node_image = node_image
        self._sights: list[Sight] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="history", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._sights, what="the first sight of the NodeImage", timeout_seconds=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._node_image.touch(LAST)
            self._thread.join(JOIN_SECONDS)
        self._over.set()

    @property
    def sights(self) -> tuple[Sight, ...]:
        """All of them, in order."""
        return tuple(self._sights)

    def tags(self, repository: str, tag: str) -> list[Json]:
        """Return all that was said of one entry, in order."""
        return [found for sight in self.sights if (found := sight.tags().get((repository, tag)))]

    def first_seconds(self, repository: str, tag: str, *, phase: str) -> float:
        """Return when a phase of an entry was first seen, infinity for never."""
        times = (one.at_seconds for one in self.sights if one.tags().get((repository, tag), {}).get("phase") == phase)
        return next(times, float("inf"))

    @property
    def phases(self) -> set[str]:
        """Every phase that was said of any entry."""
        return {tag["phase"] for sight in self.sights for tag in sight.tags().values()}

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                self._see()
            except (ApiFailed, urllib3.exceptions.HTTPError):
                self._over.wait(RETRY_SECONDS)

    def _see(self) -> None:
        for resource in self._node_image.states(timeout_seconds=WATCH_SECONDS):
            self._sights.append(Sight(at_seconds=time.monotonic(), resource=resource))
            if resource["metadata"].get("labels", {}).get("touched") == LAST:
                self._over.set()
            if self._over.is_set():
                return
