"""
Where one node stands for one job, worked out from what its NodeImage says.

Pure, and derived anew from the objects whenever one of them changes, so that any order of events gives the same end.
Only one thing is remembered: that a version had ended, since a node pulls the same version again when its image was
removed, and that is no grant. When a node's next turn comes is turns.py's, whether a node is left out silence.py's.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from daemon.api.nodeimage import ImagePullPolicy, Phase, TagEntry, TagStatus
from daemon.api.reasons import Reason
from daemon.coordinator.entry import ENDS, owner_phase
from daemon.coordinator.seen import SeenNodeImage
from daemon.coordinator.silence import Skip
from daemon.coordinator.standing import Group, Stand, Standing, Task
from daemon.coordinator.turns import Turn, next_turn
from daemon.entries import NOT_AGAIN


_MOMENT: Final = timedelta(microseconds=1)
# A leader's clock may be ahead of the next one's; a day's renewal is not put off by more than this.
_AHEAD: Final = timedelta(hours=1)
_LONG_AGO: Final = timedelta(days=2)


def standing_of(
    task: Task,
    *,
    node: str,
    image: SeenNodeImage | None,
    skip: Skip | None,
    is_sent: bool,
    before: Standing | None,
    now: datetime,
) -> Standing:
    """
    Tell where a node stands for a job.

    Args:
        task: what the job asks.
        node: the node's name.
        image: its NodeImage, None where there is none yet.
        skip: why the node is left out now, if it is.
        is_sent: a grant is on its way, or its outcome is not known.
        before: where it stood, for the version that had ended.
        now: this moment.
    """
    entry = image.entries.get(task.key) if image is not None else None
    status = image.statuses.get(task.key) if image is not None else None
    if entry is None or not _is_owned(task, entry):
        standing = _ungranted(status, is_sent=is_sent)
    else:
        standing = _owned(task, entry, node=node, status=status, before=before, is_sent=is_sent, now=now)
    standing = _with_words(standing, status)
    return standing if skip is None else msgspec.structs.replace(standing, skip=skip, group=Group.SKIPPED)


def _is_owned(task: Task, entry: TagEntry) -> bool:
    return any(owner.uid == task.job.uid for owner in entry.owner_references)


def _is_granted(task: Task, entry: TagEntry) -> bool:
    """Tell whether what an entry comes to is the job's as it is now: of this run, and as strict as it asks."""
    if task.rerun_at is not None and (entry.created_at is None or entry.created_at < task.rerun_at):
        return False
    is_always = task.job.template.image_pull_policy is ImagePullPolicy.ALWAYS
    return not is_always or entry.image_pull_policy is ImagePullPolicy.ALWAYS


def _ungranted(status: TagStatus | None, *, is_sent: bool) -> Standing:
    return Standing(stand=Stand.GRANTED if is_sent else Stand.WAITING, group=_lying(status))


def _owned(
    task: Task,
    entry: TagEntry,
    *,
    node: str,
    status: TagStatus | None,
    before: Standing | None,
    is_sent: bool,
    now: datetime,
) -> Standing:
    phase = owner_phase(entry, uid=task.job.uid, status=status)
    if phase not in ENDS and before is not None and before.ended_version == entry.version and not is_sent:
        # Kept warm: the node pulls again what was removed from it.
        phase = before.ended_as
    if phase is Phase.SUCCEEDED and task.is_never and _is_lost(entry, status):
        phase = Phase.FAILED
    if phase is None or phase not in ENDS:
        # Also what was granted before an edit or an earlier run pulls, and takes its slot until it has ended.
        return _open(task, entry, status=status, phase=phase)
    if not _is_granted(task, entry):
        return _ungranted(status, is_sent=is_sent)
    return _ended(task, entry, node=node, status=status, phase=phase, is_sent=is_sent, now=now)


def _is_lost(entry: TagEntry, status: TagStatus | None) -> bool:
    """Tell whether another's turn at an entry has failed and left no image, which an earlier success had brought."""
    is_answer = status is not None and status.version == entry.version
    return is_answer and status is not None and status.phase is Phase.FAILED and not status.image_id


def _open(task: Task, entry: TagEntry, *, status: TagStatus | None, phase: Phase | None) -> Standing:
    # Once its job is resumed a grant counts, before the entry says so: others would be granted in its place.
    is_suspended = entry.prewarm.suspended and task.job.template.prewarm.suspend
    return Standing(
        stand=Stand.PULLING if phase is Phase.PULLING else Stand.GRANTED,
        group=_lying(status),
        version=entry.version,
        round=entry.prewarm.round,
        is_suspended=is_suspended,
    )


def _lying(status: TagStatus | None) -> Group:
    """Tell whether an image lies there, which is not as fresh as the job asks."""
    return Group.STALE if status is not None and status.image_id else Group.COLD


def _ended(
    task: Task,
    entry: TagEntry,
    *,
    node: str,
    status: TagStatus | None,
    phase: Phase,
    is_sent: bool,
    now: datetime,
) -> Standing:
    answer = status if status is not None and status.version == entry.version else None
    # kruise-daemon says what lies on the node with Succeeded alone; an older version's end says that it was there.
    has_image = status is not None and (bool(status.image_id) or (phase is Phase.SUCCEEDED and answer is None))
    sent = Standing(
        stand=Stand.GRANTED,
        group=Group.STALE if has_image else Group.COLD,
        version=entry.version,
        ended_version=entry.version,
        ended_as=phase,
    )
    if is_sent:
        return sent
    turn = _next_turn(task, entry, node=node, answer=answer, phase=phase, has_image=has_image, now=now)
    if turn.due_at <= now or (phase is Phase.FAILED and _is_edited(task, entry)):
        return _due(sent, turn, now=now)
    return _resting(sent, turn, answer=answer, has_image=has_image)


def _next_turn(
    task: Task,
    entry: TagEntry,
    *,
    node: str,
    answer: TagStatus | None,
    phase: Phase,
    has_image: bool,
    now: datetime,
) -> Turn:
    granted_at = _granted_at(entry, now=now)
    return next_turn(
        task.job,
        phase=phase,
        reason=answer.reason if answer is not None else "",
        granted_at=granted_at,
        ended_at=_end_of(answer, granted_at=granted_at, now=now),
        round=entry.prewarm.round,
        has_image=has_image,
        now=now,
        node=node,
    )


def _due(sent: Standing, turn: Turn, *, now: datetime) -> Standing:
    """Have a node wait for its next turn, which has come by time or by an edit."""
    is_by_time = turn.due_at <= now
    return msgspec.structs.replace(
        sent,
        stand=Stand.WAITING,
        round=turn.round if is_by_time else 0,
        is_renewal=turn.is_renewal and is_by_time,
        was_due_at=min(turn.due_at, now),
        due_at=None if turn.lapses_at == NOT_AGAIN else turn.lapses_at + _MOMENT,
    )


def _resting(sent: Standing, turn: Turn, *, answer: TagStatus | None, has_image: bool) -> Standing:
    """Leave a node at its end until its next turn comes."""
    is_good = sent.ended_as is Phase.SUCCEEDED
    return msgspec.structs.replace(
        sent,
        stand=Stand.SUCCEEDED if is_good else Stand.FAILED,
        group=_group(is_good=is_good, has_image=has_image),
        due_at=None if turn.due_at == NOT_AGAIN else turn.due_at,
        seconds=_seconds_of(answer) if is_good else None,
        is_changed=answer is not None and bool(answer.changed),
    )


def _group(*, is_good: bool, has_image: bool) -> Group:
    if not has_image:
        return Group.COLD
    return Group.WARM if is_good else Group.STALE


def _is_edited(task: Task, entry: TagEntry) -> bool:
    """Tell whether the job has been edited since, or is more patient than the entry that failed (kruise#2221)."""
    asked, given = task.job.template.pull_policy, entry.pull_policy
    is_longer = asked.timeout_seconds > given.timeout_seconds or asked.backoff_limit > given.backoff_limit
    is_older = task.edited_at is not None and entry.created_at is not None and entry.created_at < task.edited_at
    return is_longer or is_older


def _granted_at(entry: TagEntry, *, now: datetime) -> datetime:
    """Return when the last turn was granted; long ago where that lies far ahead, by a clock that was wrong then."""
    granted_at = entry.created_at or now
    return granted_at if granted_at - now < _AHEAD else now - _LONG_AGO


def _end_of(status: TagStatus | None, *, granted_at: datetime, now: datetime) -> datetime:
    """
    Return when the last turn ended, by our clock.

    A node whose clock is wrong says an end before the grant, by which it would be granted at once and again, or one
    that is to come, by which it would wait as long: how long its pull took is the same by every clock.
    """
    if status is None or status.completion_time is None:
        return granted_at
    if granted_at <= status.completion_time <= now:
        return status.completion_time
    ended_at = granted_at + timedelta(seconds=min(_seconds_of(status) or 0.0, _LONG_AGO.total_seconds()))
    return ended_at if ended_at <= now else granted_at


def _seconds_of(status: TagStatus | None) -> float | None:
    if status is None or status.start_time is None or status.completion_time is None:
        return None
    return max(0.0, (status.completion_time - status.start_time).total_seconds())


def _with_words(standing: Standing, status: TagStatus | None) -> Standing:
    """Add what the node says beside its phase."""
    if status is None:
        return standing
    digest = status.digest or _digest_of(status.image_id)
    if standing.stand is Stand.PULLING:
        return msgspec.structs.replace(standing, digest=digest, bytes=status.bytes)
    if standing.stand is Stand.FAILED:
        reason = status.reason or str(Reason.PULL_FAILED)
        return msgspec.structs.replace(standing, digest=digest, reason=reason, message=status.message)
    return msgspec.structs.replace(standing, digest=digest) if digest else standing


def _digest_of(image_id: str) -> str:
    """Take the digest out of repository@digest."""
    return image_id.partition("@")[2]
