"""
The conditions of a job, in the field's words: Ready, Complete, Failed, Suspended, Stalled.

Pure. What a job has come to is verdicts.py's. Complete and Failed exclude each other, as batch/v1's do, and only Always
jobs have them. (OpenKruise has no conditions.)
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from daemon.api.reasons import Reason, Word
from daemon.api.times import format_time
from daemon.coordinator.account import Account
from daemon.coordinator.seen import SeenJob
from daemon.coordinator.verdicts import Verdict, Verdicts, all_skipped, commonest_failure, is_always


READY: Final = "Ready"
COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
SUSPENDED: Final = "Suspended"
STALLED: Final = "Stalled"
TYPES: Final = (READY, COMPLETE, FAILED, SUSPENDED, STALLED)
LONGEST_MESSAGE: Final = 1024

Conditions = Sequence[Mapping[str, object]]


def conditions_of(
    job: SeenJob, account: Account, *, verdicts: Verdicts, earlier: Conditions, now: datetime
) -> list[dict[str, object]]:
    """
    Return the conditions that should stand, with those of other writers; unchanged ones keep their time.

    Args:
        job: whose generation they are about.
        account: where its nodes stand.
        verdicts: what it has come to.
        earlier: the conditions that were said before.
        now: when what changes changed.
    """
    is_ready, ready = _ready(account, verdicts)
    said = [worded(READY, ready, is_so=is_ready), *(ends(verdicts, what="job") if is_always(job) else ())]
    said += [
        or_not(SUSPENDED, verdicts.suspension, verdicts=verdicts, is_ready=is_ready, what="job"),
        or_not(STALLED, verdicts.stall, verdicts=verdicts, is_ready=is_ready, what="job"),
    ]
    return stamped(said, earlier=earlier, generation=job.generation, now=now)


def stamped(
    said: Sequence[Mapping[str, object]], *, earlier: Conditions, generation: int, now: datetime
) -> list[dict[str, object]]:
    """Add to each condition when its status changed and which generation it is about, and keep other writers'."""
    ours = [{**_since(one, earlier=earlier, now=now), "observedGeneration": generation} for one in said]
    return [*ours, *(dict(one) for one in earlier if one.get("type") not in TYPES)]


def condition(conditions: Conditions, kind: str) -> Mapping[str, object]:
    """Return the condition of a type, an empty one where there is none."""
    return next((one for one in conditions if one.get("type") == kind), {})


def conditions_in(status: Mapping[str, object]) -> Conditions:
    """Return the conditions that stand in a status."""
    found = status.get("conditions")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, Sequence) else []


def _ready(account: Account, verdicts: Verdicts) -> tuple[bool, Verdict]:
    """Tell whether every selected node that is not skipped is warm, and if not, why."""
    if account.selected == 0:
        uncounted = Verdict(reason=Word.IN_PROGRESS.value, message="no node is counted yet")
        return False, verdicts.stall or verdicts.ending or verdicts.suspension or uncounted
    if account.desired and account.warm >= account.desired:
        skipped = f", {account.skipped} skipped" if account.skipped else ""
        return True, Verdict(reason=Word.ALL_WARM.value, message=f"all {account.desired} nodes have the image{skipped}")
    late = verdicts.ending if verdicts.is_late else None
    return False, verdicts.stall or late or verdicts.suspension or _unready(account)


def _unready(account: Account) -> Verdict:
    """Name the commonest failure once nothing is under way, for that is what a person looks for."""
    if account.desired == 0:
        return all_skipped(account)
    failure = commonest_failure(account) if not account.open else None
    return failure or Verdict(
        reason=Word.IN_PROGRESS.value, message=f"{account.warm} of {account.desired} nodes have the image"
    )


def ends(verdicts: Verdicts, *, what: str) -> list[dict[str, object]]:
    """Return Complete and Failed of a job or a list."""
    ending = verdicts.ending
    if ending is None:
        goes_on = Verdict(reason=Word.IN_PROGRESS.value, message=f"the {what} has not ended")
        return [worded(COMPLETE, goes_on, is_so=False), worded(FAILED, goes_on, is_so=False)]
    is_failed = ending.reason in {Word.NODES_FAILED.value, Reason.DEADLINE_EXCEEDED.value}
    return [worded(COMPLETE, ending, is_so=not is_failed), worded(FAILED, ending, is_so=is_failed)]


def or_not(kind: str, verdict: Verdict | None, *, verdicts: Verdicts, is_ready: bool, what: str) -> dict[str, object]:
    """Return Suspended or Stalled of a job or a list, also where it is neither."""
    if verdict is not None:
        return worded(kind, verdict, is_so=True)
    calm = Word.FINISHED if verdicts.ending else Word.ALL_WARM if is_ready else Word.IN_PROGRESS
    message = f"the {what} is not suspended" if kind == SUSPENDED else "nothing needs a person"
    return worded(kind, Verdict(reason=calm.value, message=message), is_so=False)


def worded(kind: str, verdict: Verdict, *, is_so: bool) -> dict[str, object]:
    """Return a condition without what `stamped` adds."""
    message = verdict.message[:LONGEST_MESSAGE]
    return {"type": kind, "status": "True" if is_so else "False", "reason": verdict.reason, "message": message}


def _since(one: Mapping[str, object], *, earlier: Conditions, now: datetime) -> dict[str, object]:
    """Add when the condition's status last changed, as metav1.Condition asks."""
    before = condition(earlier, str(one["type"]))
    at = before.get("lastTransitionTime") if before.get("status") == one["status"] else None
    return {**one, "lastTransitionTime": at or format_time(now)}
