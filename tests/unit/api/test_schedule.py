"""When a schedule fires, over changes of daylight saving time."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.schedule import (
    _latest_fire,
    _next_fire,
    find_time_zone,
    latest_fire,
    next_fire,
    schedule_error,
    time_zone_error,
)


BERLIN = ZoneInfo("Europe/Berlin")
# Two hours around each of Berlin's changes of 2026: 29 March skips 2 to 3 o'clock, 25 October has it twice.
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)


def _fires(schedule: str, zone: ZoneInfo, *, after: datetime, until: datetime) -> list[datetime]:
    found = []
    while (fire := next_fire(schedule, zone=zone, after=after)) is not None and fire <= until:
        found.append(fire)
        after = fire
    return found


def test_a_skipped_hour_fires_right_after_the_change() -> None:
    """Half past two does not exist that night; the run is made up for at three, once."""
    fires = _fires("30 2 * * *", BERLIN, after=SPRING - timedelta(hours=12), until=SPRING + timedelta(hours=12))

    assert [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)] == fires


def test_a_doubled_hour_fires_once() -> None:
    """Half past two comes twice that night; only the first fires."""
    fires = _fires("30 2 * * *", BERLIN, after=AUTUMN - timedelta(hours=12), until=AUTUMN + timedelta(hours=12))

    assert [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)] == fires


def test_every_half_hour_fires_through_both_changes() -> None:
    """What runs all the time does so by real time, no gap and no double."""
    for change in (SPRING, AUTUMN):
        fires = _fires("*/30 * * * *", BERLIN, after=change - timedelta(hours=3), until=change + timedelta(hours=3))

        assert [timedelta(minutes=30)] * 11 == [b - a for a, b in itertools.pairwise(fires)]


def test_the_latest_fire_within_the_second_pass_of_a_doubled_hour_is_that_of_the_first() -> None:
    """At ten past two of the second pass, half past two of the first is forty minutes ago."""
    latest = latest_fire("30 2 * * *", zone=BERLIN, until=datetime(2026, 10, 25, 1, 10, tzinfo=UTC))

    assert datetime(2026, 10, 25, 0, 30, tzinfo=UTC) == latest


moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001  hypothesis takes bounds without a zone
near_changes = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes),
    st.sampled_from([SPRING, AUTUMN]),
    st.integers(-300, 300),
)
schedules = st.sampled_from(
    [
        "30 2 * * *",
        "0 2,3 * * *",
        "15 1-3 * * *",
        "*/20 * * * *",
        "0 * * * *",
        "0 0 1 * *",
        "5 4 * * 7",
        "0 12 */2 * mon",
    ]
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]).map(
    ZoneInfo
)


@given(schedule=schedules, zone=zones, at=moments | near_changes)
def test_backwards_and_forwards_agree(schedule: str, zone: ZoneInfo, at: datetime) -> None:
    """Between the latest fire and the next one there is none."""
    latest, coming = latest_fire(schedule, zone=zone, until=at), next_fire(schedule, zone=zone, after=at)

    assert latest is not None
    assert coming is not None
    assert latest <= at < coming
    assert coming == next_fire(schedule, zone=zone, after=latest)


@given(
    schedule=schedules, zone=zones, at=moments | near_changes, part=st.timedeltas(timedelta(0), timedelta(minutes=1))
)
def test_an_answer_that_was_kept_is_the_answer(schedule: str, zone: ZoneInfo, at: datetime, part: timedelta) -> None:
    """Answers are kept by the minute: at any moment in it, a clock's change or not, they are what cron would say."""
    at = (at.replace(second=0) + part).astimezone(zone)

    expected = _next_fire.__wrapped__(schedule, zone, at), _latest_fire.__wrapped__(schedule, zone, at)

    for _ in range(2):
        assert expected == (next_fire(schedule, zone=zone, after=at), latest_fire(schedule, zone=zone, until=at))


def test_the_same_question_of_many_nodes_is_answered_once() -> None:
    """A coordinator asks for each of thousands of nodes within a minute: cron is evaluated for the first."""
    at = datetime(2031, 5, 7, 12, tzinfo=UTC)
    before = _next_fire.cache_info().misses, _latest_fire.cache_info().misses

    for second in range(60):
        next_fire("7 3 * * *", zone=BERLIN, after=at + timedelta(seconds=second))
        latest_fire("7 3 * * *", zone=BERLIN, until=at + timedelta(seconds=second))

    after = _next_fire.cache_info().misses, _latest_fire.cache_info().misses
    assert (before[0] + 1, before[1] + 1) == after


@given(hour=st.integers(0, 23), minute=st.integers(0, 59), at=moments | near_changes, zone=zones)
def test_a_daily_schedule_fires_on_each_day_of_the_calendar(
    hour: int, minute: int, at: datetime, zone: ZoneInfo
) -> None:
    """Whatever the clocks do, a nightly refresh comes once a day, at its time or right after the gap."""
    fires = _fires(f"{minute} {hour} * * *", zone, after=at, until=at + timedelta(days=9))

    days = [fire.astimezone(zone).date() for fire in fires]
    assert len(days) == len(set(days))
    assert all(later - earlier == timedelta(days=1) for earlier, later in itertools.pairwise(days))
    assert len(days) >= 8


@given(st.text(alphabet="0123456789*/,-LWlw#@ JANMONsun", max_size=40) | st.text(max_size=300))
def test_any_schedule_is_either_wrong_or_fires(schedule: str) -> None:
    """No text gets past the check and fails later."""
    why = schedule_error(schedule)

    assert why or next_fire(schedule, zone=BERLIN, after=SPRING) is not None


@given(
    st.text(max_size=40) | st.sampled_from(["Europe", "UTC", "", "..", "/etc/passwd", "tzdata.zi", "a\x00b", "x" * 999])
)
def test_any_zone_is_either_wrong_or_found(name: str) -> None:
    """No text gets past the check and fails later, and none reaches a file outside the database."""
    if not time_zone_error(name):
        assert find_time_zone(name).utcoffset(SPRING) is not None


def test_no_zone_is_utc() -> None:
    """Without timeZone a schedule means the same on every node."""
    assert UTC == find_time_zone(None)


@pytest.mark.parametrize("schedule", ["0 2 * * *", "*/15 8-18 * jan-nov MON-FRI", "0 0 29 2 *", "0 0 1,15 * 7"])
def test_what_cron_knows_is_fine(schedule: str) -> None:
    """Numbers, names in either case, ranges, lists and steps are accepted."""
    assert "" == schedule_error(schedule)
