"""
A complete, consistent list of one resource, fetched in pages.

Without a resourceVersion, so what comes is as new as the API server's store. One with a page too large for us is begun
anew with smaller ones; one that went stale half-way (410) is the caller's to begin anew, after a pause. Objects are
handed on one by one: at most one page's bytes are in memory.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from daemon.cluster.errors import Oversized, ServerFailed, Unreachable
from daemon.cluster.interface import WatchApi
from daemon.cluster.metadata import UNREADABLE, Identity, Key, named_identity_of


PAGE_OBJECTS = 500
SHRINK = 8

See = Callable[[Identity, bytes], None]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there was, and the version to watch from."""

    keys: AbstractSet[Key]
    version: str


class _ListMetadata(msgspec.Struct, frozen=True):
    resourceVersion: str | None = None  # noqa: N815 - Kubernetes' name
    following: str | None = msgspec.field(default=None, name="continue")


class _Page(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | None  # Go writes an empty list as null
    metadata: _ListMetadata = _ListMetadata()


_DECODER = msgspec.json.Decoder(_Page)


class Pages:
    """Lists one path with one query; remembers how large a page may be."""

    def __init__(
        self,
        api: WatchApi,
        path: str,
        *,
        query: Mapping[str, str],
        timeout_seconds: float,
        is_stopped: Callable[[], bool],
        page_objects: int = PAGE_OBJECTS,
    ) -> None:
        self._api = api
        self._path = path
        self._query = query
        self._timeout_seconds = timeout_seconds
        self._is_stopped = is_stopped
        self._limit = page_objects

    def list(self, see: See) -> Listed:
        """
        Hand on everything that matches, object by object, as its JSON; one may come twice where the list begins anew.

        Raises:
            ClusterError: a page failed; Expired where the list went stale half-way, and has to begin anew.
        """
        while True:
            try:
                return self._list(see)
            except Oversized:
                if self._limit == 1:
                    raise
                self._limit = max(1, self._limit // SHRINK)

    def _list(self, see: See) -> Listed:
        keys: set[Key] = set()
        following = ""
        while True:
            metadata = self._page(following, see=see, keys=keys)
            following = metadata.following or ""
            if not following:
                return Listed(keys=keys, version=metadata.resourceVersion or "")
            if self._is_stopped():
                raise Unreachable(f"list {self._path}: stopped")

    def _page(self, following: str, *, see: See, keys: set[Key]) -> _ListMetadata:
        """Hand on a page; its bytes are free again when this returns."""
        page = self._fetched(following)
        for item in page.items or ():
            content = bytes(item)  # a copy: what is kept of an object must not keep its page
            identity = named_identity_of(content)
            keys.add(identity.key)
            see(identity, content)
        return page.metadata

    def _fetched(self, following: str) -> _Page:
        query = {**self._query, "limit": str(self._limit)}
        if following:
            query["continue"] = following
        body = self._api.fetch(self._path, query=query, timeout_seconds=self._timeout_seconds)
        try:
            return _DECODER.decode(body)
        except UNREADABLE:
            problem = f"list {self._path}: the server answered a list without items"
        raise ServerFailed(problem)
