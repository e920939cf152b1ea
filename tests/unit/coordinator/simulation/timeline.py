"""Virtual time: what is to happen, in order. It is the clock of everything in a simulation."""

import heapq
import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from daemon.clock import Moment


START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
_MICRO: Final = 1_000_000


class Timeline:
    """Calls what was given to it at its time; between two calls no time passes."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._micros = 0
        self._serial = itertools.count()
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self._moment = Moment(seconds=0.0, at=start)

    def now(self) -> Moment:
        """Return this instant, as daemon.clock.Clock does."""
        return self._moment

    @property
    def at(self) -> datetime:
        """The date."""
        return self._moment.at

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return self._moment.seconds

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something called so much later, behind what was asked for that time before."""
        micros = self._micros + max(0, math.ceil(seconds * _MICRO))
        heapq.heappush(self._coming, (micros, next(self._serial), call))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self._micros + round(seconds * _MICRO)
        while self._coming and self._coming[0][0] <= end:
            self._step()
        self._pass(end)

    def run_until(self, is_so: Callable[[], bool], *, seconds: float) -> None:
        """Let time pass until something is so; it fails after so long."""
        end = self._micros + round(seconds * _MICRO)
        while not is_so():
            if not self._coming or self._coming[0][0] > end:
                raise AssertionError(f"not so after {seconds} s")
            self._step()

    def _step(self) -> None:
        micros, _, call = heapq.heappop(self._coming)
        self._pass(micros)
        call()

    def _pass(self, micros: int) -> None:
        if micros > self._micros:
            self._micros = micros
            self._moment = Moment(seconds=micros / _MICRO, at=self._start + timedelta(microseconds=micros))
