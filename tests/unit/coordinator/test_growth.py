"""What a coordinator keeps for a job stays as large as the job, however many days it goes on."""

from datetime import UTC, datetime, timedelta

from daemon.coordinator.dues import Dues
from daemon.coordinator.standing import Group, Stand, Standing
from daemon.coordinator.tally import Order, Tally
from daemon.coordinator.wakes import Wake, Wakes, Why


NIGHT = datetime(2026, 1, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
NODES = tuple(f"node-{number}" for number in range(100))
ORDER: Order = (False, False, False, 0.0, 0)
WAITING = Standing(stand=Stand.WAITING, group=Group.STALE)
GRANTED = Standing(stand=Stand.GRANTED, group=Group.STALE)
JOB = Wake(Why.JOB, "job-1")


def _warm(due_at: datetime) -> Standing:
    return Standing(stand=Stand.SUCCEEDED, group=Group.WARM, due_at=due_at)


def _after_nights(nights: int) -> Tally:
    """Renew every node each night, along with others' writes: nobody asks for the first candidate or the first due."""
    tally = Tally()
    before: dict[str, Standing] = {}
    for night in range(nights):
        for standing in (WAITING, GRANTED, _warm(NIGHT + (night + 1) * DAY)):
            for node in NODES:
                tally.change(node, before.get(node), standing, order=ORDER)
                before[node] = standing
    return tally


def test_a_years_renewals_leave_no_more_behind_than_a_weeks() -> None:
    """Of a job whose slots suffice for all, nothing ever comes up that would drop what is outdated."""
    year = _after_nights(365)

    kept = len(year._heap) + len(year._turns._heap) + len(year._renewals._heap)

    assert 3 * (2 * len(NODES) + 64) >= kept
    assert NIGHT + 365 * DAY == year.next_renewal()
    assert year.has_renewal_until(NIGHT + 365 * DAY)


def test_a_time_that_changes_often_is_kept_once() -> None:
    """A node that is left out and comes back each minute has one next turn."""
    dues = Dues()

    for minute in range(10_000):
        dues.put("node-1", NIGHT + timedelta(minutes=minute))
        dues.put("node-1", None)
    dues.put("node-1", NIGHT + DAY)

    assert 100 >= len(dues._heap)
    assert NIGHT + DAY == dues.first()
    assert ["node-1"] == dues.take(NIGHT + DAY)
    assert None is dues.first()


def test_the_same_wake_at_the_same_time_stands_once() -> None:
    """A job that was to be looked at sooner, and then again when it was to be anyway, is looked at once then."""
    wakes = Wakes()

    wakes.add(NIGHT + DAY, JOB)
    wakes.add(NIGHT, JOB)
    soon = list(wakes.take(NIGHT))
    wakes.add(NIGHT + DAY, JOB)

    assert [JOB] == soon
    assert [JOB] == list(wakes.take(NIGHT + DAY))
    assert None is wakes.next()


def test_a_wake_that_was_taken_can_be_added_again_for_the_same_time() -> None:
    """Also while it is being taken."""
    wakes = Wakes()
    wakes.add(NIGHT, JOB)

    taken = wakes.take(NIGHT)
    first = next(taken)
    wakes.add(NIGHT, JOB)

    assert JOB == first
    assert [JOB] == list(taken)
