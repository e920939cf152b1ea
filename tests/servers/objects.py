"""
One object on a real API server as a test reads it and waits for it: by an administrator's plain requests.

What is written into it, and what is in it, is the modules' of each kind (nodeimages.py, nodes.py, jobs.py).
"""

import http
import math
import time
from collections.abc import Callable, Generator
from typing import Any

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.processes import until


Json = dict[str, Any]
DEADLINE_SECONDS = 60.0


class ObjectOnServer:
    """One object by its name; `collection` is the path of all of its kind, such as /api/v1/nodes."""

    def __init__(self, apiserver: ApiServer, collection: str, name: str) -> None:
        self.name = name
        self.path = f"{collection}/{name}"
        self._apiserver = apiserver
        self._collection = collection

    def create(self, body: Json) -> Json:
        """Create it from its apiVersion, kind and the rest; the name is put in."""
        named = {**body, "metadata": {**body.get("metadata", {}), "name": self.name}}
        return self._apiserver.request("POST", self._collection, named)

    def read(self) -> Json:
        """Read it."""
        return self._apiserver.request("GET", self.path)

    def find(self) -> Json | None:
        """Read it, None where there is none."""
        try:
            return self.read()
        except ApiFailed as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
            return None

    def patch(self, body: Json | list[Json], *, subresource: str = "") -> Json:
        """Apply a merge patch (a dict) or a JSON Patch (a list)."""
        path = "/".join(part for part in (self.path, subresource) if part)
        return self._apiserver.request("PATCH", path, body)

    def delete(self) -> None:
        """Delete it; it may be gone already."""
        try:
            self._apiserver.request("DELETE", self.path)
        except ApiFailed as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise

    def states(self, *, timeout_seconds: float = DEADLINE_SECONDS) -> Generator[Json]:
        """
        Yield the object as it is, and then as each change leaves it; what goes by within a moment is seen too.

        One that is absent comes when it is created. Where a watch ends early, as on an API server that has just
        started, what there is comes again.
        """
        ends_at = time.monotonic() + timeout_seconds
        while (left_seconds := ends_at - time.monotonic()) > 0:
            now = self._apiserver.request("GET", f"{self._collection}?{self._selected}")
            yield from now["items"]
            yield from self._changes(now["metadata"]["resourceVersion"], seconds=math.ceil(left_seconds))

    def until(self, condition: Callable[[Json], bool], *, what: str, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """
        Return the whole object as it is when it first fits.

        Raises:
            TimeoutError: it never did.
        """
        found: Json = {}
        for found in self.states(timeout_seconds=timeout_seconds):
            if condition(found):
                return found
        error = TimeoutError(f"not within {timeout_seconds:g} s: {what}")
        error.add_note(f"last: {found.get('spec')} {found.get('status')}")
        raise error

    def until_gone(self, *, uid: str = "", timeout_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until it is there no more; with a uid, until that one is not."""

        def is_gone() -> bool:
            found = self.find()
            return found is None or bool(uid and found["metadata"]["uid"] != uid)

        until(is_gone, what=f"end of {self.path}", timeout_seconds=timeout_seconds)

    @property
    def _selected(self) -> str:
        return f"fieldSelector=metadata.name%3D{self.name}"

    def _changes(self, version: str, *, seconds: int) -> Generator[Json]:
        """Yield the object after each change since a version; without one, an etcd before 3.4.31 has a watch wait."""
        query = f"watch=1&{self._selected}&resourceVersion={version}&timeoutSeconds={seconds}"
        for event in self._apiserver.watch(f"{self._collection}?{query}", timeout_seconds=seconds + 10):
            if event["type"] == "ERROR":
                return
            if event["type"] != "DELETED":
                yield event["object"]
