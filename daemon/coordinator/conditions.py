"""
What a job has come to: ended, at a standstill, suspended, ready; and the conditions that say so.

Pure. Complete and Failed exclude each other, as batch/v1's do, and only Always jobs have them. (OpenKruise has no
conditions, and lets an Always job without nodes complete in silence.) Counts and texts are jobstatus.py's.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.imagepulljob import CompletionType
from daemon.api.reasons import NEEDS_A_PERSON, Reason, Word
from daemon.api.times import format_time
from daemon.coordinator.account import Account, ReasonCount
from daemon.coordinator.seen import SeenJob


READY: Final = "Ready"
COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
SUSPENDED: Final = "Suspended"
STALLED: Final = "Stalled"
TYPES: Final = (READY, COMPLETE, FAILED, SUSPENDED, STALLED)
NAMES_TOLD: Final = 3
LONGEST_MESSAGE: Final = 1024

_WORD: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]{0,126}[A-Za-z0-9_])?")

Conditions = Sequence[Mapping[str, object]]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Why something holds: a word, and what a person should know."""

    reason: str
    message: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a job has come to.

    Attributes:
        ending: how an Always job has ended; None while it goes on.
        stall: why nothing moves until a person does something; None where that is not so.
        suspension: what holds the job back on purpose; None for nothing.
    """

    ending: Verdict | None = None
    stall: Verdict | None = None
    suspension: Verdict | None = None


def is_always(job: SeenJob) -> bool:
    """Tell whether a job ends; one whose spec can't be used has no end."""
    return job.job is not None and job.job.template.completion_policy.type is CompletionType.ALWAYS


def outcome_of(job: SeenJob, account: Account, *, earlier: Conditions, had_warm: int, deadline_passed: bool) -> Outcome:
    """
    Return what a job has come to.

    Args:
        job: whose spec counts.
        account: where its nodes stand.
        earlier: the conditions that were said before.
        had_warm: how many warm nodes were said before.
        deadline_passed: its activeDeadlineSeconds are over.
    """
    suspension = _suspension(job, account)
    ending = _ending(job, account, is_suspended=suspension is not None, deadline_passed=deadline_passed)
    if job.problems or job.job is None:
        return Outcome(stall=_unusable(job))
    if ending is not None or suspension is not None:
        return Outcome(ending=ending, suspension=suspension)
    return Outcome(stall=_stall(account) or _lasting_stall(job, account, earlier=earlier, had_warm=had_warm))


def conditions_of(
    job: SeenJob, account: Account, *, outcome: Outcome, earlier: Conditions, now: datetime
) -> list[dict[str, object]]:
    """
    Return the conditions that should stand, with those of other writers; unchanged ones keep their time.

    Args:
        job: whose generation they are about.
        account: where its nodes stand.
        outcome: what it has come to.
        earlier: the conditions that were said before.
        now: when what changes changed.
    """
    is_ready, ready = _ready(account, outcome)
    said = [_condition(READY, ready, is_so=is_ready), *(_ends(outcome) if is_always(job) else ())]
    said += [
        _or_not(SUSPENDED, outcome.suspension, outcome=outcome, is_ready=is_ready),
        _or_not(STALLED, outcome.stall, outcome=outcome, is_ready=is_ready),
    ]
    stamped = [{**_since(one, earlier=earlier, now=now), "observedGeneration": job.generation} for one in said]
    return [*stamped, *(dict(one) for one in earlier if one.get("type") not in TYPES)]


def condition(conditions: Conditions, kind: str) -> Mapping[str, object]:
    """Return the condition of a type, an empty one where there is none."""
    return next((one for one in conditions if one.get("type") == kind), {})


def word(reason: str) -> str:
    """Return a reason as a condition may have it; what is none, such as a foreign daemon's silence, is PullFailed."""
    return reason if _WORD.fullmatch(reason) else Reason.PULL_FAILED.value


def names(nodes: Sequence[str], *, count: int) -> str:
    """Name the first few of so many nodes: "a, b, c and 4 more"."""
    told = nodes[:NAMES_TOLD]
    more = count - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 and told else "")


def _suspension(job: SeenJob, account: Account) -> Verdict | None:
    if job.job is not None and job.job.template.prewarm.suspend:
        return Verdict(reason=Reason.SUSPENDED.value, message="spec.prewarm.suspend is true")
    if account.limit == 0:
        return Verdict(reason=Reason.SUSPENDED.value, message="spec.parallelism is 0, so no further node begins")
    return None


def _ending(job: SeenJob, account: Account, *, is_suspended: bool, deadline_passed: bool) -> Verdict | None:
    """Tell how an Always job has ended; a node that is skipped neither ends it nor makes it fail."""
    late = Verdict(reason=Reason.DEADLINE_EXCEEDED.value, message="job exceeds activeDeadlineSeconds")
    if not is_always(job):
        return None
    if account.selected == 0:
        return None if is_suspended else _no_nodes()
    if account.desired and not account.open:
        return _ended(account)
    return late if deadline_passed else None


def _ended(account: Account) -> Verdict:
    if account.failed:
        return Verdict(reason=Word.NODES_FAILED.value, message=_failures(account))
    return Verdict(reason=Word.FINISHED.value, message="job has completed")


def _no_nodes() -> Verdict:
    return Verdict(reason=Reason.NO_NODES_SELECTED.value, message="no node is selected")


def _unusable(job: SeenJob) -> Verdict:
    is_image = bool(job.problems) and all(problem.startswith("spec.image:") for problem in job.problems)
    reason = Reason.INVALID_REFERENCE.value if is_image else Word.INVALID_SPEC.value
    return Verdict(reason=reason, message="; ".join(job.problems) or "the spec cannot be used")


def _stall(account: Account) -> Verdict | None:
    if account.selected == 0:
        return _no_nodes()
    if account.desired == 0:
        return _all_skipped(account)
    if account.granted or account.pulling or account.waiting > len(account.refused):
        return None
    return _stuck(account)


def _stuck(account: Account) -> Verdict | None:
    """Tell why nothing moves, where every node that is not warm takes no write or failed for what a person mends."""
    for_a_person = sum(group.count for group in account.failures if group.reason in NEEDS_A_PERSON)
    is_mending_itself = account.stale + account.cold > account.failed + account.waiting
    if for_a_person < account.failed or is_mending_itself:
        return None
    if account.failures and account.failed:
        return Verdict(reason=word(account.failures[0].reason), message=_failures(account))
    return Verdict(reason=Word.NODES_REFUSED.value, message=refusal(account)) if account.waiting else None


def _all_skipped(account: Account) -> Verdict:
    first = account.skips[0] if account.skips else ReasonCount(reason=Reason.NO_AGENT.value, count=account.skipped)
    return Verdict(reason=word(first.reason), message=f"every selected node is skipped: {_groups(account.skips)}")


def _lasting_stall(job: SeenJob, account: Account, *, earlier: Conditions, had_warm: int) -> Verdict | None:
    """Keep what was said of failures while they are tried again: each new round would end and begin it."""
    said = condition(earlier, STALLED)
    reason = str(said.get("reason", ""))
    is_said = said.get("status") == "True" and said.get("observedGeneration") == job.generation
    if not is_said or reason not in NEEDS_A_PERSON or not account.open or account.warm > had_warm:
        return None
    return Verdict(reason=reason, message=str(said.get("message", "")))


def refusal(account: Account) -> str:
    """Say which nodes' NodeImages take no write."""
    count = len(account.refused)
    what = "node takes" if count == 1 else "nodes take"
    return f"{count} {what} no write: {names(account.refused, count=count)}"


def _failures(account: Account) -> str:
    return f"{account.failed} of {account.desired} nodes failed: {_groups(account.failures)}"


def _groups(groups: Sequence[ReasonCount]) -> str:
    """Say what there is of each reason, and one's own words: "2 ImageNotFound (a, b: no such tag), 1 DiskLow (c)"."""
    return ", ".join(_group(group) for group in groups)


def _group(group: ReasonCount) -> str:
    said = ": ".join(part for part in (names(group.nodes, count=group.count), group.message) if part)
    return f"{group.count} {group.reason}" + (f" ({said})" if said else "")


def _ready(account: Account, outcome: Outcome) -> tuple[bool, Verdict]:
    """Tell whether every selected node that is not skipped is warm, and if not, why."""
    if account.selected == 0:
        uncounted = Verdict(reason=Word.IN_PROGRESS.value, message="no node is counted yet")
        return False, outcome.stall or outcome.ending or outcome.suspension or uncounted
    if account.desired and account.warm >= account.desired:
        skipped = f", {account.skipped} skipped" if account.skipped else ""
        return True, Verdict(reason=Word.ALL_WARM.value, message=f"all {account.desired} nodes have the image{skipped}")
    return False, outcome.stall or _not_finished(outcome) or _unready(account)


def _not_finished(outcome: Outcome) -> Verdict | None:
    ending = outcome.ending
    return ending if ending is not None and ending.reason == Reason.DEADLINE_EXCEEDED.value else outcome.suspension


def _unready(account: Account) -> Verdict:
    """Name the commonest failure once nothing is under way, for that is what a person looks for."""
    if account.failures and account.failed and not account.open:
        return Verdict(reason=word(account.failures[0].reason), message=_failures(account))
    if account.desired == 0:
        return _all_skipped(account)
    return Verdict(reason=Word.IN_PROGRESS.value, message=f"{account.warm} of {account.desired} nodes have the image")


def _ends(outcome: Outcome) -> list[dict[str, object]]:
    ending = outcome.ending
    if ending is None:
        goes_on = Verdict(reason=Word.IN_PROGRESS.value, message="the job has not ended")
        return [_condition(COMPLETE, goes_on, is_so=False), _condition(FAILED, goes_on, is_so=False)]
    is_failed = ending.reason in {Word.NODES_FAILED.value, Reason.DEADLINE_EXCEEDED.value}
    return [_condition(COMPLETE, ending, is_so=not is_failed), _condition(FAILED, ending, is_so=is_failed)]


def _or_not(kind: str, verdict: Verdict | None, *, outcome: Outcome, is_ready: bool) -> dict[str, object]:
    if verdict is not None:
        return _condition(kind, verdict, is_so=True)
    calm = Word.FINISHED if outcome.ending else Word.ALL_WARM if is_ready else Word.IN_PROGRESS
    message = "the job is not suspended" if kind == SUSPENDED else "nothing needs a person"
    return _condition(kind, Verdict(reason=calm.value, message=message), is_so=False)


def _condition(kind: str, verdict: Verdict, *, is_so: bool) -> dict[str, object]:
    message = verdict.message[:LONGEST_MESSAGE]
    return {"type": kind, "status": "True" if is_so else "False", "reason": verdict.reason, "message": message}


def _since(one: dict[str, object], *, earlier: Conditions, now: datetime) -> dict[str, object]:
    """Add when the condition's status last changed, as metav1.Condition asks."""
    before = condition(earlier, str(one["type"]))
    at = before.get("lastTransitionTime") if before.get("status") == one["status"] else None
    return {**one, "lastTransitionTime": at or format_time(now)}
