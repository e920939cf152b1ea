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
from daemon.api.times import parse_time
from daemon.coordinator.salvage import salvage
from daemon.overview.documents import Bytes, Condition, Counts, Digest, FailedImage, Job, ReasonGroup


JOB: Final = "ImagePullJob"
LIST: Final = "ImageListPullJob"

READY: Final = "Ready"


class WireCondition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """metav1.Condition, as it stands in a status."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class _Owner(msgspec.Struct, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    owner_references: tuple[_Owner, ...] | None = None


class _Completion(msgspec.Struct, frozen=True, kw_only=True):
    type: str = CompletionType.ALWAYS.value


class _Refresh(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schedule: str = ""
    time_zone: str = ""


class _Additions(msgspec.Struct, frozen=True, kw_only=True):
    suspend: bool = False
    priority: int = 0
    gate: bool = False
    refresh: _Refresh | None = None


class _Spec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    image: str = ""
    images: tuple[str, ...] | None = None
    parallelism: int | str | None = None
    image_pull_policy: str = ImagePullPolicy.IF_NOT_PRESENT.value
    completion_policy: _Completion | None = None
    prewarm: _Additions | None = None


class _Group(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    reason: str = ""
    count: int = 0
    nodes: tuple[str, ...] | None = None
    message: str = ""
    retry_time: str = ""


class _Digest(msgspec.Struct, frozen=True, kw_only=True):
    digest: str = ""
    nodes: int = 0


class _Nodes(msgspec.Struct, frozen=True, kw_only=True):
    warm: int = 0
    stale: int = 0
    cold: int = 0
    skipped: int = 0


class _Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`status.prewarm`."""

    summary: str = ""
    nodes: _Nodes | None = None
    pulling: int | None = None
    waiting: int | None = None
    bytes: Bytes | None = None
    eta: str = ""
    last_refresh_time: str = ""
    next_refresh_time: str = ""
    digests: tuple[_Digest, ...] | None = None
    failures: tuple[_Group, ...] | None = None
    skipped: tuple[_Group, ...] | None = None


class _FailedImage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    image_pull_job: str = ""
    message: str = ""


class _Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    observed_generation: int | None = None
    desired: int | None = None
    active: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    message: str = ""
    start_time: str = ""
    completion_time: str = ""
    conditions: tuple[WireCondition, ...] | None = None
    failed_image_statuses: tuple[_FailedImage, ...] | None = None
    prewarm: _Told | None = None


class _Object(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status | None = None


_OBJECT: Final = msgspec.json.Decoder(_Object)


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
    metadata, spec, status = found.metadata, found.spec or _Spec(), found.status or _Status()
    additions, told = spec.prewarm or _Additions(), status.prewarm or _Told()
    refresh = additions.refresh or _Refresh()
    conditions = conditions_of(status.conditions)
    failed_images = status.failed_image_statuses or ()
    return Job(
        kind=kind,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        image=spec.image,
        images=spec.images or (),
        list=next((owner.name for owner in metadata.owner_references or () if owner.kind == LIST), ""),
        created_at=time_of(metadata.creation_timestamp),
        completion=(spec.completion_policy or _Completion()).type,
        image_pull_policy=spec.image_pull_policy or ImagePullPolicy.IF_NOT_PRESENT,
        parallelism=spec.parallelism,
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
        succeeded=status.succeeded,
        failed=len(failed_images) if kind == LIST and found.status else status.failed,
        bytes=told.bytes,
        started_at=time_of(status.start_time),
        completed_at=time_of(status.completion_time),
        eta=time_of(told.eta),
        last_refresh_at=time_of(told.last_refresh_time),
        next_refresh_at=time_of(told.next_refresh_time),
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


def _read(content: bytes) -> _Object:
    try:
        return _OBJECT.decode(content)
    except msgspec.ValidationError:
        return salvage(msgspec.json.decode(content), _Object)


def _is_observed(found: _Object) -> bool:
    """Tell whether a status is about the spec as it is; OpenKruise's does not say of which it is."""
    if found.status is None:
        return False
    return found.status.observed_generation is None or found.status.observed_generation >= found.metadata.generation


def _summary(spec: _Spec, status: _Status, *, kind: str) -> str:
    """Tell what OpenKruise's status has for it: how many nodes, or images of a list, have succeeded."""
    if status.desired is None:
        return ""
    total = max(status.desired, len(spec.images or ())) if kind == LIST else status.desired
    return f"{status.succeeded or 0}/{total}"


def _counts(nodes: _Nodes | None) -> Counts | None:
    if nodes is None:
        return None
    return Counts(
        selected=nodes.warm + nodes.stale + nodes.cold + nodes.skipped,
        warm=nodes.warm,
        stale=nodes.stale,
        cold=nodes.cold,
        skipped=nodes.skipped,
    )


def _groups(groups: Sequence[_Group] | None) -> tuple[ReasonGroup, ...]:
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
