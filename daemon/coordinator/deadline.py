"""
A job's counts once its deadline has passed: all that have not ended count as failed, each once.

Pure. (8.2 number 14: OpenKruise names some nodes twice, and all of them.)
"""

import msgspec

from daemon.api.reasons import Reason
from daemon.coordinator.account import MOST_NAMED, Account, ReasonCount
from daemon.coordinator.verdicts import LATE_WORDS


def past_deadline(account: Account) -> Account:
    """Count all that have not ended as failed; those that are skipped are not."""
    names = tuple(sorted({*account.failed_nodes, *account.open_nodes})[:MOST_NAMED])
    return msgspec.structs.replace(
        account,
        failed=account.failed + account.open,
        waiting=0,
        granted=0,
        pulling=0,
        failed_nodes=names,
        failures=_with_late(account),
    )


def _with_late(account: Account) -> tuple[ReasonCount, ...]:
    """Add the nodes that the deadline met to the failures, the commonest first."""
    if not account.open:
        return account.failures
    reason = Reason.DEADLINE_EXCEEDED.value
    before = [group for group in account.failures if group.reason == reason]
    nodes = sorted({name for group in before for name in group.nodes} | set(account.open_nodes))
    late = ReasonCount(
        reason=reason,
        count=account.open + sum(group.count for group in before),
        nodes=tuple(nodes),
        message=LATE_WORDS,
    )
    others = [group for group in account.failures if group.reason != reason]
    return tuple(sorted([late, *others], key=lambda group: (-group.count, group.reason)))
