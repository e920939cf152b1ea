"""
What `prewarm status` reads of an API server: jobs, lists, NodeImages, and Nodes where it may.

Collections are kept by name, whether one list fills them or a watch keeps them right; so both ways show the same.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from daemon.api.rules.metadata import GROUP
from daemon.cluster.discovery import served_versions
from daemon.cluster.errors import ClusterError, Expired, NotFound
from daemon.cluster.interface import Telemetry, WatchApi
from daemon.cluster.metadata import UNREADABLE, Identity, Key, unreadable_words
from daemon.cluster.pages import Pages
from daemon.cluster.reflector import Reflector


JOBS: Final = "imagepulljobs"
LISTS: Final = "imagelistpulljobs"
NODE_IMAGES: Final = "nodeimages"
NODES_PATH: Final = "/api/v1/nodes"

REQUEST_SECONDS: Final = 30.0
_LIST_ATTEMPTS: Final = 3

Value = TypeVar("Value")


class Kinds(msgspec.Struct, frozen=True):
    """The kinds of ours that a server has, each with the version to speak of it."""

    versions: Mapping[str, str]

    def path(self, resource: str, *, namespace: str | None = None, name: str = "") -> str:
        """
        Return where a kind's objects are; `namespace` None for all, or for a kind that has none.

        Raises:
            NotFound: the server does not serve it.
        """
        if resource not in self.versions:
            words = f"the API server serves no {resource} of {GROUP}: are the CRDs installed?"
            raise NotFound(words, code=404)
        place = f"/namespaces/{namespace}" if namespace is not None else ""
        return f"/apis/{GROUP}/{self.versions[resource]}{place}/{resource}" + (f"/{name}" if name else "")

    def has(self, resource: str) -> bool:
        """Tell whether the server serves it."""
        return resource in self.versions


def kinds_of(api: WatchApi) -> Kinds:
    """
    Ask which kinds of ours are served.

    Raises:
        NotFound: not even ImagePullJobs.
        ClusterError: it could not be asked.
    """
    kinds = Kinds(served_versions(api, (JOBS, LISTS, NODE_IMAGES), timeout_seconds=REQUEST_SECONDS))
    kinds.path(JOBS)
    return kinds


class Collection(Generic[Value]):
    """
    The objects of one path by namespace and name; a reflector's listener too.

    Args:
        path: of all of them, such as /apis/apps.kruise.io/v1beta1/nodeimages.
        decode: makes of an object's JSON what is kept; what it refuses is in `unreadable`.
        query: what narrows them.

    `changed` hears, in the watch's thread, that something may be another.
    """

    def __init__(
        self,
        path: str,
        *,
        decode: Callable[[bytes], Value],
        query: Mapping[str, str] | None = None,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.is_listed = False
        self.error: ClusterError | None = None
        self.unreadable: dict[Key, str] = {}
        self._path = path
        self._decode = decode
        self._query = query or {}
        self._lock = threading.Lock()
        self._values: dict[Key, Value] = {}

    def values(self) -> tuple[Value, ...]:
        """Return what there is, by namespace and name."""
        with self._lock:
            return tuple(self._values[key] for key in sorted(self._values))

    def fill(self, api: WatchApi) -> None:
        """
        List everything once, page by page.

        Raises:
            ClusterError: a page failed.
        """
        for attempt in range(_LIST_ATTEMPTS):
            self._values.clear()
            pages = Pages(api, self._path, query=self._query, timeout_seconds=REQUEST_SECONDS, is_stopped=lambda: False)
            try:
                pages.list(self._see)
            except Expired:
                # The list outlived the server's memory of its version.
                if attempt == _LIST_ATTEMPTS - 1:
                    raise
            else:
                self.is_listed = True
                return

    def follow(self, api: WatchApi) -> Reflector[Value]:
        """Return what keeps it right once it runs."""
        telemetry = Telemetry(opened=self._opened)
        return Reflector(
            api, path=self._path, query=self._query, listener=self, decode=self._decode, telemetry=telemetry
        )

    def applied(self, identity: Identity, value: Value) -> None:
        """Take an object for new or changed."""
        with self._lock:
            self._values[identity.key] = value
            self.unreadable.pop(identity.key, None)
        self.changed()

    def passed_over(self, identity: Identity, words: str) -> None:
        """Note an object that can't be read."""
        with self._lock:
            self._values.pop(identity.key, None)
            self.unreadable[identity.key] = words
        self.changed()

    def deleted(self, identity: Identity) -> None:
        """Take an object for gone."""
        with self._lock:
            self._values.pop(identity.key, None)
            self.unreadable.pop(identity.key, None)
        self.changed()

    def listed(self, identities: Sequence[Identity]) -> None:
        """Take it for whole, and what is known for right."""
        del identities
        self.is_listed, self.error = True, None
        self.changed()

    def missed(self, error: ClusterError) -> None:
        """Note that the watch failed, and is tried again."""
        self.error = error
        self.changed()

    def _opened(self) -> None:
        if self.error is not None:
            self.error = None
            self.changed()

    def _see(self, identity: Identity, content: bytes) -> None:
        try:
            value = self._decode(content)
        except UNREADABLE as error:
            self.passed_over(identity, unreadable_words(error))
        else:
            self.applied(identity, value)


def found_at(api: WatchApi, path: str) -> bytes | None:
    """
    Read one object; None where there is none.

    Raises:
        ClusterError: it could not be read.
    """
    try:
        return api.fetch(path, timeout_seconds=REQUEST_SECONDS)
    except NotFound:
        return None
