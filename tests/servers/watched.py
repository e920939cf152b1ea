"""
Hears of every change of one kind of object, in the API server's own order, in a thread of its own.

What a test's stand-ins act on and what its witnesses count; nothing of the product's code is in it.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import urllib3

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.objects import Json


# How long an end may have to wait for the open watch.
WATCH_SECONDS = 1

Heard = Callable[[str, Json], None]


class Watched:
    """
    A watch of all objects at `collection`; `heard` is called with ADDED, MODIFIED or DELETED and the object.

    It is called in one thread alone. What it raises is raised at the end of the context. Over a restart of the API
    server it goes on; after a gap everything that is there comes as ADDED again.
    """

    def __init__(self, apiserver: ApiServer, collection: str, heard: Heard) -> None:
        self._apiserver = apiserver
        self._collection = collection
        self._heard = heard
        self._is_ending = threading.Event()
        self._errors: list[BaseException] = []
        self._version = ""
        self._thread = threading.Thread(target=self._root, name=f"watched {collection}", daemon=True)

    def __enter__(self) -> Self:
        self._version = self._list()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending.set()
        self._thread.join()
        if self._errors and error is None:
            raise self._errors[0]

    def _root(self) -> None:
        try:
            while not self._is_ending.is_set():
                self._watch()
        except BaseException as error:  # noqa: BLE001 - a thread's root: the test has to hear of it
            self._errors.append(error)

    def _watch(self) -> None:
        try:
            if not self._version:
                self._version = self._list()
            self._hear()
        except (ApiFailed, urllib3.exceptions.HTTPError):
            # The API server is away, or starting.
            self._is_ending.wait(0.05)

    def _list(self) -> str:
        found = self._apiserver.request("GET", self._collection)
        for item in found["items"]:
            self._heard("ADDED", item)
        version: str = found["metadata"]["resourceVersion"]
        return version

    def _hear(self) -> None:
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={self._version}"
        for event in self._apiserver.watch(f"{self._collection}?{query}", timeout_seconds=WATCH_SECONDS + 10):
            if event["type"] == "ERROR":
                self._version = ""
                return
            self._version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._heard(event["type"], event["object"])
