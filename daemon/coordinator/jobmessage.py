"""
A job's message: how far it is, in OpenKruise's own words, since scripts compare them.

Pure. What OpenKruise has no word for (suspended, stalled, nodes that take no write, no node at all) begins in the same
way. It is the column MESSAGE of `kubectl get`, which OpenKruise's v1beta1 has lost (8.2 number 15).
"""

from daemon.api.reasons import Reason
from daemon.coordinator.account import Account
from daemon.coordinator.verdicts import LATE_WORDS, Verdicts, refusal


def message_of(account: Account, verdicts: Verdicts) -> str:
    """Say how far a job is, in OpenKruise's words as far as it has some."""
    if verdicts.ending is not None:
        return _last_message(verdicts.ending.reason)
    if verdicts.stall is not None:
        progress = f", {_progress(account)}" if account.desired else ""
        return f"job is stalled{progress}: {verdicts.stall.reason}: {verdicts.stall.message}"
    if verdicts.suspension is not None:
        return f"job is suspended, {_progress(account)}"
    refused = f", {refusal(account)}" if account.refused else ""
    return f"job is running, {_progress(account)}{refused}"


def _last_message(reason: str) -> str:
    if reason == Reason.DEADLINE_EXCEEDED.value:
        return LATE_WORDS
    return "job has completed" + (", no node is selected" if reason == Reason.NO_NODES_SELECTED.value else "")


def _progress(account: Account) -> str:
    if not account.desired:
        return "no progress"
    return f"progress {100 * (account.succeeded + account.failed) / account.desired:.1f}%"
