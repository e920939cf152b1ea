"""
The part of a job's status that is Prewarm's alone: `status.prewarm`, whose fields OpenKruise's CRDs do not know.

Pure. The four groups of nodes always add up to all that are selected. Where OpenKruise keeps reasons in each NodeImage
and names every failed node (8.2 number 14), lists here are bounded.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from daemon.api.fields import INT64_MAX
from daemon.api.times import format_time, time_or_none
from daemon.coordinator.account import DIGESTS, NODES_A_REASON, REASONS, Account, ReasonCount
from daemon.coordinator.conditions import LONGEST_MESSAGE
from daemon.coordinator.verdicts import word


LONGEST_DIGEST: Final = 256
LONGEST_ETA: Final = timedelta(days=365)
# What entries.NOT_AGAIN stands for.
_NEVER_YEAR: Final = 9999

Fields = dict[str, object]


def prewarm_of(
    account: Account, *, earlier: Mapping[str, object], is_moving: bool, is_refreshing: bool, now: datetime
) -> Fields:
    """
    Return `status.prewarm`.

    Args:
        account: where the job's nodes stand.
        earlier: the whole status that was said before.
        is_moving: nodes that are open will be served: there is an eta.
        is_refreshing: a renewal runs: when the next one begins is told once it is over.
        now: this moment.
    """
    fields: Fields = {
        "summary": f"{account.warm}/{account.selected}",
        "nodes": {
            "warm": account.warm,
            "stale": account.stale,
            "cold": account.cold,
            "skipped": account.skipped,
        },
        "pulling": account.pulling,
        "waiting": account.waiting,
    }
    if account.pulling and account.bytes_total:
        fields["bytes"] = {"done": min(account.bytes_done, INT64_MAX), "total": min(account.bytes_total, INT64_MAX)}
    lists = {
        "digests": _digests(account),
        "failures": groups_told(account.failures),
        "skipped": groups_told(account.skips),
    }
    times = {
        "eta": _eta(account, earlier=earlier, now=now) if is_moving else None,
        "lastRefreshTime": _time(account.last_refresh) or prewarm(earlier).get("lastRefreshTime"),
        "nextRefreshTime": None if is_refreshing else _time(account.next_refresh),
    }
    return {**fields, **{name: value for name, value in [*lists.items(), *times.items()] if value}}


def is_refreshing(account: Account, *, earlier: Mapping[str, object]) -> bool:
    """
    Tell whether a renewal runs: it has begun since, or was not over, and has nodes to end on.

    What was said before tells it, by the absence of the next one's time, so that a new coordinator knows it too. A
    node that failed in it and is tried again is no renewal that goes on.
    """
    before = prewarm(earlier)
    last = _time(account.last_refresh) or before.get("lastRefreshTime")
    if not last or not before:
        return False
    was_running = "nextRefreshTime" not in before and bool(before.get("lastRefreshTime"))
    has_begun = last != before.get("lastRefreshTime")
    return (has_begun or was_running) and bool(account.renewing or account.open)


def prewarm(status: Mapping[str, object]) -> Mapping[str, object]:
    """Return a status's `prewarm`, an empty one where it has none."""
    found = status.get("prewarm")
    return found if isinstance(found, Mapping) else {}


def number(fields: object, *path: str) -> int:
    """Return a count by where it stands, 0 where it does not."""
    for name in path:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields if isinstance(fields, int) else 0


def time_in(fields: Mapping[str, object], name: str) -> datetime | None:
    """Return a time that stands in a status; None for none, or for what is no time."""
    return time_or_none(fields.get(name))


def _time(at: datetime | None) -> str | None:
    return format_time(at) if at is not None and at.year < _NEVER_YEAR else None


def _eta(account: Account, *, earlier: Mapping[str, object], now: datetime) -> str | None:
    """
    Tell when the nodes that are open will have ended: so many at a time, each as long as this run's mean.

    As long as no node begins or ends, what was said stands, since it is a time and not a duration; once it is past,
    nobody knows.
    """
    if not account.open:
        return None
    if _counts(account) == _counts_in(earlier):
        said = time_in(prewarm(earlier), "eta")
        return format_time(said) if said is not None and said > now else None
    if account.pull_seconds is None or not math.isfinite(account.pull_seconds):
        return None
    turns = max(1.0, account.open / max(1, account.limit))
    longest = LONGEST_ETA.total_seconds()
    return format_time(now + timedelta(seconds=min(max(0.0, account.pull_seconds) * turns, longest)))


def _counts(account: Account) -> tuple[int, ...]:
    return account.granted + account.pulling, account.waiting, account.succeeded, account.failed


def _counts_in(status: Mapping[str, object]) -> tuple[int, ...]:
    paths = (("active",), ("prewarm", "waiting"), ("succeeded",), ("failed",))
    return tuple(number(status, *path) for path in paths)


def _digests(account: Account) -> list[Fields]:
    told = [(digest, nodes) for digest, nodes in account.digests if len(digest) <= LONGEST_DIGEST]
    return [{"digest": digest, "nodes": nodes} for digest, nodes in told[:DIGESTS]]


def groups_told(groups: Sequence[ReasonCount]) -> list[Fields]:
    """Return groups of nodes by reason as a status has them, the first sixteen."""
    return [_group(group) for group in groups[:REASONS]]


def _group(group: ReasonCount) -> Fields:
    told = {
        "nodes": list(group.nodes[:NODES_A_REASON]),
        "message": group.message[:LONGEST_MESSAGE],
        "retryTime": _time(group.retry_at),
    }
    return {
        "reason": word(group.reason),
        "count": group.count,
        **{name: value for name, value in told.items() if value},
    }
