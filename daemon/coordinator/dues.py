"""When each node's next turn comes, the earliest at hand. Pure."""

import heapq
from datetime import datetime
from typing import Final


# As few outdated times as this are not worth making the heap anew.
FEW: Final = 64


class Dues:
    """Times by node; outdated ones stay in the heap until they come up, or are most of it."""

    def __init__(self) -> None:
        self._times: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def put(self, node: str, at: datetime | None) -> None:
        """Note a node's time; None: it has none."""
        if at is None:
            self._times.pop(node, None)
        elif self._times.get(node) != at:
            self._times[node] = at
            heapq.heappush(self._heap, (at, node))
            self._prune()

    def first(self) -> datetime | None:
        """Return the earliest time."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: datetime) -> list[str]:
        """Return the nodes whose time has come, and forget it."""
        found: list[str] = []
        while (at := self.first()) is not None and at <= now:
            node = heapq.heappop(self._heap)[1]
            del self._times[node]
            found.append(node)
        return found

    def _prune(self) -> None:
        """Drop outdated times once they are most of the heap: nobody may ever ask for the first."""
        if len(self._heap) > 2 * len(self._times) + FEW:
            self._heap = [(at, node) for node, at in self._times.items()]
            heapq.heapify(self._heap)
