"""A coordinator writes no more than its rate, and what is least urgent waits for all else."""

import threading

from daemon.coordinator.budget import SPARE_WAIT_SECONDS, Budget
from tests.unit.cluster.clock import SetClock


def _spent(budget: Budget) -> int:
    """Take all that there is, and count it."""
    taken = 0
    while budget.take():
        taken += 1
    return taken


def test_after_a_rest_twice_the_rate_may_go_at_once() -> None:
    """And no more, however long it rested."""
    clock = SetClock()
    budget = Budget(rate=100, clock=clock)

    first = _spent(budget)
    clock.seconds += 3600

    assert (200, 200) == (first, _spent(budget))


def test_tokens_come_at_the_rate() -> None:
    """A tenth of a second is ten of a hundred."""
    clock = SetClock()
    budget = Budget(rate=100, clock=clock)
    _spent(budget)

    clock.seconds += 0.1001

    assert 10 == _spent(budget)


def test_a_rate_below_one_a_second_still_writes() -> None:
    """One in ten seconds."""
    clock = SetClock()
    budget = Budget(rate=0.1, clock=clock)

    first = _spent(budget)
    wait_seconds = budget.wait_seconds()
    clock.seconds += 10.001

    assert (1, 10.0, 1) == (first, round(wait_seconds or 0.0, 6), _spent(budget))


def test_a_token_that_was_not_used_is_another_s() -> None:
    """Whether anything is to be written is only known once there is a token."""
    budget = Budget(rate=100, clock=SetClock())
    _spent(budget)

    budget.give_back()

    assert 1 == _spent(budget)


def test_a_clock_that_goes_back_makes_no_token_and_takes_none() -> None:
    """It waits, rather than write a burst."""
    clock = SetClock()
    budget = Budget(rate=100, clock=clock)
    _spent(budget)

    clock.seconds -= 60

    assert 0 == _spent(budget)


def test_what_is_least_urgent_goes_when_nothing_else_waits() -> None:
    """An event takes no token while a write waits for one, also if one is there by then."""
    clock = SetClock()
    budget = Budget(rate=100, clock=clock)

    at_rest = budget.spare_seconds()
    _spent(budget)
    clock.seconds += 1
    behind = budget.spare_seconds()
    budget.rest()

    assert (0.0, SPARE_WAIT_SECONDS, 0.0) == (at_rest, behind, budget.spare_seconds())


def test_the_time_that_writes_waited_is_told() -> None:
    """From the first that got no token to the one that did, also while it still waits."""
    clock = SetClock()
    budget = Budget(rate=100, clock=clock)
    _spent(budget)

    clock.seconds += 3
    waiting = budget.throttled_seconds
    budget.take()
    clock.seconds += 60

    assert (3.0, 3.0) == (waiting, budget.throttled_seconds)


def test_threads_together_get_no_more_than_there_is() -> None:
    """The loop and the events' thread share one bucket."""
    budget = Budget(rate=100, clock=SetClock())
    counts: list[int] = []

    threads = [threading.Thread(target=lambda: counts.append(_spent(budget))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 200 == sum(counts)
