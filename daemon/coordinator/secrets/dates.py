"""When each source is looked at next: a heap of times, in which outdated ones are passed over. Pure."""

import heapq
import math

from daemon.coordinator.secrets.names import Source


class Dates:
    """The next time of each source; a new one takes the place of the one before."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, Source]] = []
        self._next: dict[Source, float] = {}

    def put(self, source: Source, at_seconds: float) -> None:
        """Have a source come up then, and not before."""
        self._next[source] = at_seconds
        heapq.heappush(self._heap, (at_seconds, source))

    def take(self, now_seconds: float) -> list[Source]:
        """Return the sources whose time has come, each once."""
        found = []
        while self._heap and self._heap[0][0] <= now_seconds:
            at_seconds, source = heapq.heappop(self._heap)
            if self._next.get(source) == at_seconds:
                del self._next[source]
                found.append(source)
        return found

    def next(self) -> float:
        """Return when the next one comes up; infinity for never."""
        while self._heap and self._next.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf
