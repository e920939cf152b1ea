"""
One image on one node: what its tag entry becomes by the jobs that claim it.

Pure. Which jobs claim a node is the tally's, what one job asks entries.py's, how an entry gets into the NodeImage
nodepatch.py's.

The protocol (docs of the NodeImage have its fields): a version rises whenever the node should act again and never
repeats; owners that had ended before it stay ended, in `ended`. So one job's renewal takes nothing from another.
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from daemon.api.imagepulljob import ImagePullJob
from daemon.api.nodeimage import (
    EndedOwner,
    ImagePullPolicy,
    OwnerReference,
    Phase,
    SandboxConfig,
    TagEntry,
    TagStatus,
)
from daemon.api.reasons import Reason
from daemon.api.rules.metadata import GROUP
from daemon.api.times import later
from daemon.entries import merged, tag_entry


ENDS: Final = (Phase.SUCCEEDED, Phase.FAILED)

_JOB: Final = "ImagePullJob"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """
    A job whose owner reference shall stand in an entry.

    Attributes:
        job: the job.
        is_granted: the entry gives it a turn now, its first or another; otherwise it keeps what it was given.
        round: which round that turn is, 0 where it is none.
        ended: how its turn at the version that stands had ended, which the node may be pulling again (kept warm).
    """

    job: ImagePullJob
    is_granted: bool
    round: int = 0
    ended: Phase | None = None


def next_entry(
    current: TagEntry | None,
    *,
    status: TagStatus | None,
    claims: Sequence[Claim],
    generation: int,
    now: datetime,
    node: str,
) -> TagEntry | None:
    """
    Return what an entry should be; an equal one where nothing is to be written, None where it should go.

    It depends on nothing but the arguments, and not on the order of the claims.

    Args:
        current: the entry as it stands; None where there is none.
        status: what the node says of the image, of whatever version.
        claims: all jobs that shall own it. Another ImagePullJob's reference is dropped, other kinds' are kept; an entry
            that never had an owner and that nobody claims stays as it is.
        generation: the NodeImage's.
        now: becomes createdAt where the version rises.
        node: the node's name.
    """
    in_order = sorted(claims, key=lambda claim: claim.job.uid)
    foreign = _foreign_owners(current)
    if not in_order:
        return _unclaimed(current, foreign)
    asked = _asked(in_order, now=now, node=node)
    settings = replace(asked.prewarm, suspended=asked.prewarm.suspended and not foreign)
    owners = (*foreign, *asked.owner_references)
    if current is not None and not _is_raised(current, status=status, claims=in_order):
        kept = replace(settings, round=current.prewarm.round, ended=_kept_ends(current, claims=in_order))
        return replace(
            asked,
            version=current.version,
            created_at=current.created_at,
            image_pull_policy=_kept_policy(current, asked),
            owner_references=owners,
            prewarm=kept,
        )
    raised = replace(settings, round=_round(in_order), ended=_ends(current, status=status, claims=in_order))
    version = _next_version(current, status=status, generation=generation)
    return replace(asked, version=version, owner_references=owners, prewarm=raised)


def needs_resource_version(current: TagEntry | None, *, status: TagStatus | None, claims: Sequence[Claim]) -> bool:
    """
    Tell whether the patch has to test that the status has not changed either.

    A joiner that says IfNotPresent takes part in a version unless that has failed: it must not do so a moment later.
    And an owner that is at the version which another's turn ends may have ended a moment before: it stays ended.
    """
    if current is None:
        return False
    owners = _uids(current)
    if not _is_raised(current, status=status, claims=claims):
        return any(claim.is_granted and claim.job.uid not in owners for claim in claims)
    staying = [claim for claim in claims if claim.job.uid in owners and not claim.is_granted]
    return any(_end_of(claim, current, status=status) is None for claim in staying)


def owner_phase(entry: TagEntry, *, uid: str, status: TagStatus | None) -> Phase | None:
    """
    Return where an owner of an entry stands; None where the node has said nothing of its turn yet.

    An owner that ended before the entry's version stays ended, whatever the node says of that version. What a
    coordinator said in the name of a silent agent is no end: the node's next report is what counts.
    """
    for ended in entry.prewarm.ended:
        if ended.uid == uid and ended.phase in ENDS:
            return ended.phase
    return _answer(entry, status)


def is_expired(entry: TagEntry, *, status: TagStatus | None, now: datetime) -> bool:
    """
    Tell whether an entry ended longer ago than its ttlSecondsAfterFinished; one without the field does not expire.

    Whether a job still needs it is the caller's to know: one of a living Never job is renewed in place.
    """
    ttl_seconds = entry.pull_policy.ttl_seconds_after_finished
    if ttl_seconds is None or status is None or status.version != entry.version:
        return False
    ended_at = status.completion_time if status.phase in ENDS else None
    return ended_at is not None and later(ended_at, seconds=ttl_seconds) <= now


def sandbox_of(jobs: Iterable[ImagePullJob]) -> SandboxConfig:
    """
    Return the labels and annotations of all jobs that own an entry of one repository.

    Of several values for one key that of the last job by uid holds, whatever order they come in. (In OpenKruise the
    job that was written last replaces all others' settings.)
    """
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for job in sorted(jobs, key=lambda job: job.uid):
        labels |= job.template.sandbox_config.labels
        annotations |= job.template.sandbox_config.annotations
    return SandboxConfig(labels=labels, annotations=annotations)


def has_others(entry: TagEntry) -> bool:
    """Tell whether an entry stands for more than jobs: it has no owner, or one of another kind."""
    return not entry.owner_references or bool(_foreign_owners(entry))


def _unclaimed(current: TagEntry | None, foreign: tuple[OwnerReference, ...]) -> TagEntry | None:
    if current is None or len(foreign) == len(current.owner_references):
        return current
    if not foreign:
        return None
    prewarm = replace(current.prewarm, suspended=False, ended=())
    return replace(current, owner_references=foreign, prewarm=prewarm)


def _asked(claims: Sequence[Claim], *, now: datetime, node: str) -> TagEntry:
    return merged(
        [tag_entry(claim.job, now=now, version=0, spread=_spread(claim.job, node=node))[1] for claim in claims]
    )


def _spread(job: ImagePullJob, *, node: str) -> float:
    """Return a number in [0, 1) that is always the same for a job on a node."""
    return zlib.crc32(f"{job.uid}/{node}".encode(errors="surrogatepass")) / (1 << 32)


def _is_raised(current: TagEntry, *, status: TagStatus | None, claims: Sequence[Claim]) -> bool:
    """Tell whether the node has to act again: for who had a turn before, who always asks, or after a failure."""
    owners = _uids(current)
    has_failed = _answer(current, status) is Phase.FAILED
    return any(
        has_failed or claim.job.uid in owners or claim.job.template.image_pull_policy is ImagePullPolicy.ALWAYS
        for claim in claims
        if claim.is_granted
    )


def _answer(entry: TagEntry, status: TagStatus | None) -> Phase | None:
    """Return what the node itself says of an entry's version."""
    if status is None or status.version != entry.version or status.reason == Reason.AGENT_SILENT:
        return None
    return status.phase


def _kept_policy(current: TagEntry, asked: TagEntry) -> ImagePullPolicy:
    """Say Always only where the version was asked for so: what ended before says nothing of the registry."""
    is_new = asked.image_pull_policy is ImagePullPolicy.ALWAYS
    return current.image_pull_policy if is_new else asked.image_pull_policy


def _next_version(current: TagEntry | None, *, status: TagStatus | None, generation: int) -> int:
    return 1 + max(generation, current.version if current else 0, status.version if status else 0)


def _round(claims: Sequence[Claim]) -> int:
    return max((claim.round for claim in claims if claim.is_granted), default=0)


def _ends(current: TagEntry | None, *, status: TagStatus | None, claims: Sequence[Claim]) -> tuple[EndedOwner, ...]:
    """List the owners that had ended and get no new turn."""
    if current is None:
        return ()
    owners = _uids(current)
    staying = [claim for claim in claims if claim.job.uid in owners and not claim.is_granted]
    ends = [(claim.job.uid, _end_of(claim, current, status=status)) for claim in staying]
    return tuple(EndedOwner(uid=uid, phase=phase) for uid, phase in ends if phase is not None)


def _end_of(claim: Claim, current: TagEntry, *, status: TagStatus | None) -> Phase | None:
    phase = owner_phase(current, uid=claim.job.uid, status=status)
    return phase if phase in ENDS else claim.ended


def _kept_ends(current: TagEntry, *, claims: Sequence[Claim]) -> tuple[EndedOwner, ...]:
    if not current.prewarm.ended:
        return ()
    staying = {claim.job.uid for claim in claims} & _uids(current)
    return tuple(ended for ended in current.prewarm.ended if ended.uid in staying)


def _uids(entry: TagEntry) -> set[str]:
    return {owner.uid for owner in entry.owner_references}


def _foreign_owners(entry: TagEntry | None) -> tuple[OwnerReference, ...]:
    return tuple(owner for owner in entry.owner_references if not _is_job(owner)) if entry else ()


def _is_job(owner: OwnerReference) -> bool:
    return owner.kind == _JOB and owner.api_version.partition("/")[0] == GROUP
