"""
How a node's state changes by what happened: new wishes, an attempt's begin and end, progress, a lost image.

Pure: each function takes a state and returns the next. What an end means for its task is outcome.py's, what to do next
plan.py's, doing it loop.py's.
"""

from collections.abc import Collection

from msgspec.structs import replace

from daemon.api.nodeimage import ImagePullPolicy, Phase
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.node.adoption import adopted
from daemon.node.eviction import evicted
from daemon.node.outage import held_up, let_go
from daemon.node.outcome import Draws, after, failed
from daemon.node.task import AttemptEnd, CancelCause, Ending, Leaving, NodeState, Running, Task, Throttle
from daemon.node.wanted import Key, Wanted, WantedImage
from daemon.runtime.interface import Progress


NOTHING = WantedImage(key=Key("", ""), version=0, reference=None)


def want(state: NodeState, wanted: Wanted, *, now: Moment) -> NodeState:
    """
    Take over what is wanted now: add, adopt, edit and withdraw tasks.

    Another uid is another object: nothing of the old one's answers counts. A withdrawn task moves to `leaving`, which
    keeps its key from starting until its worker has ended the pull and released the hold.
    """
    is_same = state.uid == wanted.uid
    # Of what is wanted first of all an earlier process may have left a hold.
    new = Task(wanted=NOTHING, seen_seconds=now.seconds, is_held=not state.is_wanted_known)
    tasks = {
        image.key: _taken_over(task, image, is_same=is_same, new=new)
        if (task := state.tasks.get(image.key))
        else adopted(replace(new, wanted=image), wanted.answers.get(image.key))
        for image in wanted.images
    }
    if not state.is_runtime_up:
        tasks = {key: held_up(task, problem=state.runtime_problem) for key, task in tasks.items()}
    images = {task.wanted.image for task in tasks.values()}
    gone = {key: task for key, task in state.tasks.items() if key not in tasks}
    leaving = {key: _leave(task) for key, task in gone.items() if _has_to_leave(task, images=images)}
    return replace(
        state,
        uid=wanted.uid,
        generation=wanted.generation,
        tasks=tasks,
        leaving={**leaving, **state.leaving},
        throttles=_still_told(state.throttles, tasks, now=now),
        is_wanted_known=True,
    )


def _still_told(throttles: dict[str, Throttle], tasks: dict[Key, Task], *, now: Moment) -> dict[str, Throttle]:
    """Forget a registry that nothing is wanted of any more, once its pause is over."""
    registries = {task.wanted.registry for task in tasks.values()}
    return {
        name: throttle
        for name, throttle in throttles.items()
        if name in registries or throttle.until_seconds > now.seconds
    }


def _taken_over(task: Task, image: WantedImage, *, is_same: bool, new: Task) -> Task:
    if is_same and task.wanted.version == image.version:
        return _edited(task, image)
    if task.running and task.running.cause is None:
        return _adopted(task, image)
    outdated = replace(task.running, is_outdated=True) if task.running else None
    fresh = replace(new, wanted=image, image_id=task.image_id, digest=task.digest, evicted_seconds=task.evicted_seconds)
    held = replace(fresh, is_held=task.is_held, held_digest=task.held_digest, is_hold_stale=task.is_hold_stale)
    return replace(held, running=outdated)


def _edited(task: Task, image: WantedImage) -> Task:
    """Take over other settings of the same version; who is suspended does not wait for space."""
    low_since = None if image.is_suspended else task.low_since_seconds
    return replace(task, wanted=image, low_since_seconds=low_since)


def _adopted(task: Task, image: WantedImage) -> Task:
    """Let the running pull answer the new version too; under Always one more, cheap, pull follows."""
    is_due_again = task.is_pull_due_again or image.image_pull_policy is ImagePullPolicy.ALWAYS
    renewed = replace(task, wanted=image, attempt=1, spent_seconds=0.0, low_since_seconds=None)
    return replace(renewed, is_pull_due_again=is_due_again)


def _has_to_leave(task: Task, *, images: Collection[str]) -> bool:
    """Tell whether a withdrawn task still has a pull to end, or a hold that no other key of its image goes on with."""
    return task.running is not None or (task.is_held and task.wanted.image not in images)


def _leave(task: Task) -> Leaving:
    return Leaving(image=task.wanted.image, serial=task.running.serial if task.running else None)


def begin(state: NodeState, key: Key, *, serial: int, now: Moment) -> NodeState:
    """Note that worker `serial` begins the next attempt of a task; it answers every version up to this one."""
    task = state.tasks[key]
    running = Running(serial=serial, since_seconds=now.seconds)
    begun = replace(task, running=running, attempt=task.attempt + 1, is_pull_due_again=False)
    begun = replace(begun, is_hold_stale=False)
    return _put(state, key, replace(begun, started_at=task.started_at or now.at, progress=None))


def pulling(state: NodeState, key: Key, *, serial: int) -> NodeState:
    """Note that the attempt has found something to fetch, asks the registry now and holds what it gets."""
    task = _task_of(state, key, serial=serial)
    if task is None:
        return state
    return _put(state, key, replace(task, phase=Phase.PULLING, is_held=True, reason=None, message=""))


def cancelling(state: NodeState, key: Key, *, cause: CancelCause) -> NodeState:
    """Note that the running attempt has been told to stop, and why."""
    if cause is CancelCause.WITHDRAWN:
        return replace(state, leaving={**state.leaving, key: replace(state.leaving[key], is_told=True)})
    task = state.tasks[key]
    if task.running is None:
        return state
    return _put(state, key, replace(task, running=replace(task.running, cause=cause)))


def releasing(state: NodeState, key: Key, *, serial: int) -> NodeState:
    """Note that worker `serial` releases what a withdrawn image still holds."""
    return replace(state, leaving={**state.leaving, key: replace(state.leaving[key], serial=serial, is_told=True)})


def progressed(state: NodeState, key: Key, *, serial: int, progress: Progress) -> NodeState:
    """Take over how far a running attempt is; of an attempt that is no longer the task's, nothing."""
    task = _task_of(state, key, serial=serial)
    if task is None or task.running is None:
        return state
    missing_bytes = task.running.missing_bytes or max(0, progress.bytes_total - progress.bytes_done)
    running = replace(task.running, missing_bytes=missing_bytes)
    return _put(state, key, replace(task, running=running, progress=progress))


def _task_of(state: NodeState, key: Key, *, serial: int) -> Task | None:
    """Find the task that worker `serial` still works for; late words of an earlier worker find none."""
    task = state.tasks.get(key)
    return task if task and task.running and task.running.serial == serial else None


def ended(state: NodeState, key: Key, *, serial: int, end: AttemptEnd, now: Moment, draws: Draws) -> NodeState:
    """Take over an attempt's end and decide what follows: done, failed, or another attempt and when."""
    if key in state.leaving and state.leaving[key].serial == serial:
        return _left(state, key, end=end)
    task = _task_of(state, key, serial=serial)
    if task is None or task.running is None:
        return state
    running = task.running
    image_id = task.image_id if end.image_id is None else end.image_id
    task = replace(task, running=None, image_id=image_id, is_fetched=task.is_fetched or end.is_fetched)
    task = _with_held_digest(task)
    state = replace(state, throttles=_throttles(state, task, end=end, running=running, now=now, draws=draws))
    if end.ending is Ending.RUNTIME_DOWN:
        state = runtime_away(state, problem=end.message)
    return _put(state, key, after(task, end=end, running=running, now=now, draws=draws))


def _with_held_digest(task: Task) -> Task:
    """Note which manifest the hold is of; where the tag has moved since the last attempt, it holds what is useless."""
    digest = task.progress.digest if task.progress else ""
    is_stale = bool(digest and task.held_digest and digest != task.held_digest)
    return replace(task, held_digest=digest or task.held_digest, is_hold_stale=task.is_hold_stale or is_stale)


def _left(state: NodeState, key: Key, *, end: AttemptEnd) -> NodeState:
    """Forget a withdrawn image, or have its hold released where its worker ended before it heard of the withdrawal."""
    if end.cause is CancelCause.WITHDRAWN or end.is_fetched or end.ending is Ending.LOW_SPACE:
        return replace(state, leaving={k: v for k, v in state.leaving.items() if k != key})
    return replace(state, leaving={**state.leaving, key: replace(state.leaving[key], serial=None)})


def _put(state: NodeState, key: Key, task: Task) -> NodeState:
    return replace(state, tasks={**state.tasks, key: task})


def given_up(state: NodeState, key: Key, *, reason: Reason, message: str, now: Moment) -> NodeState:
    """Fail a task that does not run: it waited too long for space, or names no image."""
    task = replace(state.tasks[key], reason=reason, message=message)
    return _put(state, key, failed(task, now=now))


def _throttles(
    state: NodeState, task: Task, *, end: AttemptEnd, running: Running, now: Moment, draws: Draws
) -> dict[str, Throttle]:
    """
    Grow the registry's pause after a 429; forget it after a pull that succeeded, since the registry serves again.

    An attempt begun before the pause tells nothing new: several pulls that meet one limit together are one pause.
    """
    registry = task.wanted.registry
    throttle = state.throttles.get(registry)
    if throttle is not None and running.since_seconds < throttle.until_seconds:
        return state.throttles
    others = {name: other for name, other in state.throttles.items() if name != registry}
    if end.ending is Ending.DONE and end.is_fetched:
        return others
    if end.reason is not Reason.REGISTRY_THROTTLED:
        return state.throttles
    pauses = throttle.pauses + 1 if throttle else 1
    return {**others, registry: Throttle(until_seconds=now.seconds + draws.throttle(pauses), pauses=pauses)}


def runtime_away(state: NodeState, *, problem: str) -> NodeState:
    """Note that the runtime does not answer, and why: nothing starts until it does, and what waits says so."""
    tasks = {key: held_up(task, problem=problem) for key, task in state.tasks.items()}
    return replace(state, tasks=tasks, is_runtime_up=False, runtime_problem=problem)


def runtime_answers(state: NodeState, *, runtime: str = "") -> NodeState:
    """Note that the runtime answers, and as what, so that waiting tasks may start."""
    tasks = {key: let_go(task) for key, task in state.tasks.items()}
    answering = replace(state, tasks=tasks, is_runtime_up=True, runtime_problem="", runtime=runtime or state.runtime)
    return state if answering == state else answering


def seen(state: NodeState, key: Key, *, told_id: str, image_id: str) -> NodeState:
    """Note what lies on the node for a standing task, where that is still what the look was compared with."""
    task = state.tasks.get(key)
    if task is None or task.running is not None or task.image_id != told_id:
        return state
    return _put(state, key, replace(task, image_id=image_id))


def lost(state: NodeState, key: Key, *, now: Moment) -> NodeState:
    """Note that a standing image is gone from the node; of one being pulled the pull's end tells."""
    task = state.tasks.get(key)
    if task is None or task.running is not None:
        return state
    return _put(state, key, evicted(task, now=now))
