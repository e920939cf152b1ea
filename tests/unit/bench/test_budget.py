"""The time that a budget makes unavoidable is that of a perfect coordinator, no more and no less."""

import pytest

from bench.budget import departures
from bench.join_300 import beyond_budget


def test_a_burst_leaves_at_once_and_the_rest_at_the_rate() -> None:
    """After 200 of 300 at one moment comes one each hundredth of a second."""
    found = departures([5.0] * 300, rate=100.0, burst=200.0)

    assert [5.0] * 200 == found[:200]
    assert pytest.approx([5.01, 5.02, 6.0]) == [found[200], found[201], found[299]]


def test_tokens_come_back_while_writes_are_rare() -> None:
    """Writes that come slower than the rate never wait."""
    arrivals = [0.02 * number for number in range(300)]

    assert arrivals == departures(arrivals, rate=100.0, burst=1.0)


def test_nothing_to_write_takes_no_time() -> None:
    """No arrivals, no departures."""
    assert [] == departures([], rate=100.0, burst=200.0)


def test_a_perfect_coordinator_is_never_late() -> None:
    """Whatever nodes it takes first: the delay is that of a place in the row."""
    ready = [0.001 * number for number in range(300)]
    begun = list(reversed(departures(ready, rate=100.0, burst=200.0)))

    assert pytest.approx(0.0) == beyond_budget(ready, begun)
    assert pytest.approx(1.5) == beyond_budget(ready, [at + 1.5 for at in begun])
