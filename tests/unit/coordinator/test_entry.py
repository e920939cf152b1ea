"""What a tag entry becomes by the jobs that claim it."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from daemon.api.imagepulljob import CompletionPolicy, CompletionType, ImagePullJob, PullPolicy
from daemon.api.nodeimage import EndedOwner, ImagePullPolicy, Phase, SandboxConfig, TagEntry, TagStatus
from daemon.coordinator.entry import Claim, is_expired, needs_resource_version, next_entry, owner_phase, sandbox_of
from tests.unit.coordinator.claims import FOREIGN, IMAGE, granted, job, kept


NOW = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
A, B = job("a"), job("b")


def entry_of(
    current: TagEntry | None = None,
    *claims: Claim,
    status: TagStatus | None = None,
    generation: int = 0,
    now: datetime = NOW,
    node: str = "node-a",
) -> TagEntry:
    """Return the next entry, of which there must be one."""
    found = next_entry(current, status=status, claims=claims, generation=generation, now=now, node=node)
    assert found is not None
    return found


def said(phase: Phase, *, version: int, ended_at: datetime | None = None) -> TagStatus:
    """Return what a node says of a version."""
    return TagStatus(tag="v1", phase=phase, version=version, completion_time=ended_at)


def uids(entry: TagEntry) -> list[str]:
    """Return an entry's owners by uid, in order."""
    return [owner.uid for owner in entry.owner_references]


def test_the_first_entry_of_an_image_asks_the_node_to_act() -> None:
    """Its version is above everything that the NodeImage has had, and its time is in whole seconds."""
    entry = entry_of(None, granted(A, round=2), status=said(Phase.SUCCEEDED, version=9), generation=4)

    assert (10, NOW.replace(microsecond=0), 2, ["a"]) == (
        entry.version,
        entry.created_at,
        entry.prewarm.round,
        uids(entry),
    )


@pytest.mark.parametrize(("generation", "current", "status"), [(7, 3, 2), (3, 7, 2), (3, 2, 7)])
def test_a_version_is_above_generation_entry_and_status(generation: int, current: int, status: int) -> None:
    """So it never repeats in the object's life, whoever else has written into it (kruise: only the status counts)."""
    before = replace(entry_of(None, granted(A)), version=current)

    entry = entry_of(before, granted(A), status=said(Phase.SUCCEEDED, version=status), generation=generation)

    assert 8 == entry.version


def test_a_digest_stands_in_the_entry_as_it_is() -> None:
    """The tag is the digest, and the repository has none of it (kruise#2534, 8.2 number 1: joined by a colon)."""
    digest = f"sha256:{'a' * 64}"
    pinned = job(image=f"{IMAGE}@{digest}")

    assert digest == entry_of(None, granted(pinned)).tag


def test_a_never_job_leaves_time_for_all_its_attempts() -> None:
    """Not only for the first (kruise#2071)."""
    entry = entry_of(None, granted(job(pull=PullPolicy(timeout_seconds=1200, backoff_limit=3))))

    assert 4 * 1200 + 3 * 30 == entry.pull_policy.active_deadline_seconds


def test_a_second_job_s_policy_counts_too() -> None:
    """The most patient of all owners, whoever came first (kruise#2221: the first job's policy stays)."""
    hasty = job("a", pull=PullPolicy(timeout_seconds=10, backoff_limit=0))
    patient = job("b", asks_always=True, priority=5, pull=PullPolicy(timeout_seconds=900, backoff_limit=6))

    entry = entry_of(entry_of(None, granted(hasty)), kept(hasty), granted(patient))

    assert (900, 6, 5, ImagePullPolicy.ALWAYS) == (
        entry.pull_policy.timeout_seconds,
        entry.pull_policy.backoff_limit,
        entry.prewarm.priority,
        entry.image_pull_policy,
    )


def test_an_edit_of_a_live_job_reaches_the_node_without_a_new_version() -> None:
    """Timeouts, retries and priority are taken over by the pull that runs (kruise#2221: an edit has no effect)."""
    before = entry_of(None, granted(A))
    edited = job("a", priority=9, pull=PullPolicy(timeout_seconds=30, backoff_limit=1))

    after = entry_of(before, kept(edited), generation=5, now=LATER)

    assert (30, 1, 9) == (
        after.pull_policy.timeout_seconds,
        after.pull_policy.backoff_limit,
        after.prewarm.priority,
    )
    assert (before.version, before.created_at) == (after.version, after.created_at)


def test_unchanged_wishes_give_an_equal_entry() -> None:
    """Hours and generations later: there is nothing to write."""
    before = entry_of(None, granted(A, round=1), granted(B))

    assert before == entry_of(
        before, kept(B), kept(A), status=said(Phase.PULLING, version=before.version), generation=99, now=LATER
    )


def test_the_entries_of_a_job_do_not_end_at_once_everywhere() -> None:
    """Their TTLs are scattered by node, always the same for one node, as OpenKruise's are at random."""
    ttls = [
        entry_of(None, granted(A), node=f"node-{index}").pull_policy.ttl_seconds_after_finished for index in range(200)
    ]

    known = [ttl for ttl in ttls if ttl is not None]
    assert (200, 86_400 - 600) <= (len(known), min(known))
    assert 86_400 + 600 > max(known)
    assert 150 < len(set(known))


@pytest.mark.parametrize("phase", [None, Phase.WAITING, Phase.PULLING, Phase.SUCCEEDED])
def test_a_second_job_that_is_content_with_what_is_there_interrupts_nothing(phase: Phase | None) -> None:
    """It shares version, time and outcome (kruise 8.2 number 8: the node pulls again, for the first job too)."""
    before = entry_of(None, granted(A))
    status = None if phase is None else said(phase, version=before.version)

    after = entry_of(before, kept(A), granted(B), status=status, generation=1, now=LATER)

    assert ["a", "b"] == uids(after)
    assert (before.version, before.created_at, before.prewarm.round) == (
        after.version,
        after.created_at,
        after.prewarm.round,
    )
    assert phase == owner_phase(after, uid="b", status=status)


def test_a_second_job_does_not_share_a_failure() -> None:
    """It gets a turn of its own; the first stays failed until its next round (kruise 8.2 number 8)."""
    before = entry_of(None, granted(A))
    status = said(Phase.FAILED, version=before.version)

    after = entry_of(before, kept(A), granted(B), status=status, generation=1, now=LATER)

    assert (before.version + 1, LATER.replace(microsecond=0)) == (after.version, after.created_at)
    assert (EndedOwner(uid="a", phase=Phase.FAILED),) == after.prewarm.ended


def test_a_second_job_that_always_asks_the_registry_gets_a_version_of_its_own() -> None:
    """And takes nothing from the first, which has its image (kruise 8.2 number 8: it goes back to pulling)."""
    before = entry_of(None, granted(A))
    status = said(Phase.SUCCEEDED, version=before.version)

    after = entry_of(before, kept(A), granted(job("b", asks_always=True)), status=status, generation=1)

    assert before.version < after.version
    assert [Phase.SUCCEEDED, None] == [owner_phase(after, uid=uid, status=status) for uid in ("a", "b")]


def test_who_has_not_ended_takes_part_in_a_newer_version() -> None:
    """One pull answers both: nobody is left waiting for a version that is no more."""
    before = entry_of(None, granted(A))

    after = entry_of(before, kept(A), granted(job("b", asks_always=True)), generation=1)

    done = said(Phase.SUCCEEDED, version=after.version)
    assert [None, None] == [owner_phase(after, uid=uid, status=None) for uid in ("a", "b")]
    assert [Phase.SUCCEEDED] * 2 == [owner_phase(after, uid=uid, status=done) for uid in ("a", "b")]


def test_jobs_that_join_together_are_one_version() -> None:
    """Twenty on one image at once are one pull and one write."""
    jobs = [job(f"{index:02}", asks_always=index % 2 == 0) for index in range(20)]

    entry = entry_of(None, *map(granted, jobs), generation=3)

    assert (4, [one.uid for one in jobs]) == (entry.version, uids(entry))


def test_a_renewal_changes_version_and_time_in_place() -> None:
    """The entry is never removed and added, as OpenKruise renews by letting it expire: the pull's hold stays."""
    before = entry_of(None, granted(A))
    status = said(Phase.SUCCEEDED, version=before.version)

    after = entry_of(before, granted(A), status=status, generation=1, now=LATER)

    assert replace(before, version=2, created_at=LATER.replace(microsecond=0)) == after
    assert owner_phase(after, uid="a", status=status) is None


def test_a_round_counts_in_the_entry() -> None:
    """The largest of all that are granted with it; a renewal begins at none."""
    before = entry_of(None, granted(A), granted(B))

    again = entry_of(before, granted(A, round=3), granted(B, round=1), generation=1)
    renewed = entry_of(again, granted(A), kept(B), generation=2)

    assert (3, 0) == (again.prewarm.round, renewed.prewarm.round)


def test_a_node_that_ended_for_a_job_stays_ended_while_others_versions_run() -> None:
    """Over several versions, until the job's own next turn."""
    entry = entry_of(None, granted(A), granted(B))
    entry = entry_of(entry, kept(A), granted(B), status=said(Phase.FAILED, version=entry.version), generation=1)
    entry = entry_of(entry, kept(A), granted(B), status=said(Phase.SUCCEEDED, version=entry.version), generation=2)
    running = said(Phase.PULLING, version=entry.version)

    own_turn = entry_of(entry, granted(A), kept(B), status=running, generation=3)

    assert Phase.FAILED is owner_phase(entry, uid="a", status=running)
    assert Phase.PULLING is owner_phase(entry, uid="b", status=running)
    assert () == own_turn.prewarm.ended
    assert owner_phase(own_turn, uid="a", status=running) is None


def test_a_silent_agent_has_not_ended_anything() -> None:
    """What the coordinator said in its name makes no owner a failed one, and gives no joiner a version of its own."""
    entry = entry_of(None, granted(A))
    silent = replace(said(Phase.FAILED, version=entry.version, ended_at=NOW), reason="AgentSilent")

    joined = entry_of(entry, kept(A), granted(B), status=silent, generation=1)
    raised = entry_of(entry, kept(A), granted(job("b", asks_always=True)), status=silent, generation=1)

    assert owner_phase(entry, uid="a", status=silent) is None
    assert (entry.version, ()) == (joined.version, raised.prewarm.ended)


def test_who_leaves_is_forgotten() -> None:
    """Neither owner nor ended; the others' version runs on."""
    entry = entry_of(None, granted(A), granted(B))
    entry = entry_of(entry, kept(A), granted(B), status=said(Phase.SUCCEEDED, version=1), generation=1)

    left = entry_of(entry, kept(B), generation=2, now=LATER)

    assert (["b"], (), entry.version) == (uids(left), left.prewarm.ended, left.version)


def test_who_comes_back_is_not_what_it_was() -> None:
    """An end that was noted for an owner which is none any more does not count for a newcomer."""
    entry = entry_of(None, granted(B))
    noted = replace(entry, prewarm=replace(entry.prewarm, ended=(EndedOwner(uid="a", phase=Phase.FAILED),)))

    joined = entry_of(noted, granted(A), kept(B), generation=1)

    assert owner_phase(joined, uid="a", status=None) is None


def test_an_owner_that_another_writer_took_away_comes_back() -> None:
    """Without a version of its own; and when one runs, it takes part in it rather than in what it was no owner of."""
    theirs = entry_of(None, granted(B))
    status = said(Phase.FAILED, version=theirs.version)

    back = entry_of(theirs, kept(A), kept(B), status=status, generation=1)
    with_renewal = entry_of(theirs, kept(A), granted(B), status=status, generation=1)

    assert (["a", "b"], theirs.version) == (uids(back), back.version)
    assert () == with_renewal.prewarm.ended


def test_an_end_that_is_none_says_nothing() -> None:
    """The schema lets another writer note any phase as an owner's end."""
    entry = entry_of(None, granted(A))
    odd = replace(entry, prewarm=replace(entry.prewarm, ended=(EndedOwner(uid="a", phase=Phase.PULLING),)))

    assert Phase.FAILED is owner_phase(odd, uid="a", status=said(Phase.FAILED, version=odd.version))


def test_an_entry_that_nobody_claims_any_more_goes() -> None:
    """Its jobs are gone, or do not select the node."""
    entry = entry_of(None, granted(A), granted(B))

    assert next_entry(entry, status=None, claims=(), generation=1, now=NOW, node="node-a") is None


def test_what_another_has_put_there_stays() -> None:
    """An entry without owners is not touched, nor one of another kind's; there is none where there was none."""
    plain = TagEntry(tag="v1", version=3)
    theirs = replace(plain, owner_references=(FOREIGN,), prewarm=replace(plain.prewarm, suspended=True))

    found = [
        next_entry(current, status=None, claims=(), generation=9, now=NOW, node="node-a")
        for current in (plain, theirs, None)
    ]

    assert [plain, theirs, None] == found


def test_an_owner_of_another_kind_keeps_its_entry() -> None:
    """When the last job goes, and it is not suspended by what the jobs said."""
    entry = entry_of(None, granted(job("a", suspend=True)))
    shared = replace(entry, owner_references=(*entry.owner_references, FOREIGN))

    suspended = entry_of(shared, kept(job("a", suspend=True)), generation=1)
    left = entry_of(replace(shared, prewarm=replace(shared.prewarm, suspended=True)), generation=1)

    assert (["foreign", "a"], False) == (uids(suspended), suspended.prewarm.suspended)
    assert (["foreign"], False, shared.version) == (uids(left), left.prewarm.suspended, left.version)


def test_a_job_that_is_gone_is_dropped_whatever_version_its_reference_says() -> None:
    """An ImagePullJob of either version of the group; one of the same kind elsewhere is another's."""
    (owner,) = entry_of(None, granted(A)).owner_references
    owners = (
        owner,
        replace(owner, api_version="apps.kruise.io/v1alpha1", uid="old"),
        replace(owner, api_version="example.com/v1", uid="else"),
    )
    current = replace(entry_of(None, granted(A)), owner_references=owners)

    assert ["else", "a"] == uids(entry_of(current, kept(A), generation=1))


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(True, True, True), (True, False, False), (False, False, False)]
)
def test_an_entry_is_suspended_while_all_its_jobs_are(*, first: bool, second: bool, expected: bool) -> None:
    """Same version, same attempt afterwards; another owner goes on."""
    before = entry_of(None, granted(A), granted(B))

    after = entry_of(before, kept(job("a", suspend=first)), kept(job("b", suspend=second)), generation=1)

    assert (expected, before.version) == (after.prewarm.suspended, after.version)


def test_any_order_of_claims_gives_the_same_entry() -> None:
    """Which of several jobs was heard of first says nothing."""
    jobs = [
        job("a", min_free="20%"),
        job("b", min_free="10Gi", asks_always=True),
        job("c", pull=PullPolicy(timeout_seconds=5)),
    ]

    found = [entry_of(None, *map(granted, order)) for order in itertools.permutations(jobs)]

    assert [found[0]] * 6 == found


def test_a_joiner_that_relies_on_the_status_has_it_tested() -> None:
    """What has failed or ended in between is refused and decided anew: to join it, or to end it for who was at it."""
    before = entry_of(None, granted(A))
    pulling, failed = (said(phase, version=before.version) for phase in (Phase.PULLING, Phase.FAILED))
    asking = job("b", asks_always=True)

    found = [
        needs_resource_version(before, status=pulling, claims=(kept(A), granted(B))),
        needs_resource_version(before, status=failed, claims=(kept(A), granted(B))),
        needs_resource_version(before, status=pulling, claims=(kept(A), granted(asking))),
        needs_resource_version(before, status=pulling, claims=(granted(A),)),
        needs_resource_version(before, status=pulling, claims=(kept(A),)),
        needs_resource_version(None, status=None, claims=(granted(B),)),
    ]

    assert [True, False, True, False, False, False] == found


def test_an_old_answer_says_nothing() -> None:
    """Only a status of the entry's version counts."""
    entry = entry_of(None, granted(A), generation=4)

    phases = [owner_phase(entry, uid="a", status=said(Phase.SUCCEEDED, version=version)) for version in (4, 5, 6)]

    assert [None, Phase.SUCCEEDED, None] == phases


def _always(ttl_seconds: int) -> ImagePullJob:
    completion = CompletionPolicy(type=CompletionType.ALWAYS, ttl_seconds_after_finished=ttl_seconds)
    return job("a", is_never=False, completion=completion)


def test_an_entry_expires_after_its_ttl() -> None:
    """Counted from the end that its own version came to."""
    entry = entry_of(None, granted(_always(60)))
    ttl_seconds = entry.pull_policy.ttl_seconds_after_finished
    assert ttl_seconds is not None
    ended = said(Phase.FAILED, version=entry.version, ended_at=NOW)
    times = [NOW + timedelta(seconds=ttl_seconds - 1), NOW + timedelta(seconds=ttl_seconds)]

    assert [False, True] == [is_expired(entry, status=ended, now=now) for now in times]


def test_what_has_not_ended_or_has_no_bound_does_not_expire() -> None:
    """A bound that is not there does not pass; another version's end is none."""
    entry = entry_of(None, granted(_always(0)))
    boundless = replace(entry, pull_policy=replace(entry.pull_policy, ttl_seconds_after_finished=None))
    year = NOW + timedelta(days=365)
    ended = said(Phase.SUCCEEDED, version=entry.version, ended_at=NOW)

    assert not is_expired(boundless, status=ended, now=year)
    for status in (
        None,
        replace(ended, version=entry.version + 1),
        replace(ended, completion_time=None),
        replace(ended, phase=Phase.PULLING),
    ):
        assert not is_expired(entry, status=status, now=year)


def test_the_sandbox_settings_of_all_jobs_of_a_repository_hold() -> None:
    """Of one key that of the last job by uid, in any order (kruise 8.2 number 7: the last writer's replace all)."""
    jobs = [
        job("b", sandbox=SandboxConfig(labels={"both": "b", "own": "b"})),
        job("a", sandbox=SandboxConfig(labels={"both": "a"}, annotations={"of": "a"})),
        job("c"),
    ]

    found = [sandbox_of(order) for order in itertools.permutations(jobs)]

    assert [SandboxConfig(labels={"both": "b", "own": "b"}, annotations={"of": "a"})] * 6 == found
    assert SandboxConfig() == sandbox_of([])
