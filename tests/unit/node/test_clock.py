"""The machine's clocks."""

import time
from datetime import UTC, datetime

from daemon.clock import SystemClock


def test_durations_run_through_suspension_of_the_machine() -> None:
    """A timeout is over after a night with the lid closed: CLOCK_BOOTTIME, between two looks at it."""
    earliest = time.clock_gettime(time.CLOCK_BOOTTIME)

    seconds = SystemClock().now().seconds

    assert earliest <= seconds <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_dates_are_in_utc() -> None:
    """A status is read far from the node."""
    earliest = datetime.now(UTC)

    at = SystemClock().now().at

    assert UTC is at.tzinfo
    assert earliest <= at <= datetime.now(UTC)
