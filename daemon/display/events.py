"""
What happened, as a person would tell it: the difference between two states of a node, in events.

Pure. An event's name and fields are what a pipe gets as JSON: documented in docs/run.md, and only ever added to.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.node.report import percent_of
from daemon.node.task import NodeState, Task


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One thing that happened, at `time`.

    Names: pull_started, pull_progressed, attempt_failed, image_pulled, image_present, image_failed, image_lost,
    image_withdrawn, image_suspended, waiting_for_space, runtime_lost, runtime_found, notice, run_finished.
    """

    time: datetime
    event: str
    image: str = ""
    version: int = 0
    attempt: int = 0
    attempts_allowed: int = 0
    stage: str = ""
    percent: int | None = None
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: int | None = None
    eta_seconds: int | None = None
    layers_unpacked: int = 0
    layers_total: int = 0
    digest: str = ""
    image_id: str = ""
    changed: bool | None = None
    reason: str = ""
    message: str = ""
    retry_in_seconds: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    seconds: float | None = None


def events_between(before: NodeState, after: NodeState, *, now: Moment) -> Iterator[Event]:
    """Tell what happened from one state to the next, task by task."""
    if before.is_runtime_up and not after.is_runtime_up:
        why = after.runtime_problem
        yield Event(time=now.at, event="runtime_lost", reason=Reason.RUNTIME_UNAVAILABLE, message=why)
    if not before.is_runtime_up and after.is_runtime_up:
        yield Event(time=now.at, event="runtime_found")
    for key, task in after.tasks.items():
        earlier = before.tasks.get(key)
        if earlier is not task:
            yield from _of_task(earlier, task, now=now)
    for key in before.tasks.keys() - after.tasks.keys():
        yield Event(time=now.at, event="image_withdrawn", image=before.tasks[key].wanted.image)


def _of_task(before: Task | None, task: Task, *, now: Moment) -> Iterator[Event]:
    name = _name(before, task)
    if name:
        yield _event(name, task, now=now)


def _name(before: Task | None, task: Task) -> str:
    """Name the change; at most one thing happens to a task at once."""
    if task.is_adopted:
        return ""
    if task.is_ended:
        return "" if before and before.is_ended and before.wanted.version == task.wanted.version else _end_name(task)
    if before is None:
        return "image_suspended" if task.wanted.is_suspended else ""
    if before.phase is Phase.SUCCEEDED and task.is_refill:
        return "image_lost"
    if task.wanted.is_suspended and not before.wanted.is_suspended:
        return "image_suspended"
    return _pull_name(before, task)


def _pull_name(before: Task, task: Task) -> str:
    if task.phase is Phase.PULLING and before.phase is not Phase.PULLING:
        return "pull_started"
    if before.running and not task.running:
        return _pause_name(before, task)
    return "pull_progressed" if task.progress and task.progress != before.progress else ""


def _end_name(task: Task) -> str:
    if task.phase is Phase.FAILED:
        return "image_failed"
    return "image_pulled" if task.is_fetched else "image_present"


def _pause_name(before: Task, task: Task) -> str:
    if task.wanted.is_suspended:
        return ""
    if task.reason is Reason.DISK_LOW:
        return "waiting_for_space" if before.low_since_seconds is None else ""
    # A runtime that went away costs no attempt; runtime_lost has told of it.
    is_spent = task.attempt >= before.attempt
    return "attempt_failed" if task.reason and is_spent else ""


def _event(name: str, task: Task, *, now: Moment) -> Event:
    progress = task.progress
    wait = task.not_before_seconds - now.seconds
    event = Event(
        time=now.at,
        event=name,
        image=task.wanted.image,
        version=task.wanted.version,
        attempt=task.attempt,
        attempts_allowed=task.attempts_allowed,
        digest=task.digest,
        image_id=task.image_id,
        changed=task.is_changed if task.is_ended else None,
        reason=task.reason or "",
        message=task.message,
        retry_in_seconds=round(wait) if name == "attempt_failed" and wait > 0 else None,
        seconds=_seconds(task),
    )
    if progress is None:
        return event
    return msgspec.structs.replace(
        event,
        stage=progress.stage,
        percent=percent_of(task) if progress.bytes_total else None,
        bytes_done=progress.bytes_done,
        bytes_total=progress.bytes_total,
        bytes_per_second=_rounded(progress.bytes_per_second),
        eta_seconds=_rounded(progress.eta_seconds),
        layers_unpacked=progress.layers_unpacked,
        layers_total=progress.layers_total,
    )


def _seconds(task: Task) -> float | None:
    if task.started_at is None or task.completed_at is None:
        return None
    return round((task.completed_at - task.started_at).total_seconds(), 3)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
