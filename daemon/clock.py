"""
The seam for time: what a loop reads, so that a test can move it.

Durations are measured on a clock that runs through suspension of the machine; dates are for people and statuses.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

import msgspec


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One instant on both clocks: `seconds` for durations (no epoch), `at` in UTC for statuses."""

    seconds: float
    at: datetime


class Clock(Protocol):
    """Where a loop asks what time it is."""

    def now(self) -> Moment:
        """Return this instant."""
        ...


class SystemClock:
    """The machine's clocks: CLOCK_BOOTTIME for durations, the wall clock for dates."""

    def now(self) -> Moment:
        """Return this instant."""
        return Moment(seconds=time.clock_gettime(time.CLOCK_BOOTTIME), at=datetime.now(UTC))
