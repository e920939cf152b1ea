"""
What a person is told of a job, or of a node, by an event: what its status says since, and did not say before.

Pure. Decided by the two statuses alone, the one that the API server has and the one that is written in its place, so
that a new coordinator repeats nothing; an event is recorded once that write has succeeded. How events are sent, and
when one is too many, is cluster/recorder.py's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from daemon.api.reasons import Reason, Word
from daemon.cluster.recorder import Regarding
from daemon.coordinator.account import Account
from daemon.coordinator.conditions import COMPLETE, FAILED, STALLED, condition, conditions_in
from daemon.coordinator.jobfields import prewarm
from daemon.coordinator.seen import SeenJob, SeenNode
from daemon.coordinator.verdicts import is_always


REFRESH_STARTED: Final = "RefreshStarted"
REFRESH_FINISHED: Final = "RefreshFinished"
STALLED_EVENT: Final = "Stalled"
GATE_OPENED_COLD: Final = "GateOpenedCold"
NORMAL: Final = "Normal"
WARNING: Final = "Warning"

_PULL: Final = "PullImage"
_REFRESH: Final = "RefreshImage"
_OPEN_GATE: Final = "RemoveTaint"
_ENDINGS: Final = (Word.NODES_FAILED, Reason.DEADLINE_EXCEEDED, Reason.NO_NODES_SELECTED)


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell: the event's type, its reason, its note, and what was being done."""

    kind: str
    reason: str
    note: str
    action: str


def events_of(
    job: SeenJob, earlier: Mapping[str, object], later: Mapping[str, object], account: Account
) -> tuple[JobEvent, ...]:
    """
    Tell what became so between two statuses of a job.

    Args:
        job: whose they are.
        earlier: what was said before; where the API server drops a part, as `jobstatus.said_before` has it.
        later: what is said since.
        account: where its nodes stand, for counts.
    """
    if earlier == later:
        return ()
    return (*_refreshes(job, prewarm(earlier), prewarm(later), account), *troubles_of(earlier, later))


def troubles_of(earlier: Mapping[str, object], later: Mapping[str, object]) -> tuple[JobEvent, ...]:
    """Tell what went wrong between two statuses of a job or a list: a standstill, a bad end."""
    return (*_stalls(earlier, later), *_endings(earlier, later))


def gate_opened_cold(cold: Sequence[str], *, deadline_seconds: float) -> JobEvent:
    """Tell of a node that was opened at its deadline although gating jobs (namespace/name) are not warm there."""
    note = f"not warm {deadline_seconds:.0f} s after the node's creation, and opened all the same: {', '.join(cold)}"
    return JobEvent(kind=WARNING, reason=GATE_OPENED_COLD, note=note, action=_OPEN_GATE)


def regarding_job(job: SeenJob) -> Regarding:
    """Return a job as its events name it."""
    return Regarding(
        api_version=job.api_version, kind="ImagePullJob", namespace=job.namespace, name=job.name, uid=job.uid
    )


def regarding_node(node: SeenNode) -> Regarding:
    """Return a Node as its events name it."""
    return Regarding(api_version="v1", kind="Node", name=node.name, uid=node.uid)


def _refreshes(
    job: SeenJob, before: Mapping[str, object], after: Mapping[str, object], account: Account
) -> tuple[JobEvent, ...]:
    """Tell of a renewal's begin, and of its end: the next one's time is there again (jobfields.py)."""
    if is_always(job) or not before:
        return ()
    was, last = before.get("lastRefreshTime"), after.get("lastRefreshTime")
    has_begun = bool(last) and last != was
    was_running = has_begun or (bool(was) and "nextRefreshTime" not in before)
    is_over = was_running and "nextRefreshTime" in after
    started = JobEvent(kind=NORMAL, reason=REFRESH_STARTED, note=_started(account), action=_REFRESH)
    finished = JobEvent(kind=NORMAL, reason=REFRESH_FINISHED, note=_finished(account), action=_REFRESH)
    return (*([started] if has_begun else ()), *([finished] if is_over else ()))


def _started(account: Account) -> str:
    return f"{_nodes(account.desired)} to renew{_skipped(account)}"


def _finished(account: Account) -> str:
    return (
        f"{_nodes(account.desired)}: {account.changed} with another image, {account.failed} failed{_skipped(account)}"
    )


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _skipped(account: Account) -> str:
    return f", {account.skipped} skipped" if account.skipped else ""


def _stalls(earlier: Mapping[str, object], later: Mapping[str, object]) -> tuple[JobEvent, ...]:
    """Tell of a standstill, and of one that has another reason than before."""
    before, after = (condition(conditions_in(status), STALLED) for status in (earlier, later))
    is_same = before.get("status") == "True" and before.get("reason") == after.get("reason")
    if after.get("status") != "True" or is_same:
        return ()
    note = f"{after.get('reason')}: {after.get('message')}"
    return (JobEvent(kind=WARNING, reason=STALLED_EVENT, note=note, action=_PULL),)


def _endings(earlier: Mapping[str, object], later: Mapping[str, object]) -> tuple[JobEvent, ...]:
    """Warn of an end that is not what was asked for; that all went well the status says, and no event."""
    if "completionTime" in earlier or "completionTime" not in later:
        return ()
    ends = [condition(conditions_in(later), kind) for kind in (FAILED, COMPLETE)]
    said = next((one for one in ends if one.get("status") == "True"), {})
    if said.get("reason") not in _ENDINGS:
        return ()
    reason, note = str(said.get("reason")), str(said.get("message"))
    return (JobEvent(kind=WARNING, reason=reason, note=note, action=_PULL),)
