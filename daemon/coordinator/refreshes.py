"""
Which renewals belong together: those of one fire of a schedule, or of one `at`. Pure.

A job without either renews each node by itself, a day after its last success: that is no refresh that begins and ends.
"""

from datetime import datetime

from daemon.api.imagepulljob import ImagePullJob, Refresh
from daemon.api.times import later
from daemon.coordinator.records import JobRecord
from daemon.coordinator.standing import Standing
from daemon.entries import place_in_spread


def fire_of(job: ImagePullJob, *, due_at: datetime, node: str) -> datetime | None:
    """Return the fire, or `at`, for which a node's renewal is due; None where it is the node's own."""
    refresh = job.template.prewarm.refresh or Refresh()
    if refresh.at is not None and due_at == refresh.at:
        return due_at
    if refresh.schedule is None:
        return None
    return due_at - place_in_spread(node, spread_seconds=refresh.spread_seconds or 0)


def may_come_early(job: ImagePullJob, *, due_at: datetime, node: str, now: datetime) -> bool:
    """Tell whether a renewal counts for what it is due by if it is granted now: not before that fire."""
    fire = fire_of(job, due_at=due_at, node=node)
    return fire is None or fire <= now


def refresh_deadline(record: JobRecord) -> datetime | None:
    """Tell until when nodes may begin, or might have, in a job's latest refresh; None without one or a bound."""
    if record.task is None or record.last_refresh is None:
        return None
    refresh = record.task.job.template.prewarm.refresh or Refresh()
    if refresh.schedule is None or refresh.starting_deadline_seconds is None:
        return None
    return later(record.last_refresh, seconds=refresh.starting_deadline_seconds)


def begins(record: JobRecord, standing: Standing, *, node: str) -> bool:
    """Tell whether a node's renewal is the first of its fire, rather than one more of a refresh that is under way."""
    due_at = standing.was_due_at or standing.due_at
    if record.task is None or due_at is None:
        return False
    fire = fire_of(record.task.job, due_at=due_at, node=node)
    if fire is None:
        return False
    return not record.is_refreshing or record.last_refresh is None or fire > record.last_refresh
