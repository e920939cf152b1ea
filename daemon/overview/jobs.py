"""
From a job's or a list's JSON to what is shown of it.

Pure. Of a large status only what is shown is decoded: a job names up to a thousand failed nodes. One odd field hides
nothing else.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.imagepulljob import CompletionType
from daemon.api.nodeimage import ImagePullPolicy
from daemon.api.times import later, parse_time
from daemon.coordinator.salvage import salvage
from daemon.overview.documents import Condition, Counts, Digest, FailedImage, Job, ReasonGroup
from daemon.overview.jobwire import (
    WireAdditions,
    WireCompletion,
    WireCondition,
    WireGroup,
    WireNodes,
    WireObject,
    WireOwner,
    WireRefresh,
    WireSpec,
    WireStatus,
    WireTold,
)


JOB: Final = "ImagePullJob"
LIST: Final = "ImageListPullJob"

READY: Final = "Ready"


# After every image of a list.
_BEHIND: Final = 1 << 31

_OBJECT: Final = msgspec.json.Decoder(WireObject)


def job_of(content: bytes) -> Job:
    """
    Return an ImagePullJob from its JSON.

    Raises:
        ValueError: it has no name, or it is no JSON object (msgspec.DecodeError is a ValueError).
    """
    return _job(content, kind=JOB)


def list_of(content: bytes) -> Job:
    """
    Return an ImageListPullJob from its JSON.

    Raises:
        ValueError: as `job_of`.
    """
    return _job(content, kind=LIST)


def in_order(lists: Sequence[Job], *, jobs: Sequence[Job], known: Sequence[Job]) -> tuple[Job, ...]:
    """
    Return lists and jobs by namespace and name, each list with the jobs of its images behind it, in the list's order.

    `known` are the lists of which the order is known, also those that are not to be shown.
    """
    places = {each.uid: {image: place for place, image in enumerate(each.images)} for each in known}

    def place(job: Job) -> tuple[str, str, int, str]:
        if not job.list:
            return job.namespace, job.name, -1, job.name
        return job.namespace, job.list, places.get(job.list_uid, {}).get(job.image, _BEHIND), job.name

    return tuple(sorted((*lists, *jobs), key=place))


def is_finished(job: Job) -> bool:
    """
    Tell whether a job has ended for good.

    One that goes on for ever has not, whoever says so; and one that was edited since runs again.
    """
    return job.completed_at is not None and job.completion != CompletionType.NEVER and job.is_observed


def condition_of(job: Job, kind: str) -> Condition | None:
    """Return the condition of a type, None where there is none."""
    return next((each for each in job.conditions if each.type == kind), None)


def conditions_of(found: Sequence[WireCondition] | None) -> tuple[Condition, ...]:
    """Return conditions as they stand in a status, those without a type left out."""
    return tuple(
        Condition(
            type=each.type,
            status=each.status,
            reason=each.reason,
            message=each.message,
            since=time_of(each.last_transition_time),
        )
        for each in found or ()
        if each.type
    )


def time_of(text: str) -> datetime | None:
    """Return a time that stands in an object; None for none, or for what is no time."""
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None


def _job(content: bytes, *, kind: str) -> Job:
    found = _read(content)
    metadata, spec, status = found.metadata, found.spec or WireSpec(), found.status or WireStatus()
    additions, told = spec.prewarm or WireAdditions(), status.prewarm or WireTold()
    refresh = additions.refresh or WireRefresh()
    conditions = conditions_of(status.conditions)
    failed_images = status.failed_image_statuses or ()
    owner = _list_of(metadata.owner_references)
    return Job(
        kind=kind,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        image=spec.image,
        images=spec.images or (),
        list=owner.name,
        list_uid=owner.uid,
        created_at=time_of(metadata.creation_timestamp),
        completion=(spec.completion_policy or WireCompletion()).type,
        image_pull_policy=spec.image_pull_policy or ImagePullPolicy.IF_NOT_PRESENT,
        parallelism=spec.parallelism,
        list_parallelism=additions.list_parallelism,
        schedule=refresh.schedule,
        time_zone=refresh.time_zone,
        priority=additions.priority,
        is_gating=additions.gate,
        is_suspended=additions.suspend,
        is_observed=_is_observed(found),
        is_deleting=bool(metadata.deletion_timestamp),
        summary=told.summary or _summary(spec, status, kind=kind),
        nodes=_counts(told.nodes),
        pulling=told.pulling,
        waiting=told.waiting,
        desired=status.desired,
        active=status.active,
        completed=status.completed,
        succeeded=status.succeeded,
        failed=len(failed_images) if kind == LIST and found.status else status.failed,
        bytes=told.bytes,
        started_at=time_of(status.start_time),
        completed_at=time_of(status.completion_time),
        eta=time_of(told.eta),
        last_refresh_at=time_of(told.last_refresh_time),
        next_refresh_at=time_of(told.next_refresh_time),
        window_ends_at=_window_end(refresh, told),
        reason=next((each.reason for each in conditions if each.type == READY), ""),
        message=status.message,
        conditions=conditions,
        digests=tuple(Digest(digest=each.digest, nodes=each.nodes) for each in told.digests or ()),
        failures=_groups(told.failures),
        skipped=_groups(told.skipped),
        failed_images=tuple(
            FailedImage(image=each.name, job=each.image_pull_job, message=each.message) for each in failed_images
        ),
    )


def _read(content: bytes) -> WireObject:
    try:
        return _OBJECT.decode(content)
    except msgspec.ValidationError:
        return salvage(msgspec.json.decode(content), WireObject)


def _list_of(owners: Sequence[WireOwner] | None) -> WireOwner:
    """Return the list that a job follows: the one that controls it."""
    return next((owner for owner in owners or () if owner.kind == LIST and owner.controller), WireOwner())


def _is_observed(found: WireObject) -> bool:
    """Tell whether a status is about the spec as it is; OpenKruise's does not say of which it is."""
    if found.status is None:
        return False
    return found.status.observed_generation is None or found.status.observed_generation >= found.metadata.generation


def _summary(spec: WireSpec, status: WireStatus, *, kind: str) -> str:
    """Tell what OpenKruise's status has for it: how many nodes, or images of a list, have succeeded."""
    if status.desired is None:
        return ""
    total = max(status.desired, len(spec.images or ())) if kind == LIST else status.desired
    return f"{status.succeeded or 0}/{total}"


def _window_end(refresh: WireRefresh, told: WireTold) -> datetime | None:
    """Tell until when nodes may begin in the refresh that runs; None where none runs, or nothing bounds it."""
    began, seconds = time_of(told.last_refresh_time), refresh.starting_deadline_seconds
    is_running = began is not None and not told.next_refresh_time
    return later(began, seconds=seconds) if is_running and began and seconds is not None and refresh.schedule else None


def _counts(nodes: WireNodes | None) -> Counts | None:
    if nodes is None:
        return None
    return Counts(
        selected=nodes.warm + nodes.stale + nodes.cold + nodes.skipped,
        warm=nodes.warm,
        stale=nodes.stale,
        cold=nodes.cold,
        skipped=nodes.skipped,
    )


def _groups(groups: Sequence[WireGroup] | None) -> tuple[ReasonGroup, ...]:
    return tuple(
        ReasonGroup(
            reason=each.reason,
            count=each.count,
            nodes=each.nodes or (),
            message=each.message,
            retry_at=time_of(each.retry_time),
        )
        for each in groups or ()
    )
