"""When a node of a Never job gets its next turn; in virtual time."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.api.fields import INT32_MAX
from daemon.api.imagepulljob import ImagePullJob, Refresh
from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.coordinator.turns import NO_TURN, Turn, next_turn
from daemon.entries import place_in_spread
from tests.unit.api.strategies import names, refreshes
from tests.unit.coordinator.claims import job


NODE = "node-a"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TWO = datetime(2026, 1, 2, 2, tzinfo=UTC)
NIGHTLY = Refresh(schedule="0 2 * * *", starting_deadline_seconds=4 * 3600)


def after_success(one: ImagePullJob, *, granted_at: datetime, now: datetime, node: str = NODE) -> Turn:
    """Return the next turn of a node that has succeeded a minute after its grant."""
    return next_turn(
        one,
        phase=Phase.SUCCEEDED,
        reason="",
        granted_at=granted_at,
        ended_at=granted_at + MINUTE,
        round=0,
        has_image=True,
        now=now,
        node=node,
    )


def after_failure(
    one: ImagePullJob,
    *,
    granted_at: datetime,
    ended_at: datetime | None = None,
    number: int = 0,
    has_image: bool = False,
    reason: str = "RegistryUnavailable",
    now: datetime | None = None,
    node: str = NODE,
) -> Turn:
    """Return the next turn of a node that has failed, at the moment of its grant unless said otherwise."""
    ended_at = ended_at or granted_at
    return next_turn(
        one,
        phase=Phase.FAILED,
        reason=reason,
        granted_at=granted_at,
        ended_at=ended_at,
        round=number,
        has_image=has_image,
        now=now or ended_at,
        node=node,
    )


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_an_always_job_gives_each_node_one_turn(phase: Phase) -> None:
    """Its failure is final too: backoffLimit has bounded it."""
    turn = next_turn(
        job(is_never=False),
        phase=phase,
        reason="",
        granted_at=NOON,
        ended_at=NOON,
        round=0,
        has_image=False,
        now=NOON + 90 * DAY,
        node=NODE,
    )

    assert NO_TURN == turn


def test_a_success_is_followed_by_its_renewal() -> None:
    """At the next fire, counted from the grant and not from the pull's end."""
    assert Turn(due_at=TWO, is_renewal=True) == after_success(job(refresh=NIGHTLY), granted_at=NOON, now=NOON + HOUR)


def test_a_fire_during_the_pull_is_not_missed() -> None:
    """What moved while it was pulled is asked for again."""
    turn = after_success(job(refresh=NIGHTLY), granted_at=TWO - MINUTE / 2, now=TWO + MINUTE)

    assert Turn(due_at=TWO, is_renewal=True, lapses_at=TWO + 4 * HOUR) == turn


def test_without_a_schedule_a_success_is_renewed_after_a_day() -> None:
    """Give or take ten minutes, by the node's place."""
    turn = after_success(job(), granted_at=NOON, now=NOON + HOUR)

    assert turn.is_renewal
    assert abs(turn.due_at - NOON - DAY) <= 10 * MINUTE


@pytest.mark.parametrize(("number", "minutes"), [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (7, 60), (INT32_MAX, 60)])
def test_a_failure_is_followed_by_another_round(number: int, minutes: int) -> None:
    """After a minute, doubling to an hour, counted in the entry; OpenKruise waits a day (its 8.2 number 5)."""
    turn = after_failure(job(), granted_at=NOON, ended_at=NOON + 5 * MINUTE, number=number)

    assert Turn(due_at=NOON + (5 + minutes) * MINUTE, round=min(number + 1, INT32_MAX)) == turn


@pytest.mark.parametrize("reason", [Reason.PLATFORM_MISMATCH, Reason.INVALID_REFERENCE, Reason.REFUSED_BY_POLICY])
def test_what_asking_again_does_not_mend_is_asked_each_hour(reason: Reason) -> None:
    """Also the first time."""
    assert Turn(due_at=NOON + HOUR, round=1) == after_failure(job(), granted_at=NOON, reason=str(reason))


@pytest.mark.parametrize("reason", ["", "SomethingOfTomorrow", "Unauthorized"])
def test_any_other_reason_is_tried_again_soon(reason: str) -> None:
    """Also one that this release does not know: a NodeImage may have been written by another."""
    assert NOON + MINUTE == after_failure(job(), granted_at=NOON, reason=reason).due_at


def test_a_fire_that_comes_before_the_next_round_is_taken_instead() -> None:
    """It is a renewal, which begins the count of rounds anew."""
    turn = after_failure(job(refresh=NIGHTLY), granted_at=TWO - 30 * MINUTE, number=6)

    assert Turn(due_at=TWO, is_renewal=True) == turn


def test_at_is_a_renewal_now_for_what_has_failed_before_it() -> None:
    """An edit of `at` does not have to wait for the hourly round; what was granted after it goes on with its rounds."""
    one = job(refresh=Refresh(at=NOON + 10 * MINUTE))

    before = after_failure(one, granted_at=NOON, number=7, now=NOON + 11 * MINUTE)
    after = after_failure(one, granted_at=NOON + 11 * MINUTE, number=0)

    assert Turn(due_at=NOON + 10 * MINUTE, is_renewal=True) == before
    assert Turn(due_at=NOON + 12 * MINUTE, round=1) == after


def test_at_renews_a_success_that_was_granted_before_it() -> None:
    """Besides the schedule, and once."""
    one = job(refresh=Refresh(schedule="0 2 * * *", at=NOON + HOUR))

    assert NOON + HOUR == after_success(one, granted_at=NOON, now=NOON + 2 * HOUR).due_at
    assert TWO == after_success(one, granted_at=NOON + HOUR, now=NOON + 2 * HOUR).due_at


@pytest.mark.parametrize(
    ("down_until", "due"),
    [(TWO + 3 * HOUR, TWO), (TWO + 4 * HOUR, TWO), (TWO + 4 * HOUR + timedelta(seconds=1), TWO + DAY)],
)
def test_a_coordinator_that_was_down_at_the_time_makes_up_for_it_until_the_deadline(
    down_until: datetime, due: datetime
) -> None:
    """Within startingDeadlineSeconds of the fire every node is due at once; after it, at the next one."""
    assert due == after_success(job(refresh=NIGHTLY), granted_at=NOON, now=down_until).due_at


def test_a_fire_that_was_missed_by_days_is_made_up_for_once() -> None:
    """Without startingDeadlineSeconds the latest one counts, and then the next."""
    one = job(refresh=Refresh(schedule="0 2 * * *"))
    now = TWO + 9 * DAY + HOUR

    assert TWO + 9 * DAY == after_success(one, granted_at=NOON, now=now).due_at
    assert TWO + 10 * DAY == after_success(one, granted_at=now, now=now).due_at


def test_rounds_of_a_stale_node_stop_at_the_starting_deadline() -> None:
    """It has an image to go on with, and its window is over: the next fire is its next chance."""
    one = job(refresh=NIGHTLY)
    last, late = TWO + 4 * HOUR - MINUTE, TWO + 4 * HOUR - MINUTE + timedelta(seconds=1)

    within = after_failure(one, granted_at=TWO, ended_at=last, has_image=True)
    assert Turn(due_at=last + MINUTE, round=1, lapses_at=TWO + 4 * HOUR) == within
    assert Turn(due_at=TWO + DAY, is_renewal=True) == after_failure(one, granted_at=TWO, ended_at=late, has_image=True)


def test_rounds_of_a_cold_node_never_stop() -> None:
    """A Pod there would have to wait: it is tried outside of the window too."""
    turn = after_failure(job(refresh=NIGHTLY), granted_at=TWO + 5 * HOUR, number=3)

    assert Turn(due_at=TWO + 5 * HOUR + 8 * MINUTE, round=4) == turn


def test_rounds_of_a_stale_node_without_a_starting_deadline_never_stop() -> None:
    """Nothing bounds its window."""
    turn = after_failure(job(refresh=Refresh(schedule="0 2 * * *")), granted_at=NOON, has_image=True)

    assert Turn(due_at=NOON + MINUTE, round=1) == turn


def test_a_renewal_by_hand_has_a_window_of_its_own() -> None:
    """Who sets `at` in the afternoon wants it done in the afternoon, with the same bound."""
    at = NOON + HOUR
    one = job(refresh=Refresh(schedule="0 2 * * *", starting_deadline_seconds=3600, at=at))

    soon = after_failure(one, granted_at=at, has_image=True)
    late = after_failure(one, granted_at=at + HOUR, has_image=True, number=5)

    assert Turn(due_at=at + MINUTE, round=1, lapses_at=at + HOUR) == soon
    assert Turn(due_at=TWO, is_renewal=True) == late


def test_a_renewal_by_hand_that_is_to_come_opens_no_window_yet() -> None:
    """The night's window closes in time, and `at` is the next chance."""
    at = TWO + 10 * HOUR
    one = job(refresh=Refresh(schedule="0 2 * * *", starting_deadline_seconds=4 * 3600, at=at))

    assert Turn(due_at=at, is_renewal=True) == after_failure(one, granted_at=TWO + 4 * HOUR, has_image=True)


def test_a_spread_wider_than_the_schedule_does_not_widen_the_window() -> None:
    """The window is that of the fire whose turn it was, not of one that the node's clock has yet to reach."""
    node = next(name for name in map(str, range(99)) if place_in_spread(name, spread_seconds=3600) > 20 * MINUTE)
    place = place_in_spread(node, spread_seconds=3600)
    one = job(refresh=Refresh(schedule="*/10 * * * *", spread_seconds=3600, starting_deadline_seconds=3600))

    turn = after_failure(one, granted_at=TWO + place, ended_at=TWO + HOUR, has_image=True, node=node)

    assert turn.is_renewal


def test_a_turn_that_waits_for_a_slot_lapses_with_its_window() -> None:
    """A node that was due and was not served until the deadline waits for the next fire, whatever it waited for."""
    one = job(refresh=NIGHTLY)
    late = TWO + 4 * HOUR + timedelta(seconds=1)

    renewed = after_success(one, granted_at=NOON, now=late)
    tried = after_failure(one, granted_at=TWO, ended_at=TWO, has_image=True, now=late)

    assert Turn(due_at=TWO + DAY, is_renewal=True) == renewed == tried


def test_a_node_late_in_the_spread_has_the_window_of_its_fire() -> None:
    """The deadline counts from the fire, not from the node's place after it."""
    refresh = Refresh(schedule="0 2 * * *", spread_seconds=3600, starting_deadline_seconds=2 * 3600)
    place = place_in_spread(NODE, spread_seconds=3600)
    one = job(refresh=refresh)

    within = after_failure(one, granted_at=TWO + place, ended_at=TWO + HOUR + 59 * MINUTE, has_image=True)
    outside = after_failure(one, granted_at=TWO + place, ended_at=TWO + 2 * HOUR, has_image=True)

    assert Turn(due_at=TWO + 2 * HOUR, round=1, lapses_at=TWO + 2 * HOUR) == within
    assert Turn(due_at=TWO + DAY + place, is_renewal=True) == outside


@pytest.mark.parametrize(
    ("evening", "fires"),
    [
        # 29 March: the clocks go from 2:00 to 3:00, so 2:30 comes right after the change.
        (datetime(2026, 3, 27, 20, tzinfo=UTC), ["28T01:30", "29T01:00", "30T00:30"]),
        # 25 October: 2:30 comes twice and counts once.
        (datetime(2026, 10, 23, 20, tzinfo=UTC), ["24T00:30", "25T00:30", "26T01:30"]),
    ],
)
def test_a_nightly_refresh_comes_once_a_night_through_changes_of_the_clocks(
    evening: datetime, fires: list[str]
) -> None:
    """Whether each turn succeeds at once, an hour later, or is asked about only in the morning."""
    one = job(refresh=Refresh(schedule="30 2 * * *", time_zone="Europe/Berlin"))

    for pause in (timedelta(0), HOUR, 6 * HOUR):
        found, granted_at = [], evening
        for _ in fires:
            turn = after_success(one, granted_at=granted_at, now=granted_at + pause)
            found.append(f"{turn.due_at:%dT%H:%M}")
            granted_at = turn.due_at

        assert fires == found


def test_a_change_of_the_clocks_does_not_move_the_window() -> None:
    """The deadline is in seconds: four hours after 2:00 are 5:00 and not 6:00 when the clocks go back."""
    refresh = Refresh(schedule="0 2 * * *", time_zone="Europe/Berlin", starting_deadline_seconds=4 * 3600)
    fire = datetime(2026, 10, 25, 0, tzinfo=UTC)
    granted_at = fire - DAY

    due = [
        after_success(job(refresh=refresh), granted_at=granted_at, now=now).due_at
        for now in (fire + 4 * HOUR, fire + 4 * HOUR + MINUTE)
    ]

    assert [fire, datetime(2026, 10, 26, 1, tzinfo=UTC)] == due


moments = st.integers(0, 400 * 86_400).map(lambda seconds: NOON + timedelta(seconds=seconds))
never_jobs = st.none().map(lambda _: job()) | refreshes().map(lambda refresh: job(refresh=refresh))


@given(
    one=never_jobs,
    granted_at=moments,
    pull=st.integers(0, 7200),
    wait=st.integers(0, 90_000),
    part=st.floats(0, 1),
    number=st.integers(0, 20),
    has_image=st.booleans(),
    phase=st.sampled_from([Phase.SUCCEEDED, Phase.FAILED]),
    node=names,
)
@example(
    one=job(refresh=Refresh(schedule="0 2 * * *", starting_deadline_seconds=1)),
    granted_at=NOON,
    pull=0,
    wait=0,
    part=1.0,
    number=0,
    has_image=False,
    phase=Phase.SUCCEEDED,
    node="0",
)
def test_a_turn_that_is_to_come_does_not_move_while_time_goes_on(
    *,
    one: ImagePullJob,
    granted_at: datetime,
    pull: int,
    wait: int,
    part: float,
    number: int,
    has_image: bool,
    phase: Phase,
    node: str,
) -> None:
    """So that a loop may sleep until then."""

    def turn_at(now: datetime) -> Turn:
        return next_turn(
            one,
            phase=phase,
            reason="",
            granted_at=granted_at,
            ended_at=granted_at + timedelta(seconds=pull),
            round=number,
            has_image=has_image,
            now=now,
            node=node,
        )

    now = granted_at + timedelta(seconds=pull + wait)
    turn = turn_at(now)
    later = now + part * (min(turn.due_at, now + 30 * DAY) - now) if turn.due_at > now else now

    found = turn_at(later)
    # Until when it may begin is told from the moment when it is due.
    has_come = now < turn.due_at <= later
    assert (msgspec.structs.replace(turn, lapses_at=found.lapses_at) if has_come else turn) == found


@given(one=never_jobs, granted_at=moments, pull=st.integers(0, 7200), number=st.integers(0, 20), node=names)
def test_a_cold_node_is_never_given_up(
    one: ImagePullJob, granted_at: datetime, pull: int, number: int, node: str
) -> None:
    """However often it has failed and whatever the refresh says, its next turn is within an hour of its last end."""
    ended_at = granted_at + timedelta(seconds=pull)

    turn = after_failure(one, granted_at=granted_at, ended_at=ended_at, number=number, node=node)

    assert granted_at < turn.due_at <= ended_at + HOUR


@given(spread=st.integers(0, 1800), start=moments, node=names, pull=st.integers(1, 1200))
def test_through_a_week_of_failures_a_stale_node_is_asked_for_in_its_windows_alone(
    spread: int, start: datetime, node: str, pull: int
) -> None:
    """Each night some rounds, none of which begins later than startingDeadlineSeconds after the fire."""
    window = timedelta(hours=2)
    one = job(refresh=Refresh(schedule="0 2 * * *", spread_seconds=spread, starting_deadline_seconds=7200))
    turn = after_success(one, granted_at=start, now=start, node=node)

    grants = []
    while turn.due_at < start + 7 * DAY:
        granted_at = turn.due_at
        grants.append((granted_at - timedelta(hours=2), turn.round))
        turn = after_failure(
            one,
            granted_at=granted_at,
            ended_at=granted_at + timedelta(seconds=pull),
            number=turn.round,
            has_image=True,
            node=node,
        )

    assert all(at - at.replace(hour=0, minute=0, second=0, microsecond=0) <= window for at, _ in grants)
    assert {6, 7} >= {sum(number == 0 for _, number in grants)}
    assert len(grants) >= 3 * 6
