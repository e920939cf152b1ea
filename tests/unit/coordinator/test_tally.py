"""Whatever becomes of a job's nodes, and in whatever order: its counts are those of the nodes as they stand."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.api.nodeimage import Bytes
from daemon.api.reasons import Reason
from daemon.coordinator.plan import free_slots, limit_of, may_join, order_of
from daemon.coordinator.seen import ImageKey
from daemon.coordinator.silence import Skip
from daemon.coordinator.standing import Group, Stand, Standing, Task
from daemon.coordinator.tally import Order, Tally
from tests.unit.coordinator.claims import job


START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"node-{number}" for number in range(6)]
GRANTED = Standing(stand=Stand.GRANTED, group=Group.COLD)
SKIP = Skip(Reason.NODE_NOT_READY, "the node is not Ready")

times = st.none() | st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours))
resting = st.builds(
    Standing,
    stand=st.sampled_from([Stand.WAITING, Stand.SUCCEEDED, Stand.FAILED]),
    group=st.sampled_from([Group.WARM, Group.STALE, Group.COLD]),
    round=st.integers(0, 2),
    due_at=times,
    reason=st.sampled_from(["ImageNotFound", "DiskLow"]),
    digest=st.sampled_from(["", "sha256:a", "sha256:b"]),
    seconds=st.none() | st.integers(1, 9).map(float),
    is_changed=st.booleans(),
)
granted = st.builds(
    Standing,
    stand=st.sampled_from([Stand.GRANTED, Stand.PULLING]),
    group=st.sampled_from([Group.STALE, Group.COLD]),
    is_suspended=st.booleans(),
    bytes=st.none() | st.builds(Bytes, done=st.integers(0, 9), total=st.integers(9, 99)),
)
skipped = st.builds(Standing, stand=st.sampled_from(Stand), group=st.just(Group.SKIPPED), skip=st.just(SKIP))
steps = st.tuples(st.sampled_from(NAMES), st.none() | resting | granted | skipped)
Standings = dict[str, Standing]


def _order(name: str, standing: Standing | None) -> Order | None:
    return order_of(standing, uid="job", name=name, node=None, image=None) if standing is not None else None


def _after(changes: list[tuple[str, Standing | None]]) -> tuple[Tally, Standings]:
    """Tell a tally each change, and return it with what stands in the end."""
    tally = Tally()
    standing: Standings = {}
    for name, after in changes:
        tally.change(name, standing.get(name), after, order=_order(name, after))
        if after is None:
            standing.pop(name, None)
        else:
            standing[name] = after
    return tally, standing


def _candidates(standing: Standings) -> list[str]:
    """Name the candidates in the order in which they are served."""
    ranked = [(_order(name, one), name) for name, one in standing.items() if one.is_candidate]
    return [name for _, name in sorted(ranked, key=lambda pair: (pair[0] or (), pair[1]))]


@given(st.lists(steps, max_size=40))
def test_the_counts_are_those_of_the_nodes_as_they_stand(changes: list[tuple[str, Standing | None]]) -> None:
    """The four groups are all that are selected, the five stands all that are not skipped, each node once."""
    tally, standing = _after(changes)
    account = tally.account(limit=1)
    here = [one for one in standing.values() if one.skip is None]

    assert len(standing) == account.selected == account.warm + account.stale + account.cold + account.skipped
    assert len(here) == account.desired == account.open + account.succeeded + account.failed
    assert Counter(one.group for one in standing.values()) == Counter({group: tally.group(group) for group in Group})
    assert sum(one.holds_slot for one in standing.values()) == tally.holding
    assert tuple(sorted(name for name, one in standing.items() if one in here and one.stand is Stand.FAILED)) == (
        account.failed_nodes
    )
    assert account.failed == sum(group.count for group in account.failures)
    assert account.skipped == sum(group.count for group in account.skips)
    assert Counter(one.digest for one in standing.values() if one.digest) == Counter(dict(account.digests))
    assert sum(one.bytes.done for one in here if one.bytes) == account.bytes_done
    assert sum(one.is_changed for one in here) == account.changed


@given(st.lists(steps, max_size=40))
def test_candidates_are_served_in_order_and_each_once(changes: list[tuple[str, Standing | None]]) -> None:
    """The first is the one whose turn it is, whatever stood there before; one that is granted is none any more."""
    tally, standing = _after(changes)
    expected = _candidates(standing)

    served = []
    while (name := tally.first()) is not None:
        served.append(name)
        tally.change(name, standing[name], GRANTED, order=None)

    assert expected == served
    assert 0 == tally.candidates


@given(st.lists(steps, max_size=40))
def test_who_cannot_be_served_now_keeps_its_place(changes: list[tuple[str, Standing | None]]) -> None:
    """A node that is busy with another write is set aside, and offered again when that is over."""
    tally, standing = _after(changes)
    expected = _candidates(standing)

    aside = []
    while (name := tally.first()) is not None:
        tally.set_aside(name)
        aside.append(name)
    for name in reversed(aside):
        tally.offer(name)

    assert expected == aside
    assert (expected[0] if expected else None) == tally.first()


@given(st.lists(steps, max_size=40), st.integers(0, 5))
def test_each_turn_comes_once(changes: list[tuple[str, Standing | None]], hours: int) -> None:
    """Of nodes that are not skipped; the earliest is at hand."""
    tally, standing = _after(changes)
    now = START + timedelta(hours=hours)
    dues = {name: one.due_at for name, one in standing.items() if one.due_at is not None and one.skip is None}

    first = tally.next_turn()
    taken = tally.take_due(now)

    assert min(dues.values(), default=None) == first
    assert sorted(name for name, due_at in dues.items() if due_at <= now) == sorted(taken)
    assert [] == tally.take_due(now)
    assert min((due_at for due_at in dues.values() if due_at > now), default=None) == tally.next_turn()


@given(st.lists(steps, max_size=40), st.integers(0, 8))
def test_slots_are_never_more_than_parallelism(changes: list[tuple[str, Standing | None]], parallelism: int) -> None:
    """Granting as long as there is a free slot ends at the ceiling, or above it grants nothing (kruise#1271)."""
    tally, standing = _after(changes)
    claimant = job()
    template = replace(claimant.template, parallelism=parallelism)
    task = Task(job=replace(claimant, template=template), key=ImageKey("nginx", "1"))
    before, waiting = tally.holding, tally.candidates

    while free_slots(task, tally) and (name := tally.first()) is not None:
        tally.change(name, standing[name], GRANTED, order=None)

    assert max(before, min(parallelism, before + waiting)) == tally.holding


@given(st.lists(steps, max_size=40), st.integers(0, 8))
def test_where_slots_are_short_only_the_first_may_join(changes: list[tuple[str, Standing | None]], free: int) -> None:
    """A job with few slots keeps its order, also in writes that other jobs began; with enough for all, each may."""
    tally, standing = _after(changes)
    row = _candidates(standing)

    joining = [name for name in row if may_join(tally, name=name, free=free)]

    assert (row if free >= len(row) else row[: min(1, free)]) == joining


def test_a_percentage_is_of_the_nodes_that_count() -> None:
    """Of 4 nodes with one skipped a third is one; of none it is still one, and 0 % is a pause."""
    claimant = job()
    tasks = {
        share: Task(
            job=replace(claimant, template=replace(claimant.template, parallelism=share)), key=ImageKey("nginx", "1")
        )
        for share in ("33%", "100%", "0%")
    }

    assert (1, 3, 0) == tuple(limit_of(task, desired=3) for task in tasks.values())
    assert (1, 1, 0) == tuple(limit_of(task, desired=0) for task in tasks.values())


def test_a_suspended_job_has_no_free_slot() -> None:
    """However many nodes wait."""
    task = Task(job=job(suspend=True), key=ImageKey("nginx", "1"))

    assert 0 == free_slots(task, Tally())
