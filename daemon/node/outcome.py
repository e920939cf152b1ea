"""
What follows an attempt's end for its task: done, another attempt and when, or failed.

Pure: a task and an end in, the next task out. What the node as a whole learns from it is transitions.py's.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.node.backoff import ErrorClass, error_class
from daemon.node.eviction import eviction_note
from daemon.node.task import AttemptEnd, CancelCause, Ending, Running, Task


SPACE_RECHECK_SECONDS = 2.0
INTERRUPTIONS_FREE = 3


class Draws(msgspec.Struct, frozen=True, kw_only=True):
    """Where waits come from: `backoff` by attempt number, `throttle` by a registry's pauses in a row; in seconds."""

    backoff: Callable[[int], float]
    throttle: Callable[[int], float]


def after(task: Task, *, end: AttemptEnd, running: Running, now: Moment, draws: Draws) -> Task:
    """
    Return the task as it goes on after an attempt's end.

    Args:
        task: with no attempt running any more.
        end: what the attempt came to.
        running: the attempt, as it ran.
        now: this moment.
        draws: where waits come from.
    """
    seconds = now.seconds - running.since_seconds
    if running.is_outdated:
        return replace(task, phase=Phase.WAITING, progress=None)
    if end.ending is Ending.DONE:
        return _done(task, end=end, now=now)
    if end.ending is Ending.LOW_SPACE or end.cause is CancelCause.LOW_SPACE:
        return _low(task, end=end, running=running, now=now)
    if end.ending is Ending.RUNTIME_DOWN:
        return _interrupted(task, end=end, seconds=seconds, now=now, draws=draws)
    if end.cause in {CancelCause.SUSPENDED, CancelCause.STOPPING, CancelCause.WITHDRAWN}:
        return _unspent(task)
    return _failed_attempt(task, end=_in_words(task, end), seconds=seconds, now=now, draws=draws)


def _done(task: Task, *, end: AttemptEnd, now: Moment) -> Task:
    done = replace(
        task,
        digest=end.digest,
        is_changed=bool(task.is_changed) or bool(end.is_changed),
        low_since_seconds=None,
        needed_bytes=0,
        interruptions=0,
        is_refill=False,
        is_held=task.is_held and not end.is_fetched,
        held_digest="",
        is_hold_stale=False,
        progress=None,
    )
    if task.is_pull_due_again:
        return replace(done, phase=Phase.WAITING, is_pull_due_again=False, attempt=0, spent_seconds=0.0)
    reason, message = eviction_note(task, now=now)
    return replace(done, phase=Phase.SUCCEEDED, completed_at=now.at, reason=reason, message=message)


def _unspent(task: Task) -> Task:
    return replace(task, phase=Phase.WAITING, attempt=max(0, task.attempt - 1), progress=None)


def _low(task: Task, *, end: AttemptEnd, running: Running, now: Moment) -> Task:
    """
    Wait for space without spending an attempt.

    A pull that met the floor on its way has dropped what it had fetched. It is not begun again before there is room
    for all of that twice, as it travels and unpacked, or it would fetch the same beginning for ever. Each such end
    doubles what is asked for, since an image can unpack to a multiple of its size.
    """
    needed_bytes = 2 * max(running.missing_bytes, task.needed_bytes) if running.missing_bytes else task.needed_bytes
    since = task.low_since_seconds if task.low_since_seconds is not None else now.seconds
    waiting = replace(_unspent(task), low_since_seconds=since, needed_bytes=needed_bytes)
    not_before = now.seconds + SPACE_RECHECK_SECONDS
    return replace(waiting, reason=Reason.DISK_LOW, message=end.message, not_before_seconds=not_before)


def _interrupted(task: Task, *, end: AttemptEnd, seconds: float, now: Moment, draws: Draws) -> Task:
    """
    Spend no attempt on a runtime that went away, but not for ever.

    A runtime that dies of this very pull again and again would otherwise never be left alone.
    """
    if task.interruptions >= INTERRUPTIONS_FREE:
        return _failed_attempt(task, end=end, seconds=seconds, now=now, draws=draws)
    again = replace(_unspent(task), interruptions=task.interruptions + 1)
    not_before = now.seconds + draws.backoff(again.interruptions)
    return replace(again, reason=Reason.RUNTIME_UNAVAILABLE, message=end.message, not_before_seconds=not_before)


def _in_words(task: Task, end: AttemptEnd) -> AttemptEnd:
    """Give a cancelled attempt the reason and words of its cause."""
    if end.cause is CancelCause.TIMEOUT:
        words = f"no end within timeoutSeconds ({task.wanted.timeout_seconds})"
        return replace(end, reason=Reason.ATTEMPT_TIMEOUT, message=words)
    if end.cause is CancelCause.DEADLINE:
        return replace(end, reason=Reason.DEADLINE_EXCEEDED, message=_deadline_words(task))
    return end


def _deadline_words(task: Task) -> str:
    return f"pulling exceeds activeDeadlineSeconds ({task.wanted.active_deadline_seconds})"


def _failed_attempt(task: Task, *, end: AttemptEnd, seconds: float, now: Moment, draws: Draws) -> Task:
    reason = end.reason or Reason.PULL_FAILED
    noted = replace(
        task, reason=reason, message=end.message, spent_seconds=task.spent_seconds + seconds, low_since_seconds=None
    )
    if _is_last(noted, reason):
        return failed(noted, now=now)
    wait_seconds = 0.0 if error_class(reason) is ErrorClass.THROTTLED else draws.backoff(max(1, noted.attempt))
    deadline = noted.wanted.active_deadline_seconds
    if deadline is not None and noted.spent_seconds + wait_seconds >= deadline:
        words = f"{_deadline_words(noted)}; the last attempt: {reason}: {end.message}"
        return failed(replace(noted, reason=Reason.DEADLINE_EXCEEDED, message=words), now=now)
    return replace(
        noted,
        phase=Phase.WAITING,
        not_before_seconds=now.seconds + wait_seconds,
        spent_seconds=noted.spent_seconds + wait_seconds,
    )


def _is_last(task: Task, reason: Reason) -> bool:
    is_permanent = error_class(reason) is ErrorClass.PERMANENT or reason is Reason.DEADLINE_EXCEEDED
    return is_permanent or task.attempt >= task.attempts_allowed


def failed(task: Task, *, now: Moment) -> Task:
    """End a task as Failed, with the reason and message that it has."""
    return replace(
        task, phase=Phase.FAILED, completed_at=now.at, is_pull_due_again=False, is_refill=False, progress=None
    )
