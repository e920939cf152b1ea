"""
A complete, consistent list of one resource, fetched in pages.

Without a resourceVersion, so what comes is as new as the API server's store. One with a page too large for us is begun
anew with smaller ones; one that went stale half-way (410) is the caller's to begin anew, after a pause.
"""

from collections.abc import Callable, Mapping

import msgspec

from daemon.cluster.errors import Oversized, ServerFailed, Unreachable
from daemon.cluster.interface import Api, Resource
from daemon.cluster.metadata import metadata_of, slim


PAGE_OBJECTS = 500
SHRINK = 8


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there was, and the version to watch from."""

    resources: tuple[Resource, ...]
    version: str


class Pages:
    """Lists one path with one query; remembers how large a page may be."""

    def __init__(
        self, api: Api, path: str, *, query: Mapping[str, str], timeout_seconds: float, is_stopped: Callable[[], bool]
    ) -> None:
        self._api = api
        self._path = path
        self._query = query
        self._timeout_seconds = timeout_seconds
        self._is_stopped = is_stopped
        self._limit = PAGE_OBJECTS

    def list(self) -> Listed:
        """
        Return everything that matches.

        Raises:
            ClusterError: a page failed; Expired where the list went stale half-way, and has to begin anew.
        """
        while True:
            try:
                return self._list()
            except Oversized:
                if self._limit == 1:
                    raise
                self._limit = max(1, self._limit // SHRINK)

    def _list(self) -> Listed:
        resources: list[Resource] = []
        following = ""
        while True:
            page = self._page(following)
            metadata = metadata_of(page)
            resources += _items(page)
            following = str(metadata.get("continue") or "")
            if not following:
                return Listed(resources=tuple(resources), version=str(metadata.get("resourceVersion") or ""))
            if self._is_stopped():
                raise Unreachable(f"list {self._path}: stopped")

    def _page(self, following: str) -> Resource:
        query = {**self._query, "limit": str(self._limit)}
        if following:
            query["continue"] = following
        return self._api.get(self._path, query=query, timeout_seconds=self._timeout_seconds)


def _items(page: Resource) -> list[Resource]:
    items = page.get("items")
    if items is None and "items" in page:  # Go writes an empty list as null
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServerFailed("the server answered a list without items")
    return [slim(item) for item in items]
