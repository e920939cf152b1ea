"""
When a node gets its next turn of a Never job after one has ended: a renewal, or another round of what failed.

Pure. The times of renewals and rounds by themselves are entries.py's; here they meet. Who is granted first when several
are due is plan.py's, and what a turn makes of the node's tag entry entry.py's.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from daemon.api.fields import INT32_MAX
from daemon.api.imagepulljob import CompletionType, ImagePullJob, Refresh
from daemon.api.nodeimage import Phase
from daemon.api.reasons import PERMANENT
from daemon.api.schedule import find_time_zone, latest_fire
from daemon.entries import NOT_AGAIN, next_renewal, next_round, place_in_spread


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """
    A node's next turn.

    Attributes:
        due_at: not later than now means at once; entries.NOT_AGAIN: there is none.
        round: what the entry's `round` becomes when the turn is granted.
        is_renewal: it asks anew for what the node should have; otherwise it repeats what failed.
        lapses_at: a turn that is due and was not granted by then (startingDeadlineSeconds) is none any more.
    """

    due_at: datetime
    round: int = 0
    is_renewal: bool = False
    lapses_at: datetime = NOT_AGAIN


NO_TURN: Final = Turn(due_at=NOT_AGAIN)


def next_turn(  # noqa: PLR0913  one ended turn, as the tally has it
    job: ImagePullJob,
    *,
    phase: Phase,
    reason: str,
    granted_at: datetime,
    ended_at: datetime,
    round: int,  # noqa: A002  the field's name
    has_image: bool,
    now: datetime,
    node: str,
) -> Turn:
    """
    Return the next turn of a node whose last one has ended.

    After a success it is the renewal; after a failure the next round, or a renewal that comes first (a fire, or `at`).
    A node that has an older image gets no round later than startingDeadlineSeconds after what began its refresh, and
    waits for the next fire then; a node that has none gets its rounds for ever.

    Args:
        job: an Always job gives each node one turn: NO_TURN.
        phase: how the last turn ended, Succeeded or Failed.
        reason: of a failure.
        granted_at: when the last turn was granted.
        ended_at: when it ended.
        round: of the last turn.
        has_image: the node has an image, however old.
        now: this moment.
        node: the node's name.
    """
    if job.template.completion_policy.type is not CompletionType.NEVER:
        return NO_TURN
    renewal_at = next_renewal(job, last=granted_at, now=now, node=node)
    lapses_at = _lapse(job, granted_at=granted_at, now=now, node=node) if renewal_at <= now else NOT_AGAIN
    renewal = Turn(due_at=renewal_at, is_renewal=True, lapses_at=lapses_at)
    if phase is not Phase.FAILED:
        return renewal
    due_at = next_round(failures=round + 1, permanent=reason in PERMANENT, failed_at=ended_at)
    window_end = _window_end(job, granted_at=granted_at, node=node) if has_image else NOT_AGAIN
    if renewal_at <= due_at or max(due_at, now) > window_end:
        return renewal
    return Turn(due_at=due_at, round=min(round + 1, INT32_MAX), lapses_at=window_end)


def _lapse(job: ImagePullJob, *, granted_at: datetime, now: datetime, node: str) -> datetime:
    """Tell until when a renewal that is due may begin: what a fire began has its window, what `at` asks has none."""
    refresh = job.template.prewarm.refresh or Refresh()
    if refresh.at is not None and granted_at < refresh.at <= now:
        return NOT_AGAIN
    return _window_end(job, granted_at=now, node=node)


def _window_end(job: ImagePullJob, *, granted_at: datetime, node: str) -> datetime:
    """Tell until when the refresh that a turn was part of may begin anew; without a bound for ever."""
    refresh = job.template.prewarm.refresh or Refresh()
    if refresh.schedule is None or refresh.starting_deadline_seconds is None:
        return NOT_AGAIN
    begin = _beginning(refresh, schedule=refresh.schedule, granted_at=granted_at, node=node)
    return begin + timedelta(seconds=refresh.starting_deadline_seconds)


def _beginning(refresh: Refresh, *, schedule: str, granted_at: datetime, node: str) -> datetime:
    """Return what made a turn due: the latest fire or `at` before its grant; the grant itself where there is none."""
    place = place_in_spread(node, spread_seconds=refresh.spread_seconds or 0)
    fire = latest_fire(schedule, zone=find_time_zone(refresh.time_zone), until=granted_at - place)
    given = [begin for begin in (fire, refresh.at) if begin is not None and begin <= granted_at]
    return max(given, default=granted_at)
