"""
A job's status from the NodeImages that it selects, and the nodes that it has yet to write.

Pure, with the oddities that OpenKruise's has: a node that only lacks a secret counts twice, at the deadline too.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from msgspec import UNSET

from tests.servers.openkruise.manager_entries import has_secret, owns
from tests.servers.openkruise.manager_job import Job, JobStatus
from tests.servers.openkruise.manager_nodeimage import NodeImage, SecretReference
from tests.servers.openkruise.manager_pace import Pace
from tests.servers.openkruise.manager_references import split


class _Outcome(StrEnum):
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's status should be, and the names of the nodes without its entry."""

    status: JobStatus
    not_synced: tuple[str, ...]


def tally(job: Job, *, node_images: Sequence[NodeImage], secrets: Sequence[SecretReference] = (), pace: Pace) -> Tally:
    """Count a job's nodes; `secrets` are those that every one of its nodes needs."""
    missing = [each.metadata.name for each in node_images if not _is_synced(each, job=job, secrets=secrets)]
    outcomes = {each.metadata.name: _outcome(each, job=job) for each in node_images}
    names = {outcome: sorted(name for name, found in outcomes.items() if found is outcome) for outcome in _Outcome}
    counted = JobStatus(
        start_time=job.status.start_time or pace.now,
        desired=len(node_images),
        active=len(names[_Outcome.ACTIVE]),
        succeeded=len(names[_Outcome.SUCCEEDED]),
        failed=len(names[_Outcome.FAILED]),
        failed_nodes=tuple(names[_Outcome.FAILED]) or UNSET,
    )
    return Tally(
        status=_ended(job, counted=counted, names=names, missing=missing, pace=pace), not_synced=tuple(missing)
    )


def slots(job: Job, *, status: JobStatus) -> int:
    """Return how many more nodes a job may write now: 1 at a time unless it says otherwise."""
    return max(0, (1 if job.spec.parallelism is None else int(job.spec.parallelism)) - status.active)


def _is_synced(node_image: NodeImage, *, job: Job, secrets: Sequence[SecretReference]) -> bool:
    repository, _ = split(job.spec.image)
    image = node_image.spec.images.get(repository)
    return _has_entry(node_image, job=job) and all(image and has_secret(image, reference=each) for each in secrets)


def _has_entry(node_image: NodeImage, *, job: Job) -> bool:
    repository, tag = split(job.spec.image)
    image = node_image.spec.images.get(repository)
    return any(entry.tag == tag and owns(job, entry=entry) for entry in (image.tags if image else ()))


def _outcome(node_image: NodeImage, *, job: Job) -> _Outcome | None:
    """Return what a node says of the version that it is asked for; nothing, where the job has no entry."""
    if not _has_entry(node_image, job=job):
        return None
    repository, tag = split(job.spec.image)
    entry = next(entry for entry in node_image.spec.images[repository].tags if entry.tag == tag)
    status = node_image.status.find(repository, tag=tag)
    if status is None or status.version != entry.version:
        return _Outcome.ACTIVE
    return {"Succeeded": _Outcome.SUCCEEDED, "Failed": _Outcome.FAILED}.get(status.phase, _Outcome.ACTIVE)


def _ended(
    job: Job, *, counted: JobStatus, names: dict[_Outcome, list[str]], missing: Sequence[str], pace: Pace
) -> JobStatus:
    replace = msgspec.structs.replace
    if not job.is_never and counted.desired == counted.succeeded + counted.failed:
        return replace(counted, completion_time=pace.now, message="job has completed")
    if not job.is_never and _is_late(job, counted=counted, pace=pace):
        late = [*names[_Outcome.FAILED], *names[_Outcome.ACTIVE], *missing]
        message = "job exceeds activeDeadlineSeconds"
        return replace(
            counted,
            completion_time=pace.now,
            active=0,
            failed=len(late),
            failed_nodes=tuple(late) or UNSET,
            message=message,
        )
    return replace(counted, message=_progress(counted))


def _is_late(job: Job, *, counted: JobStatus, pace: Pace) -> bool:
    deadline, started = job.completion.active_deadline_seconds, counted.start_time or pace.now
    return deadline is not None and pace.elapsed_seconds(started) >= deadline


def _progress(counted: JobStatus) -> str:
    if not counted.desired:
        return "job is running, no progress"
    percent = 100 * (counted.succeeded + counted.failed) / counted.desired
    return f"job is running, progress {percent:.1f}%"
