"""One machine's wishes through time: which entries, which versions, when each image is due again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.imagepulljob import ImagePullJob
from daemon.api.nodeimage import ImagePullPolicy, Phase
from daemon.api.reasons import Reason
from daemon.entries import place_in_spread
from daemon.node.task import NodeState, Task
from daemon.node.wanted import Key, wanted_of
from daemon.standalone.wishes import Wishes, next_due, node_image, noted, renewed, wishes_of
from tests.unit.standalone.jobs import jobs


START = datetime(2026, 1, 31, 12, tzinfo=UTC)
NGINX = Key("nginx", "latest")
ALWAYS = "completionPolicy: {}"
NEVER = "completionPolicy: {type: Never}"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Each node has its own place in the twenty minutes around 24 hours.
RENEWAL = DAY - timedelta(minutes=10) + place_in_spread("node-a", spread_seconds=1200)


def _wishes(*specs: str, now: datetime = START) -> Wishes:
    return wishes_of(jobs(*specs), node="node-a", now=now)


def _ended(wishes: Wishes, *, at: datetime, phase: Phase = Phase.SUCCEEDED, reason: Reason | None = None) -> Wishes:
    """Let every wanted image have come to its end."""
    tasks = {
        one.key: Task(wanted=one, seen_seconds=0, phase=phase, reason=reason, completed_at=at)
        for one in wanted_of(node_image(wishes, now=at)).images
    }
    return noted(wishes, NodeState(tasks=tasks, is_wanted_known=True))


def _failed(wishes: Wishes, *, at: datetime, reason: Reason = Reason.REGISTRY_UNAVAILABLE) -> Wishes:
    return _ended(wishes, at=at, phase=Phase.FAILED, reason=reason)


def _versions(wishes: Wishes) -> dict[Key, int]:
    return {key: standing.version for key, standing in wishes.standings.items()}


def test_jobs_on_one_image_are_one_entry() -> None:
    """However it is written; the entry has the largest bounds and asks the registry if any job says so."""
    wishes = _wishes(
        f"image: nginx, {ALWAYS}, pullPolicy: {{timeoutSeconds: 10, backoffLimit: 5}}",
        f"image: 'docker.io/library/nginx:latest', {NEVER}, imagePullPolicy: Always, prewarm: {{priority: 7}}",
    )

    (entry,) = node_image(wishes, now=START).images["nginx"].tags
    assert ["job-0", "job-1"] == [owner.name for owner in entry.owner_references]
    assert (600, 5, 7) == (
        entry.pull_policy.timeout_seconds,
        entry.pull_policy.backoff_limit,
        entry.prewarm.priority,
    )
    assert ImagePullPolicy.ALWAYS is entry.image_pull_policy


def test_tags_of_one_repository_share_their_secrets_once() -> None:
    """As in a NodeImage, in the order in which the jobs name them."""
    wishes = _wishes(
        f"image: 'nginx:1', {ALWAYS}, pullSecrets: [a, b]", f"image: 'nginx:2', {ALWAYS}, pullSecrets: [b, c]"
    )

    spec = node_image(wishes, now=START).images["nginx"]

    assert ["1", "2"] == [entry.tag for entry in spec.tags]
    assert ["a", "b", "c"] == [secret.name for secret in spec.pull_secrets]
    assert {"default"} == {secret.namespace for secret in spec.pull_secrets}


def test_every_image_begins_with_version_one_and_nothing_due() -> None:
    """Until the first end there is nothing to wait for."""
    wishes = _wishes(f"image: nginx, {NEVER}", f"image: redis, {ALWAYS}")

    assert {1} == set(_versions(wishes).values())
    assert next_due(wishes, now=START) is None
    assert renewed(wishes, now=START + 30 * DAY) is wishes


def test_a_never_job_is_renewed_24_hours_after_its_last_grant() -> None:
    """Not a second before its place in the twenty minutes around 24 hours; the version grows by one, once."""
    wishes = _ended(_wishes(f"image: nginx, {NEVER}"), at=START + HOUR)

    again = renewed(wishes, now=START + RENEWAL)

    assert START + RENEWAL == next_due(wishes, now=START + HOUR)
    assert renewed(wishes, now=START + RENEWAL - timedelta(seconds=1)) is wishes
    assert ({NGINX: 2}, 2) == (_versions(again), again.generation)
    assert renewed(again, now=START + 2 * DAY) is again


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_an_always_job_is_never_asked_for_again(phase: Phase) -> None:
    """Neither renewed nor given another round."""
    wishes = _ended(_wishes(f"image: nginx, {ALWAYS}"), at=START, phase=phase, reason=None)

    assert next_due(wishes, now=START) is None
    assert renewed(wishes, now=START + 365 * DAY) is wishes


def test_an_image_of_both_kinds_is_renewed_for_the_never_job() -> None:
    """The shortest of what its Never jobs ask for."""
    wishes = _wishes(
        f"image: nginx, {ALWAYS}",
        f"image: nginx, {NEVER}",
        f"image: nginx, {NEVER}, prewarm: {{refresh: {{schedule: '0 * * * *'}}}}",
    )

    assert START + HOUR == next_due(_ended(wishes, at=START + timedelta(minutes=1)), now=START + timedelta(minutes=2))


def test_a_schedule_decides_in_its_time_zone() -> None:
    """02:00 in Berlin is 01:00 UTC in winter."""
    refresh = "prewarm: {refresh: {schedule: '0 2 * * *', timeZone: Europe/Berlin}}"
    wishes = _ended(_wishes(f"image: nginx, {NEVER}, {refresh}"), at=START)

    assert datetime(2026, 2, 1, 1, tzinfo=UTC) == next_due(wishes, now=START)


def test_at_renews_what_was_granted_before_it() -> None:
    """Once: what is granted after it is fresh."""
    at = START + HOUR
    spec = f"image: nginx, {NEVER}, prewarm: {{refresh: {{at: '2026-01-31T13:00:00Z'}}}}"
    wishes = _ended(_wishes(spec), at=START)

    again = _ended(renewed(wishes, now=at), at=at + HOUR)

    assert at == next_due(wishes, now=START)
    assert {NGINX: 2} == _versions(again)
    assert at + RENEWAL == next_due(again, now=at + HOUR)


def test_a_pull_that_began_before_at_does_not_count_as_fresh() -> None:
    """The tag may have moved while it was pulled."""
    spec = f"image: nginx, {NEVER}, prewarm: {{refresh: {{at: '2026-01-31T13:00:00Z'}}}}"

    wishes = _ended(_wishes(spec), at=START + 2 * HOUR)

    assert {NGINX: 2} == _versions(renewed(wishes, now=START + 2 * HOUR))


def test_failed_rounds_are_followed_after_growing_waits() -> None:
    """One minute, doubling to an hour; a success starts the count anew."""
    wishes, now, waits = _wishes(f"image: nginx, {NEVER}"), START, []
    for _ in range(9):
        wishes = _failed(wishes, at=now)
        due = next_due(wishes, now=now)
        assert due is not None
        waits.append(due - now)
        now = due
        wishes = renewed(wishes, now=now)
    healed = _failed(renewed(_ended(wishes, at=now), now=now + 2 * DAY), at=now + 2 * DAY)

    assert [1, 2, 4, 8, 16, 32, 60, 60, 60] == [wait / timedelta(minutes=1) for wait in waits]
    assert now + 2 * DAY + timedelta(minutes=1) == next_due(healed, now=now + 2 * DAY)


def test_a_permanent_failure_is_asked_for_hourly() -> None:
    """Asking at once again would get the same answer."""
    wishes = _failed(_wishes(f"image: nginx, {NEVER}"), at=START, reason=Reason.PLATFORM_MISMATCH)

    assert START + HOUR == next_due(wishes, now=START)


def test_an_end_is_noted_once() -> None:
    """The same failure, seen in many states, is one failed round."""
    wishes = _wishes(f"image: nginx, {NEVER}")
    for _ in range(5):
        wishes = _failed(wishes, at=START)

    assert 1 == wishes.standings[NGINX].failures


def test_the_end_of_an_older_version_is_not_this_one_s() -> None:
    """A late answer renews nothing and fails nothing."""
    before = _wishes(f"image: nginx, {NEVER}")
    (old,) = wanted_of(node_image(before, now=START)).images
    renewed_one = renewed(_ended(before, at=START), now=START + RENEWAL)
    late = Task(wanted=old, seen_seconds=0, phase=Phase.FAILED, completed_at=START + RENEWAL)

    assert renewed_one == noted(renewed_one, NodeState(tasks={NGINX: late}, is_wanted_known=True))


_refreshes = st.sampled_from(
    [
        "",
        ", prewarm: {refresh: {schedule: '*/7 * * * *', spreadSeconds: 300}}",
        ", prewarm: {refresh: {schedule: '0 2 * * *', timeZone: Europe/Berlin, startingDeadlineSeconds: 600}}",
        ", prewarm: {refresh: {at: '2026-02-02T00:00:00Z'}}",
    ]
)
_specs = st.builds(
    lambda name, policy, refresh: f"image: {name}, {policy}{refresh if policy == NEVER else ''}",
    st.sampled_from(["nginx", "redis", "'nginx:1'"]),
    st.sampled_from([ALWAYS, NEVER]),
    _refreshes,
)
_steps = st.tuples(
    st.timedeltas(min_value=timedelta(0), max_value=2 * DAY),
    st.sampled_from([None, Phase.SUCCEEDED, Phase.FAILED]),
    st.sampled_from([None, Reason.UNAUTHORIZED, Reason.INVALID_REFERENCE]),
)


@given(specs=st.lists(_specs, min_size=1, max_size=4), steps=st.lists(_steps, max_size=20))
def test_versions_only_grow_and_nothing_stays_due(
    specs: list[str], steps: Sequence[tuple[timedelta, Phase | None, Reason | None]]
) -> None:
    """Through any ends at any times: a renewal is done with, and the next one lies ahead."""
    wishes, now = _wishes(*specs), START
    for wait, phase, reason in steps:
        now += wait
        if phase is not None:
            wishes = _ended(wishes, at=now, phase=phase, reason=reason)
        before, wishes = wishes, renewed(wishes, now=now)

        due = next_due(wishes, now=now)
        assert due is None or due > now
        assert all(version >= _versions(before)[key] for key, version in _versions(wishes).items())
        assert (wishes is before) == (wishes.generation == before.generation)


def test_jobs_without_a_name_for_the_node_still_make_an_object() -> None:
    """A machine need not have a node's name."""
    job: ImagePullJob = jobs(f"image: nginx, {ALWAYS}")[0]

    made = node_image(wishes_of([msgspec.structs.replace(job, uid="")], node="", now=START), now=START)

    assert ("standalone", "standalone") == (made.name, made.uid)
