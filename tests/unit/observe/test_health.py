"""Health: a loop that hangs is told, one that was only asleep is not, and a probe reads why."""

import pytest

from daemon.observe.answer import Answer
from daemon.observe.health import GRACE_SECONDS, NOT_READY, PERIODS, UNHEALTHY, Check, Pulse, health


PERIOD_SECONDS = 60.0
LIMIT_SECONDS = PERIOD_SECONDS * PERIODS


class Dial:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def clock() -> Dial:
    """The time."""
    return Dial()


@pytest.fixture
def pulse(clock: Dial) -> Pulse:
    """A loop's pulse that has just begun."""
    return Pulse(period_seconds=PERIOD_SECONDS, monotonic=clock)


def test_a_loop_that_beats_is_alive(pulse: Pulse, clock: Dial) -> None:
    """Also when it beats as seldom as it may."""
    for _ in range(10):
        clock.seconds += PERIOD_SECONDS
        pulse.beat()

        assert "" == pulse.check()


def test_a_loop_that_has_missed_its_periods_is_dead(pulse: Pulse, clock: Dial) -> None:
    """Once a second look, some seconds after the first, finds it silent too."""
    clock.seconds += LIMIT_SECONDS + 1
    first = pulse.check()
    clock.seconds += GRACE_SECONDS

    assert "" == first
    assert "the loop has not gone round for 191 s" == pulse.check()


def test_a_loop_that_has_not_yet_begun_has_time(pulse: Pulse, clock: Dial) -> None:
    """The start counts as a beat."""
    clock.seconds += LIMIT_SECONDS

    assert "" == pulse.check()


def test_the_first_look_after_a_long_sleep_condemns_nobody(pulse: Pulse, clock: Dial) -> None:
    """A process that was frozen, with its loop, is alive when it wakes; the loop shows it by its next beat."""
    clock.seconds += 86400
    first = pulse.check()
    clock.seconds += 1
    pulse.beat()
    clock.seconds += GRACE_SECONDS

    assert ("", "") == (first, pulse.check())


def test_a_loop_that_beats_again_is_alive_again(pulse: Pulse, clock: Dial) -> None:
    """And its next silence has its own doubt."""
    clock.seconds += LIMIT_SECONDS + 1
    pulse.check()
    clock.seconds += GRACE_SECONDS
    dead = pulse.check()
    pulse.beat()
    clock.seconds += LIMIT_SECONDS + 1

    assert dead
    assert "" == pulse.check()


def test_all_content_is_ok() -> None:
    """As Kubernetes' own components answer."""
    assert Answer(body=b"ok\n") == health({"loop": str, "runtime": str}, failed_status=NOT_READY)


@pytest.mark.parametrize("status", [UNHEALTHY, NOT_READY])
def test_each_failing_check_has_its_line(status: int) -> None:
    """With its name and why, and the status that the path fails with; those that are content have none."""
    checks: dict[str, Check] = {"loop": lambda: "hangs", "sync": str, "runtime": lambda: "no such socket"}

    assert Answer(body=b"loop: hangs\nruntime: no such socket\n", status=status) == health(checks, failed_status=status)


def test_a_check_that_breaks_fails() -> None:
    """A probe gets an answer all the same."""

    def broken() -> str:
        raise KeyError("secret")

    answer = health({"sync": broken}, failed_status=NOT_READY)

    assert (NOT_READY, b"sync: the check itself failed: KeyError\n") == (answer.status, answer.body)


def test_where_nothing_is_checked_all_is_well() -> None:
    """A role without checks is alive by answering."""
    assert Answer(body=b"ok\n") == health({}, failed_status=UNHEALTHY)
