"""
`status.prewarm` of a list: what its images come to together.

Pure. The groups, and what pulls and waits, count an image on a node, so that they add up; lists of names and reasons
are bounded as a job's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from daemon.api.fields import INT64_MAX
from daemon.api.times import format_time
from daemon.coordinator.jobfields import LONGEST_ETA, Fields, groups_told, number, prewarm, time_in
from daemon.coordinator.lists.parts import GROUPS, Part, merged, total


def list_prewarm(
    parts: Sequence[Part], *, earlier: Mapping[str, object], started_at: datetime, is_moving: bool, now: datetime
) -> Fields:
    """
    Return `status.prewarm`.

    Args:
        parts: the list's images.
        earlier: the whole status that was said before.
        started_at: when this run of the list began.
        is_moving: nodes that are open will be served: there is an eta.
        now: this moment.
    """
    counts = {group: sum(part.count(group) for part in parts) for group in GROUPS}
    # An image without a job is on no node that anyone knows of.
    selected = max((_selected(part) for part in parts), default=0)
    counts["cold"] += selected * sum(not part.has_job for part in parts)
    fields: Fields = {
        "summary": f"{counts['warm']}/{sum(counts.values())}",
        "nodes": counts,
        "pulling": total(parts, "prewarm", "pulling"),
        "waiting": total(parts, "prewarm", "waiting"),
    }
    fields |= _bytes(parts)
    more = {
        "failures": groups_told(merged(parts, "failures")),
        "skipped": groups_told(merged(parts, "skipped")),
        "eta": _eta(parts, earlier=earlier, started_at=started_at, now=now) if is_moving else None,
        **_refreshes(parts),
    }
    return {**fields, **{name: value for name, value in more.items() if value}}


def times_of(parts: Iterable[Part], *path: str) -> list[datetime]:
    """Return the times that stand in the statuses under a name."""
    *outer, name = path
    found = (time_in(prewarm(part.status) if outer else part.status, name) for part in parts)
    return [at for at in found if at is not None]


def _selected(part: Part) -> int:
    return sum(part.count(group) for group in GROUPS)


def _bytes(parts: Iterable[Part]) -> Fields:
    done, whole = (min(total(parts, "prewarm", "bytes", name), INT64_MAX) for name in ("done", "total"))
    return {"bytes": {"done": done, "total": whole}} if whole else {}


def _refreshes(parts: Iterable[Part]) -> dict[str, object]:
    """Tell when the last renewal began, and once none runs when the next does."""
    going = [part for part in parts if part.goes_on]
    last, coming = times_of(going, "prewarm", "lastRefreshTime"), times_of(going, "prewarm", "nextRefreshTime")
    is_running = any(_is_refreshing(part) for part in going)
    return {
        "lastRefreshTime": format_time(max(last)) if last else None,
        "nextRefreshTime": format_time(min(coming)) if coming and not is_running else None,
    }


def _is_refreshing(part: Part) -> bool:
    told = prewarm(part.status)
    return "lastRefreshTime" in told and "nextRefreshTime" not in told


def _eta(parts: Sequence[Part], *, earlier: Mapping[str, object], started_at: datetime, now: datetime) -> str | None:
    """
    Tell when the last image is likely to be everywhere: the latest that a job tells.

    Some jobs have no end yet to tell it by. Then a list that ends goes on as it went since it began; as long as no
    node ends, what was said stands.
    """
    going = [part for part in parts if _open(part)]
    told = times_of(going, "prewarm", "eta")
    if going and len(told) == len(going):
        return format_time(max(told))
    run = [part for part in parts if not part.goes_on and (time_in(part.status, "startTime") or now) >= started_at]
    ended, still = sum(part.succeeded + part.failed for part in run), sum(_open(part) for part in run)
    if not ended or not still or now <= started_at:
        return None
    said = time_in(prewarm(earlier), "eta")
    if said is not None and said > now and _ended_in(earlier) == _ended_now(parts):
        return format_time(said)
    guess = now + min((now - started_at) / ended * still, LONGEST_ETA)
    return format_time(max([guess, *told]))


def _open(part: Part) -> int:
    return max(0, part.desired - part.succeeded - part.failed)


def _ended_now(parts: Sequence[Part]) -> tuple[int, int]:
    return sum(part.count("warm") for part in parts), sum(part.failed for part in parts)


def _ended_in(status: Mapping[str, object]) -> tuple[int, int]:
    groups = prewarm(status).get("failures")
    failures = groups if isinstance(groups, Sequence) else ()
    return number(status, "prewarm", "nodes", "warm"), sum(number(group, "count") for group in failures)
