"""
What a job has come to: ended, at a standstill, suspended; and why, in a word and in a person's words.

Pure. How the conditions say so is conditions.py's. (OpenKruise lets an Always job without nodes complete in silence,
and waits ten minutes with the slot of a node that is dead.)
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from daemon.api.imagepulljob import CompletionType
from daemon.api.reasons import NEEDS_A_PERSON, Reason, Word
from daemon.coordinator.account import Account, ReasonCount
from daemon.coordinator.seen import SeenJob


NAMES_TOLD: Final = 3
LATE_WORDS: Final = "job exceeds activeDeadlineSeconds"

_OF_SECRETS: Final = (Reason.SECRET_MISSING, Reason.SECRET_FORBIDDEN)
_WORD: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]{0,126}[A-Za-z0-9_])?")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Why something holds: a word, and what a person should know."""

    reason: str
    message: str


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
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

    @property
    def is_late(self) -> bool:
        """Whether its deadline ended it."""
        return self.ending is not None and self.ending.reason == Reason.DEADLINE_EXCEEDED.value


def is_always(job: SeenJob) -> bool:
    """Tell whether a job ends; one whose spec can't be used has no end."""
    return job.job is not None and job.job.template.completion_policy.type is CompletionType.ALWAYS


def is_never(job: SeenJob) -> bool:
    """Tell whether a job goes on for ever, and its spec can be used."""
    return job.job is not None and job.job.template.completion_policy.type is CompletionType.NEVER


def verdicts_of(
    job: SeenJob, account: Account, *, stalled: Mapping[str, object], had_warm: int, deadline_passed: bool
) -> Verdicts:
    """
    Return what a job has come to.

    Args:
        job: whose spec counts.
        account: where its nodes stand.
        stalled: the condition Stalled that was said before, empty for none.
        had_warm: how many warm nodes were said before.
        deadline_passed: its activeDeadlineSeconds are over.
    """
    suspension = _suspension(job, account)
    ending = _ending(job, account, is_suspended=suspension is not None, deadline_passed=deadline_passed)
    if job.problems or job.job is None:
        return Verdicts(stall=_unusable(job))
    if ending is not None or suspension is not None:
        return Verdicts(ending=ending, suspension=suspension)
    return Verdicts(stall=_stall(account) or _lasting_stall(job, account, stalled=stalled, had_warm=had_warm))


def commonest_failure(account: Account) -> Verdict | None:
    """Name the commonest reason of the nodes that have failed, and tell them all; None where none has."""
    if not account.failures or not account.failed:
        return None
    return Verdict(reason=word(account.failures[0].reason), message=_failures(account))


def all_skipped(account: Account) -> Verdict:
    """Name the commonest reason of nodes that are all left out, and tell them all."""
    first = account.skips[0] if account.skips else ReasonCount(reason=Reason.NO_AGENT.value, count=account.skipped)
    return Verdict(reason=word(first.reason), message=f"every selected node is skipped: {_groups(account.skips)}")


def refusal(account: Account) -> str:
    """Say which nodes' NodeImages take no write."""
    count = len(account.refused)
    what = "node takes" if count == 1 else "nodes take"
    return f"{count} {what} no write: {names(account.refused, count=count)}"


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
    if not is_always(job):
        return None
    if account.selected == 0:
        return None if is_suspended else _no_nodes()
    if account.desired and not account.open:
        return _ended(account)
    return Verdict(reason=Reason.DEADLINE_EXCEEDED.value, message=LATE_WORDS) if deadline_passed else None


def _ended(account: Account) -> Verdict:
    if account.failed:
        return Verdict(reason=Word.NODES_FAILED.value, message=_with_secrets(_failures(account), account))
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
        return all_skipped(account)
    if account.secret_trouble is not None and account.warm < account.desired:
        return Verdict(reason=account.secret_trouble.reason, message=account.secret_trouble.message)
    if account.granted or account.pulling or account.waiting > len(account.refused):
        return None
    return _stuck(account)


def _stuck(account: Account) -> Verdict | None:
    """Tell why nothing moves, where every node that is not warm takes no write or failed for what a person mends."""
    for_a_person = sum(group.count for group in account.failures if group.reason in NEEDS_A_PERSON)
    is_mending_itself = account.stale + account.cold > account.failed + account.waiting
    if for_a_person < account.failed or is_mending_itself:
        return None
    refused = Verdict(reason=Word.NODES_REFUSED.value, message=refusal(account)) if account.waiting else None
    return commonest_failure(account) or refused


def _lasting_stall(job: SeenJob, account: Account, *, stalled: Mapping[str, object], had_warm: int) -> Verdict | None:
    """Keep what was said of failures while they are tried again: each new round would end and begin it."""
    reason = str(stalled.get("reason", ""))
    is_said = stalled.get("status") == "True" and stalled.get("observedGeneration") == job.generation
    if account.has_secrets and reason in _OF_SECRETS:
        return None
    if not is_said or reason not in NEEDS_A_PERSON or not account.open or account.warm > had_warm:
        return None
    return Verdict(reason=reason, message=str(stalled.get("message", "")))


def _failures(account: Account) -> str:
    return f"{account.failed} of {account.desired} nodes failed: {_groups(account.failures)}"


def _with_secrets(words: str, account: Account) -> str:
    """Add which pull secret was not to be had, for that may be why nodes were denied the image, and what helps then."""
    trouble = account.secret_trouble
    return (
        words
        if trouble is None
        else f"{words}; {trouble.reason}: {trouble.message}. The job runs again when its spec is edited"
    )


def _groups(groups: Sequence[ReasonCount]) -> str:
    """Say what there is of each reason, and one's own words: "2 ImageNotFound (a, b: no such tag), 1 DiskLow (c)"."""
    return ", ".join(_group(group) for group in groups)


def _group(group: ReasonCount) -> str:
    said = ": ".join(part for part in (names(group.nodes, count=group.count), group.message) if part)
    return f"{group.count} {group.reason}" + (f" ({said})" if said else "")
