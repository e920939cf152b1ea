"""Jobs and accounts as the tests of a job's status make them, by hand and by chance."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from daemon.api.imagepulljob import (
    CompletionPolicy,
    CompletionType,
    ImagePullJob,
    JobPrewarm,
    JobTemplate,
    Refresh,
)
from daemon.api.reasons import Reason
from daemon.coordinator.account import Account, ReasonCount
from daemon.coordinator.jobstatus import next_status
from daemon.coordinator.seen import JobProgress, SeenJob


Status = dict[str, Any]

NOW = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)
ALWAYS = CompletionType.ALWAYS
NEVER = CompletionType.NEVER


def after(seconds: float) -> datetime:
    """Return a time so long after NOW."""
    return NOW + timedelta(seconds=seconds)


def seen_job(
    status: Status | None = None,
    *,
    completion: CompletionType = ALWAYS,
    generation: int = 1,
    suspend: bool = False,
    refresh: Refresh | None = None,
    problems: tuple[str, ...] = (),
) -> SeenJob:
    """Make a job with a status."""
    template = JobTemplate(
        completion_policy=CompletionPolicy(type=completion), prewarm=JobPrewarm(suspend=suspend, refresh=refresh)
    )
    job = ImagePullJob(
        api_version="apps.kruise.io/v1beta1", name="base", namespace="team", image="nginx", template=template
    )
    return SeenJob(
        namespace="team",
        name="base",
        uid="uid-1",
        generation=generation,
        version=7,
        created_at=NOW,
        job=None if problems else job,
        problems=problems,
        status=JobProgress(raw=status or {}),
    )


def status_of(job: SeenJob, account: Account, *, seconds: float = 0, deadline_passed: bool = False) -> Status:
    """Return a job's next status."""
    return next_status(job, account, now=after(seconds), deadline_passed=deadline_passed)


def condition_of(status: Status, kind: str) -> Status:
    """Return a condition, whose type has to be there once."""
    (found,) = [each for each in status["conditions"] if each["type"] == kind]
    return dict(found)


def reason(name: str, count: int, *nodes: str, message: str = "") -> ReasonCount:
    """Make a group of nodes."""
    return ReasonCount(reason=name, count=count, nodes=nodes, message=message)


@st.composite
def reason_counts(draw: st.DrawFn, total: int) -> tuple[ReasonCount, ...]:
    """Share so many nodes out among reasons, the commonest first."""
    counts: dict[str, int] = {}
    for _ in range(total):
        name = draw(st.sampled_from(["ImageNotFound", "RegistryUnavailable", "PlatformMismatch", "no word!", ""]))
        counts[name] = counts.get(name, 0) + 1
    groups = [reason(name, count, *[f"n{index}" for index in range(min(count, 10))]) for name, count in counts.items()]
    return tuple(sorted(groups, key=lambda group: (-group.count, group.reason)))


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Make any account whose counts add up."""
    small = st.integers(0, 4)
    waiting, granted, pulling, succeeded, failed, skipped = (draw(small) for _ in range(6))
    desired = waiting + granted + pulling + succeeded + failed
    warm = draw(st.integers(0, desired))
    stale = draw(st.integers(0, desired - warm))
    return Account(
        selected=desired + skipped,
        warm=warm,
        stale=stale,
        cold=desired - warm - stale,
        skipped=skipped,
        waiting=waiting,
        granted=granted,
        pulling=pulling,
        succeeded=succeeded,
        failed=failed,
        failed_nodes=tuple(f"n{index}" for index in range(failed)),
        open_nodes=tuple(f"o{index}" for index in range(waiting + granted + pulling)),
        failures=draw(reason_counts(failed)),
        skips=(reason(Reason.NO_AGENT.value, skipped, "s0"),) if skipped else (),
        digests=draw(st.sampled_from([(), (("sha256:" + "a" * 64, 1),)])),
        bytes_done=draw(small),
        bytes_total=draw(small),
        pull_seconds=draw(st.sampled_from([None, 0.0, 2.5, 1e12])),
        limit=draw(small),
        refused=tuple(f"o{index}" for index in range(draw(st.integers(0, waiting)))),
        renewing=draw(small),
        last_refresh=draw(st.sampled_from([None, after(-60)])),
        next_refresh=draw(st.sampled_from([None, after(600), datetime.max.replace(tzinfo=UTC)])),
    )


@st.composite
def seen_jobs(draw: st.DrawFn) -> SeenJob:
    """Make any job that has no status yet."""
    return seen_job(
        completion=draw(st.sampled_from(list(CompletionType))),
        suspend=draw(st.booleans()),
        problems=draw(st.sampled_from([(), ("spec.image: is none",)])),
        generation=draw(st.integers(1, 3)),
    )


def with_status(job: SeenJob, status: Status, *, generation: int | None = None) -> SeenJob:
    """Return a job with another status, and maybe a newer spec."""
    made = {field: getattr(job, field) for field in job.__struct_fields__}
    made |= {"status": JobProgress(raw=status), "version": job.version + 1}
    return SeenJob(**{**made, "generation": generation or job.generation})
