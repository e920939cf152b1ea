"""
Somebody else who wants images in the same NodeImages and the same repositories, and changes them all the time.

A well-behaved writer: it replaces what it has read, and where another was first it reads again. It knows what it has
left in each NodeImage, so it notices at its next look when that is gone.
"""

import http
import itertools
import threading
from collections import defaultdict
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.deployment import nodeimages
from tests.servers.nodeimages import entry
from tests.servers.objects import Json


KEPT: Final = 3
# Between two writes: without any, whose machine is busy would be starved by it, which is no promise's test.
PAUSE_SECONDS: Final = 0.01
OWNER: Final = {
    "apiVersion": "example.org/v1",
    "kind": "Wish",
    "namespace": "default",
    "name": "wish",
    "uid": "foreign",
}


class ForeignWriter:
    """
    Adds an entry to each NodeImage in turn, and takes an older one of its own away, from entering to leaving.

    `lost` has what was gone that it had not taken away, `writes` and `conflicts` how often it was first and was not.
    """

    def __init__(self, apiserver: ApiServer, names: Sequence[str], *, repository: str) -> None:
        self.lost: list[str] = []
        self.writes = 0
        self.conflicts = 0
        self._apiserver = apiserver
        self._names = names
        self._repository = repository
        self._numbers = itertools.count()
        self._left: dict[str, list[str]] = defaultdict(list)
        self._is_ending = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._root, name="foreign", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending.set()
        self._thread.join()
        if self._errors and error is None:
            raise self._errors[0]

    def left(self, name: str) -> set[str]:
        """Return the tags that it has left in a NodeImage."""
        return set(self._left[name])

    def look(self) -> None:
        """Look at every NodeImage once more, after the end."""
        for name in self._names:
            self._missed(name, self._apiserver.request("GET", nodeimages(name)))

    def _root(self) -> None:
        try:
            for name in itertools.cycle(self._names):
                if self._is_ending.wait(PAUSE_SECONDS):
                    return
                self._write(name)
        except BaseException as error:  # noqa: BLE001 - a thread's root: the test has to hear of it
            self._errors.append(error)

    def _write(self, name: str) -> None:
        found = self._apiserver.request("GET", nodeimages(name))
        self._missed(name, found)
        number = next(self._numbers)
        tag, left = f"foreign-{number}", [*self._left[name]]
        gone = left.pop(0) if len(left) == KEPT else ""
        owners: Json = {"ownerReferences": [OWNER]} if number % 2 else {}
        image = found["spec"].setdefault("images", {}).setdefault(self._repository, {"tags": []})
        image["tags"] = [*(each for each in image["tags"] if each["tag"] != gone), entry(tag, **owners)]
        try:
            self._apiserver.request("PUT", nodeimages(name), found)
        except ApiFailed as error:
            if error.status != http.HTTPStatus.CONFLICT:
                raise
            self.conflicts += 1
        else:
            self.writes += 1
            self._left[name] = [*left, tag]

    def _missed(self, name: str, found: Json) -> None:
        tags = (found["spec"].get("images") or {}).get(self._repository, {}).get("tags", [])
        there = {each["tag"] for each in tags}
        self.lost += [f"{name} {tag}" for tag in self._left[name] if tag not in there]
