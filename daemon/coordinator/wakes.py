"""When something has to be looked at again by time alone. Pure: it reads no clock."""

import heapq
import itertools
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from daemon.coordinator.seen import ImageKey


class Why(StrEnum):
    """What is looked at, and for what."""

    JOB = "job"
    NODE = "node"
    ENTRY = "entry"
    GATE = "gate"
    HELD = "held"


class Wake(msgspec.Struct, frozen=True):
    """A job by its uid, or a node by its name, with the image where it is about one."""

    why: Why
    subject: str
    key: ImageKey | None = None


class Wakes:
    """
    What is to come, the next first; to be woken once too often does no harm.

    The same wake at the same time stands once: two that were meant for other times meet there, and go on as one.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Wake]] = []
        self._standing: set[tuple[datetime, Wake]] = set()
        self._serial = itertools.count()

    def add(self, at: datetime, wake: Wake) -> None:
        """Have something looked at then."""
        if (at, wake) not in self._standing:
            self._standing.add((at, wake))
            heapq.heappush(self._heap, (at, next(self._serial), wake))

    def next(self) -> datetime | None:
        """Return when the next comes; None where there is none."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: datetime) -> Iterator[Wake]:
        """Take each whose time has come, also those that are added meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            at, _serial, wake = heapq.heappop(self._heap)
            self._standing.discard((at, wake))
            yield wake
