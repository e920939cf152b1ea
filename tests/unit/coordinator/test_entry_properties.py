"""One image on one node through any sequence of joins, renewals, rounds, withdrawals, edits and answers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from daemon.api.imagepulljob import ImagePullJob, PullPolicy
from daemon.api.nodeimage import ImagePullPolicy, Phase, TagEntry, TagStatus
from daemon.coordinator.entry import Claim, needs_resource_version, next_entry, owner_phase
from tests.unit.api.strategies import jobs, tag_entries, tag_statuses
from tests.unit.coordinator.claims import FOREIGN, granted, job, kept


START = datetime(2026, 1, 1, tzinfo=UTC)
UIDS = ("a", "b", "c", "d")
ENDS = (Phase.SUCCEEDED, Phase.FAILED)
some_uids = st.sets(st.sampled_from(UIDS), min_size=1)
edits = st.fixed_dictionaries(
    {
        "asks_always": st.booleans(),
        "suspend": st.booleans(),
        "priority": st.integers(-1, 1),
        "min_free": st.sampled_from([None, "20%", "10Gi"]),
        "pull": st.builds(PullPolicy, timeout_seconds=st.integers(1, 3), backoff_limit=st.integers(0, 2)),
    }
)


class OneImageOnOneNode(RuleBasedStateMachine):
    """
    A NodeImage's entry as an API server keeps it, the jobs that claim it, and where each owner should stand.

    `ended` is the model: how an owner's last turn ended, until its next one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, ImagePullJob] = {uid: job(uid) for uid in UIDS}
        self.owners: set[str] = set()
        self.entry: TagEntry | None = None
        self.status: TagStatus | None = None
        self.generation = 1
        self.now = START
        self.versions: set[int] = set()
        self.ended: dict[str, Phase] = {}
        self.has_foreign = False

    @initialize(version=st.none() | st.integers(0, 9))
    def begin(self, version: int | None) -> None:
        """Begin with nothing, or with an entry of another kind of owner."""
        if version is not None:
            self.generation += version
            self.entry = TagEntry(tag="v1", version=version, owner_references=(FOREIGN,), created_at=START)
            self.versions, self.has_foreign = {version}, True

    @rule(uids=some_uids, number=st.integers(0, 3))
    def grant(self, uids: set[str], number: int) -> None:
        """Give some jobs a turn, their first or another."""
        self._write([granted(self.jobs[uid], round=number) for uid in uids], leaving=set())

    @precondition(lambda self: self.owners)
    @rule(uids=some_uids, others=st.sets(st.sampled_from(UIDS)))
    def withdraw(self, uids: set[str], others: set[str]) -> None:
        """Take some jobs away, and grant others in the same patch."""
        self._write([granted(self.jobs[uid]) for uid in others - uids], leaving=uids)

    @rule(uid=st.sampled_from(UIDS), changes=edits)
    def edit(self, uid: str, changes: dict[str, object]) -> None:
        """Change a job's settings: no version for that alone."""
        self.jobs[uid] = job(uid, **changes)  # type: ignore[arg-type]  # the names are job's
        before = self.entry
        self._write([], leaving=set())
        if before is not None and self.entry is not None:
            assert (before.version, before.created_at) == (self.entry.version, self.entry.created_at)

    @precondition(lambda self: self.entry is not None)
    @rule(phase=st.sampled_from(Phase))
    def answer(self, phase: Phase) -> None:
        """Let the node say something of the current version, unless that has ended."""
        entry = self._entry()
        if self.status is not None and self.status.version == entry.version and self.status.phase in ENDS:
            return
        self.status = TagStatus(tag="v1", phase=phase, version=entry.version)
        self._note_end()

    @rule(seconds=st.integers(1, 100_000))
    def wait(self, seconds: int) -> None:
        """Let time go by: nothing is written for that."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def nothing_is_written_for_nothing(self) -> None:
        """The same claims in any order, another generation: an equal entry, so no write."""
        claims = [kept(self.jobs[uid]) for uid in sorted(self.owners)]

        for order in (claims, claims[::-1]):
            assert self.entry == self._next(order, generation=self.generation + 5)

    @invariant()
    def owners_are_the_claims_and_the_foreign(self) -> None:
        """No more, no less."""
        found = [owner.uid for owner in self.entry.owner_references] if self.entry else []

        assert [*(["foreign"] if self.has_foreign else []), *sorted(self.owners)] == found

    @invariant()
    def who_has_ended_stays_ended(self) -> None:
        """Whatever others' versions do, until its own next turn; nobody else counts as ended."""
        phases = {uid: owner_phase(self._entry(), uid=uid, status=self.status) for uid in self.owners}

        assert self.ended == {uid: phase for uid, phase in phases.items() if phase in ENDS}

    def _write(self, changed: Sequence[Claim], *, leaving: set[str]) -> None:
        before = self.entry
        new = {claim.job.uid for claim in changed}
        staying = self.owners - leaving - new
        after = self._next([*(kept(self.jobs[uid]) for uid in staying), *changed], generation=self.generation)
        is_raised = after is not None and (before is None or after.version != before.version)
        assert is_raised == self._has_to_act(changed)
        self.ended = {uid: phase for uid, phase in self.ended.items() if uid in staying}
        self.owners = staying | new
        self._store(after, is_raised=is_raised)
        self._note_end()

    def _store(self, after: TagEntry | None, *, is_raised: bool) -> None:
        if is_raised and after is not None:
            assert after.version > max(self.versions, default=-1)
            self.versions.add(after.version)
        if after != self.entry:
            self.generation += 1
        self.entry = after

    def _has_to_act(self, changed: Sequence[Claim]) -> bool:
        if self.entry is None:
            return bool(changed)
        has_failed = self._current_phase() is Phase.FAILED
        return any(
            has_failed or claim.job.uid in self.owners or claim.job.template.image_pull_policy is ImagePullPolicy.ALWAYS
            for claim in changed
        )

    def _current_phase(self) -> Phase | None:
        is_current = self.status is not None and self.status.version == self._entry().version
        return self.status.phase if self.status and is_current else None

    def _note_end(self) -> None:
        phase = self._current_phase() if self.entry else None
        if phase in ENDS:
            self.ended = dict.fromkeys(self.owners, phase) | self.ended

    def _next(self, claims: Sequence[Claim], *, generation: int) -> TagEntry | None:
        return next_entry(
            self.entry, status=self.status, claims=claims, generation=generation, now=self.now, node="node-a"
        )

    def _entry(self) -> TagEntry:
        return self.entry or TagEntry(tag="v1", version=-1)


OneImageOnOneNode.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestOneImageOnOneNode = OneImageOnOneNode.TestCase


claims = st.lists(
    st.builds(Claim, job=jobs, is_granted=st.booleans(), round=st.integers(0, 9)),
    max_size=4,
    unique_by=lambda claim: claim.job.uid,
).map(lambda found: [replace(claim, job=replace(claim.job, image="nginx:v1")) for claim in found])


@given(
    current=st.none() | tag_entries.map(lambda entry: replace(entry, tag="v1")),
    status=st.none() | tag_statuses,
    given_claims=claims,
    generation=st.integers(0, 99),
    data=st.data(),
)
def test_whatever_stands_there_becomes_what_is_claimed(
    current: TagEntry | None,
    status: TagStatus | None,
    given_claims: list[Claim],
    generation: int,
    data: st.DataObject,
) -> None:
    """From any entry, status and claims, in any order, one write leads to an entry that asks for no further one."""
    shuffled = data.draw(st.permutations(given_claims))

    first, other = (
        next_entry(current, status=status, claims=order, generation=generation, now=START, node="node-a")
        for order in (given_claims, shuffled)
    )
    settled = [replace(claim, is_granted=False) for claim in shuffled]
    again = next_entry(
        first, status=status, claims=settled, generation=generation + 1, now=START + timedelta(days=1), node="node-a"
    )

    assert first == other
    assert first == again
    assert not needs_resource_version(first, status=status, claims=settled)
    if first is not None and given_claims:
        assert {claim.job.uid for claim in given_claims} <= {owner.uid for owner in first.owner_references}
        assert first.version >= (current.version if current else 1)
