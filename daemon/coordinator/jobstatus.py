"""
A job's status as it should stand, how urgent it is to write it, and with which patch.

Pure. The fields that OpenKruise has mean what they mean there, since others read them. What a job has come to is
verdicts.py's, its words jobmessage.py's, `status.prewarm` jobfields.py's; pacing and sending are desk.py's.

Compared is always with what the API server has made of the last write. OpenKruise's CRDs drop our fields, and comparing
with what was sent would write for ever: whoever writes keeps what was sent last and what was answered, asks `stands`
first, and hands `said_before` to `next_status`. Where our CRDs are put over those, our fields come with the next write
of a field that both know.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Final

from daemon.api.times import format_time, later
from daemon.cluster.interface import Resource
from daemon.coordinator.account import MOST_NAMED, Account
from daemon.coordinator.conditions import LONGEST_MESSAGE, STALLED, condition, conditions_in, conditions_of
from daemon.coordinator.deadline import past_deadline
from daemon.coordinator.jobfields import Fields, is_refreshing, number, prewarm, prewarm_of, time_in
from daemon.coordinator.jobmessage import message_of
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.seen import SeenJob
from daemon.coordinator.verdicts import Verdicts, is_always, is_never, verdicts_of


_OURS: Final = frozenset(
    {
        "observedGeneration",
        "conditions",
        "startTime",
        "completionTime",
        "desired",
        "active",
        "succeeded",
        "failed",
        "message",
        "failedNodes",
        "prewarm",
    }
)
_PROGRESS: Final = frozenset({"bytes", "eta", "pulling", "waiting"})


class Urgency(IntEnum):
    """How soon a status is written: not at all, each five seconds, each second, at once."""

    NOTHING = 0
    PROGRESS = 1
    NEWS = 2
    AT_ONCE = 3


def next_status(
    job: SeenJob,
    account: Account,
    *,
    now: datetime,
    deadline_passed: bool,
    earlier: Mapping[str, object] | None = None,
) -> Fields:
    """
    Return the whole status as it should stand; equal values give an equal one.

    A job that has finished stays as it is. One that has finished and has another generation begins again
    (kruise#1386): its first status says so and counts nothing, and `prewarm.lastRefreshTime` is its startTime, by which
    a new coordinator tells the entries of this run.

    Args:
        job: with the status that the API server has.
        account: where its nodes stand.
        now: this moment.
        deadline_passed: its activeDeadlineSeconds are over.
        earlier: what was said before, where the API server has dropped a part of it: see `said_before`.
    """
    said = job.status.raw if earlier is None else earlier
    if is_finished(job, said):
        return dict(said)
    if "completionTime" in said and (_is_newer(job, said) or not is_never(job)):
        return _again(job, account, earlier=said, now=now)
    verdicts = verdicts_of(
        job,
        account,
        stalled=condition(conditions_in(said), STALLED),
        had_warm=number(said, "prewarm", "nodes", "warm"),
        deadline_passed=deadline_passed,
    )
    account = past_deadline(account) if verdicts.is_late else account
    return _status(job, account, verdicts=verdicts, earlier=said, now=now)


def is_finished(job: SeenJob, status: Mapping[str, object]) -> bool:
    """Tell whether a job has ended for good; where its generation is not kept, an edit does not begin it again."""
    return "completionTime" in status and not _is_newer(job, status) and not is_never(job)


def _is_newer(job: SeenJob, status: Mapping[str, object]) -> bool:
    return 0 < number(status, "observedGeneration") < job.generation


def urgency_of(earlier: Mapping[str, object], later: Mapping[str, object]) -> Urgency:
    """Tell how soon a status is written in place of another."""
    if earlier == later:
        return Urgency.NOTHING
    if earlier.get("completionTime") != later.get("completionTime") or _states(earlier) != _states(later):
        return Urgency.AT_ONCE
    return Urgency.PROGRESS if _without_progress(earlier) == _without_progress(later) else Urgency.NEWS


def status_patch(job: SeenJob | SeenList, wanted: Mapping[str, object]) -> Resource:
    """Return the merge patch that makes a status the wanted one, if nobody has changed its object since."""
    return {
        "metadata": {"resourceVersion": str(job.version)},
        "status": _merging(job.status.raw, wanted),
    }


def stands(
    wanted: Mapping[str, object],
    *,
    current: Mapping[str, object],
    sent: Mapping[str, object] | None = None,
    answered: Mapping[str, object] | None = None,
) -> bool:
    """
    Tell whether writing a status would change nothing.

    Args:
        wanted: the status.
        current: what the API server has.
        sent: what was last sent, None for nothing.
        answered: the status in the answer to that.
    """
    if wanted == current:
        return True
    if sent is None or answered is None:
        return False
    dropped = sent.keys() - answered.keys()
    kept = {name: value for name, value in wanted.items() if name not in dropped}
    return kept == current or (wanted == sent and current == answered)


def said_before(
    current: Mapping[str, object],
    *,
    sent: Mapping[str, object] | None = None,
    answered: Mapping[str, object] | None = None,
) -> Mapping[str, object]:
    """Return the status to go on from: the one that was sent, while what the API server made of it stands."""
    return sent if sent is not None and answered is not None and answered == current else current


def _again(job: SeenJob, account: Account, *, earlier: Mapping[str, object], now: datetime) -> Fields:
    """Begin again, later than what has ended, so that entries of the two runs are told apart by their time."""
    ended_at = time_in(earlier, "completionTime") or now
    pinned = account.last_refresh if account.last_refresh is not None and account.last_refresh > ended_at else now
    started_at = max(pinned, later(ended_at, seconds=1))
    begun = {**earlier, "startTime": format_time(started_at)}
    fresh = Account(last_refresh=started_at, limit=account.limit)
    return _status(job, fresh, verdicts=Verdicts(), earlier=begun, now=now)


def _status(
    job: SeenJob, account: Account, *, verdicts: Verdicts, earlier: Mapping[str, object], now: datetime
) -> Fields:
    """Put a status together, with what other writers have put there."""
    is_moving = verdicts == Verdicts()
    refreshing = not is_always(job) and is_refreshing(account, earlier=earlier)
    fields: Fields = {name: value for name, value in earlier.items() if name not in _OURS}
    fields |= {
        "observedGeneration": job.generation,
        "startTime": earlier.get("startTime") or format_time(now),
        "desired": account.desired,
        "active": account.granted + account.pulling,
        "succeeded": account.succeeded,
        "failed": account.failed,
        "message": message_of(account, verdicts)[:LONGEST_MESSAGE],
        "conditions": conditions_of(job, account, verdicts=verdicts, earlier=conditions_in(earlier), now=now),
        "prewarm": prewarm_of(account, earlier=earlier, is_moving=is_moving, is_refreshing=refreshing, now=now),
    }
    if account.failed_nodes:
        fields["failedNodes"] = list(account.failed_nodes[:MOST_NAMED])
    if verdicts.ending is not None:
        # The second run of a job begins a second after the first has ended, which may lie ahead of now.
        fields["completionTime"] = format_time(max(now, time_in(fields, "startTime") or now))
    return fields


def _states(status: Mapping[str, object]) -> dict[object, object]:
    return {one.get("type"): one.get("status") for one in conditions_in(status)}


def _without_progress(status: Mapping[str, object]) -> Fields:
    ours = {name: value for name, value in prewarm(status).items() if name not in _PROGRESS}
    return {**status, "prewarm": ours}


def _merging(current: Mapping[str, object], wanted: Mapping[str, object]) -> Fields:
    """Return what a merge patch (RFC 7386) has to say: what differs, and null for what is to go."""
    steps: Fields = {name: None for name in current if name not in wanted}
    for name, value in wanted.items():
        before = current.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = _merging(before, value)
            steps |= {name: inner} if inner else {}
        elif name not in current or before != value:
            steps[name] = value
    return steps
