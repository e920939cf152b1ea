"""
A watcher apart from the code under test: every state of an object that the API server told, and when.

It watches one NodeImage, or all objects of a collection.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec
import urllib3

from tests.servers.apiserver import ApiServer


Json = dict[str, Any]
DEADLINE_SECONDS = 60.0
NODE_IMAGES = "/apis/apps.kruise.io/v1beta1/nodeimages"


class Sighting(msgspec.Struct, frozen=True):
    """One state of the object and the moment at which the watcher had it."""

    seconds: float
    resource: Json

    def phase(self, repository: str, tag: str, *, version: int) -> str:
        """Return the phase of an entry in this version, "" where nothing is said of it."""
        statuses = self.resource.get("status", {}).get("imageStatuses", {})
        tags = statuses.get(repository, {}).get("tags", [])
        return next((one["phase"] for one in tags if (one["tag"], one.get("version", 0)) == (tag, version)), "")


class Watcher:
    """
    Watches while entered, from when there is something to see; the thread ends with the server's watch.

    Args:
        apiserver: whom to ask.
        name: of the object; "" for all of the collection.
        collection: the path of all of its kind.
        for_seconds: how long the server is asked to go on.
    """

    def __init__(
        self, apiserver: ApiServer, name: str = "", *, collection: str = NODE_IMAGES, for_seconds: int = 600
    ) -> None:
        self._apiserver = apiserver
        selected = f"&fieldSelector=metadata.name={name}" if name else ""
        # From what its cache has: that never reaches the server's newest version while nothing of the kind is written.
        self._path = f"{collection}?watch=1&resourceVersion=0{selected}&timeoutSeconds={for_seconds}"
        self._for_seconds = for_seconds
        self._told = threading.Condition()
        self._is_left = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.sightings: list[Sighting] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self.until(bool, what="the object is seen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the thread to the server's end of the watch, or to the server's own."""
        self._is_left = True

    def until(
        self,
        condition: Callable[[list[Sighting]], bool],
        *,
        what: str,
        timeout_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """
        Wait until what was seen fits.

        Raises:
            TimeoutError: it does not in time.
        """
        with self._told:
            if not self._told.wait_for(lambda: condition(self.sightings), timeout=timeout_seconds):
                raise TimeoutError(f"not within {timeout_seconds:g} s: {what}")

    def first(
        self, name: str, fits: Callable[[Json], bool], *, what: str, timeout_seconds: float = DEADLINE_SECONDS
    ) -> Sighting:
        """
        Return the first sighting of an object that fits, once there is one.

        Raises:
            TimeoutError: there is none in time.
        """

        def found(sightings: list[Sighting]) -> list[Sighting]:
            return [one for one in sightings if one.resource["metadata"]["name"] == name and fits(one.resource)]

        self.until(lambda seen: bool(found(seen)), what=f"{name} {what}", timeout_seconds=timeout_seconds)
        return found(self.sightings)[0]

    def is_quiet_for(self, seconds: float) -> bool:
        """Tell whether nothing has been seen for so long."""
        return time.monotonic() - self.sightings[-1].seconds >= seconds

    def _run(self) -> None:
        try:
            for event in self._apiserver.watch(self._path, timeout_seconds=self._for_seconds + 30):
                with self._told:
                    self.sightings.append(Sighting(time.monotonic(), event["object"]))
                    self._told.notify_all()
        except urllib3.exceptions.HTTPError:
            if not self._is_left:
                raise
