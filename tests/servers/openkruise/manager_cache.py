"""
A controller's cache of one kind, which may be as old as a test wants: what was seen of the API server is applied late.

Pure: it is told what there is, and tells what a controller would read.
"""

import sys
from typing import Generic

from tests.servers.openkruise.manager_objects import Object


Key = tuple[str, str]


class LaggingCache(Generic[Object]):
    """
    The objects of one kind by namespace and name, `lag_events` changes behind what was last seen.

    `hold` lets it grow old without a bound, `catch_up` brings it up to now.
    """

    def __init__(self) -> None:
        self.lag_events = 0
        self._newest: dict[Key, Object] = {}
        self._view: dict[Key, Object] = {}
        self._pending: list[tuple[Key, Object | None]] = []

    def saw(self, objects: list[Object]) -> None:
        """Take in everything that there is; what differs from the last time is a change each."""
        found = {(value.metadata.namespace, value.metadata.name): value for value in objects}
        gone = self._newest.keys() - found.keys()
        self._pending += [(key, None) for key in sorted(gone)]
        self._pending += [(key, value) for key, value in found.items() if self._newest.get(key) != value]
        self._newest = found
        self._advance()

    def hold(self) -> None:
        """Apply no more changes until `catch_up`."""
        self.lag_events = sys.maxsize

    def catch_up(self) -> None:
        """Apply every change seen so far, and those to come at once."""
        self.lag_events = 0
        self._advance()

    def all(self) -> list[Object]:
        """Return the objects as the controller sees them, sorted by name."""
        return [value for _, value in sorted(self._view.items(), key=lambda item: item[0])]

    def get(self, name: str, *, namespace: str = "") -> Object | None:
        """Return one object as the controller sees it."""
        return self._view.get((namespace, name))

    def _advance(self) -> None:
        while len(self._pending) > self.lag_events:
            key, value = self._pending.pop(0)
            if value is None:
                self._view.pop(key, None)
            else:
                self._view[key] = value
