"""
What a node does next: which pulls start, which are cancelled, what waits and until when.

Pure: a state and the time in, decisions out. It owns no clock, no thread and no connection, so that it runs through
virtual time in tests.
"""

import msgspec

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.task import CancelCause, NodeState, Task
from daemon.node.wanted import Key


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A waiting task that fails now, and why."""

    key: Key
    reason: Reason
    message: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    The next steps: begin an attempt, cancel one, release what a withdrawn image holds, give up a waiting task.

    `wake_seconds` is when to plan again though nothing happens; None where only an event can change anything.
    """

    start: tuple[Key, ...] = ()
    cancel: tuple[tuple[Key, CancelCause], ...] = ()
    release: tuple[Key, ...] = ()
    give_up: tuple[GivenUp, ...] = ()
    wake_seconds: float | None = None


def plan(state: NodeState, *, now_seconds: float, slots: int) -> Plan:
    """Decide the next steps of a node that may run `slots` attempts at once."""
    give_up = tuple(_given_up(state, now_seconds=now_seconds))
    dead = {one.key for one in give_up}
    startable = [key for key in _in_order(state, now_seconds=now_seconds) if key not in dead]
    return Plan(
        start=tuple(_admitted(state, startable, slots=slots)),
        cancel=tuple(_cancels(state, now_seconds=now_seconds)),
        release=tuple(_releases(state)),
        give_up=give_up,
        wake_seconds=min(_wakes(state, now_seconds=now_seconds), default=None),
    )


def running_count(state: NodeState) -> int:
    """Count the slots in use; a cancelled pull keeps its slot until the runtime has ended it."""
    ending = sum(1 for leaving in state.leaving.values() if leaving.serial is not None)
    return ending + sum(1 for task in state.tasks.values() if task.running)


def attempt_limit_seconds(task: Task) -> tuple[float, CancelCause]:
    """Tell how long an attempt may run, and which bound that is: the timeout or what is left of the deadline."""
    deadline = task.wanted.active_deadline_seconds
    left = float("inf") if deadline is None else deadline - task.spent_seconds
    if left < task.wanted.timeout_seconds:
        return left, CancelCause.DEADLINE
    return float(task.wanted.timeout_seconds), CancelCause.TIMEOUT


def _in_order(state: NodeState, *, now_seconds: float) -> list[Key]:
    """List what may start now: higher priority first, then the longest waiting."""
    if not state.is_runtime_up:
        return []
    busy = _busy_images(state)
    idle = {key: task for key, task in state.tasks.items() if task.wanted.image not in busy}
    keys = [key for key, task in idle.items() if _is_startable(state, task, now_seconds=now_seconds)]
    return sorted(keys, key=lambda key: _rank(state.tasks[key]))


def _rank(task: Task) -> tuple[int, float, float]:
    """Rank by priority, then by when we saw it, then (after a restart all are seen at once) by createdAt."""
    created_at = task.wanted.created_at
    return -task.wanted.priority, task.seen_seconds, created_at.timestamp() if created_at else float("inf")


def _is_startable(state: NodeState, task: Task, *, now_seconds: float) -> bool:
    is_idle = task.running is None and task.phase is Phase.WAITING
    is_allowed = not task.wanted.is_suspended and task.wanted.reference is not None
    throttle = state.throttles.get(task.wanted.registry)
    is_served = throttle is None or throttle.until_seconds <= now_seconds
    return is_idle and is_allowed and is_served and task.not_before_seconds <= now_seconds


def _admitted(state: NodeState, startable: list[Key], *, slots: int) -> list[Key]:
    """
    Fill the free slots.

    A registry that was throttling gets one pull at a time until one has succeeded. Pulls that have met the disk floor
    go one at a time too: together they would meet it again, where one alone fits.
    """
    free = slots - running_count(state)
    probed = {task.wanted.registry for task in state.tasks.values() if task.running} & set(state.throttles)
    is_tight = any(task.running and task.needed_bytes for task in state.tasks.values())
    admitted: list[Key] = []
    images: set[str] = set()
    for key in startable:
        wanted, needs_room = state.tasks[key].wanted, state.tasks[key].needed_bytes > 0
        if len(admitted) >= free:
            break
        if wanted.registry in probed or wanted.image in images or (needs_room and is_tight):
            continue
        admitted.append(key)
        images.add(wanted.image)
        is_tight = is_tight or needs_room
        if wanted.registry in state.throttles:
            probed.add(wanted.registry)
    return admitted


def _busy_images(state: NodeState) -> set[str]:
    """Name the images that a worker pulls or lets go of: two keys of one image (a short and a long name) share one."""
    leaving = {leaving.image for leaving in state.leaving.values()}
    return leaving | {task.wanted.image for task in state.tasks.values() if task.running}


def _releases(state: NodeState) -> list[Key]:
    pulled = {task.wanted.image for task in state.tasks.values() if task.running}
    return [key for key, leaving in state.leaving.items() if leaving.serial is None and leaving.image not in pulled]


def _cancels(state: NodeState, *, now_seconds: float) -> list[tuple[Key, CancelCause]]:
    is_new = (item for item in state.leaving.items() if item[1].serial is not None and not item[1].is_told)
    cancels = [(key, CancelCause.WITHDRAWN) for key, _ in is_new]
    for key, task in state.tasks.items():
        if task.running is None or task.running.cause is not None:
            continue
        limit, cause = attempt_limit_seconds(task)
        if task.wanted.is_suspended:
            cancels.append((key, CancelCause.SUSPENDED))
        elif now_seconds >= task.running.since_seconds + limit:
            cancels.append((key, cause))
    return cancels


def _given_up(state: NodeState, *, now_seconds: float) -> list[GivenUp]:
    gone = []
    for key, task in state.tasks.items():
        if task.phase is not Phase.WAITING or task.running is not None or task.wanted.is_suspended:
            continue
        if task.wanted.reference is None:
            gone.append(GivenUp(key=key, reason=Reason.INVALID_REFERENCE, message=task.wanted.problem))
        elif now_seconds >= _low_until_seconds(task):
            gone.append(GivenUp(key=key, reason=Reason.DISK_LOW, message=task.message))
    return gone


def _low_until_seconds(task: Task) -> float:
    if task.low_since_seconds is None:
        return float("inf")
    return task.low_since_seconds + task.wanted.timeout_seconds


def _wakes(state: NodeState, *, now_seconds: float) -> list[float]:
    """List the instants after now at which time alone changes the plan."""
    wakes = [throttle.until_seconds for throttle in state.throttles.values()]
    for task in state.tasks.values():
        if task.running and task.running.cause is None:
            wakes.append(task.running.since_seconds + attempt_limit_seconds(task)[0])
        elif task.phase is Phase.WAITING:
            wakes += [task.not_before_seconds, _low_until_seconds(task)]
    return [at for at in wakes if now_seconds < at < float("inf")]
