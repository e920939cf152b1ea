"""
What a change of the node's state means for the metrics: attempts and pulls that ended, bytes, failures, evictions.

Pure but for the last class, which only hands on. A state tells how an attempt ended by what it left behind: what is
still open, what it cost, and what is known since. Names of metrics are observe/'s.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.display.events import events_between
from daemon.node.plan import running_count
from daemon.node.report import reason_of
from daemon.node.task import NodeState, Running, Task
from daemon.observe.catalogue import Result
from daemon.observe.metrics import AgentMetrics


STATES = ("waiting", "pulling", "suspended", "succeeded", "failed")


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt's end; `is_pull` where it had asked the registry."""

    registry: str
    result: Result
    reason: Reason | None = None
    seconds: float
    is_pull: bool = False


class Measures:
    """Hears of every change of a node, in its loop's thread, and tells the metrics."""

    def __init__(self, metrics: AgentMetrics) -> None:
        self._metrics = metrics

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Take over what came of it."""
        if before is after:
            return
        for end in attempts_ended(before, after, now_seconds=now.seconds):
            self._metrics.attempt_ended(end.result, reason=end.reason)
            if end.is_pull:
                self._metrics.pull_ended(end.registry, result=end.result, seconds=end.seconds)
        for registry, count in bytes_arrived(before, after).items():
            self._metrics.bytes_arrived(registry, count=count)
        for registry in registries_throttled(before, after):
            self._metrics.registry_throttled(registry)
        self._tell_events(before, after, now=now)
        images = images_by_state(after)
        self._metrics.node_counted(images, running=running_count(after), waiting=images["waiting"])
        self._metrics.reasons_counted(images_by_reason(after))
        self._metrics.runtime_seen(is_up=after.is_runtime_up)

    def _tell_events(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        for event in events_between(before, after, now=now):
            if event.event == "image_failed":
                self._metrics.image_failed(Reason(event.reason or Reason.PULL_FAILED))
            elif event.event == "image_lost":
                self._metrics.image_evicted()


def attempts_ended(before: NodeState, after: NodeState, *, now_seconds: float) -> Iterator[Ended]:
    """Tell which attempts ended between two states, and how; that of a withdrawn image ends with its withdrawal."""
    for key, task in before.tasks.items():
        if task.running is None:
            continue
        now = after.tasks.get(key)
        if now is None:
            yield _ended(task, task.running, Result.CANCELLED, now_seconds=now_seconds)
        elif now.running is None or now.running.serial != task.running.serial:
            yield _told(task, now, running=task.running, now_seconds=now_seconds)


def bytes_arrived(before: NodeState, after: NodeState) -> Counter[str]:
    """Count by registry what arrived between two states, so far as samples tell; a success brought all the rest."""
    arrived: Counter[str] = Counter()
    for key, task in before.tasks.items():
        now = after.tasks.get(key)
        if now is not None and task.running is not None and task.progress is not None:
            arrived[task.wanted.registry] += _bytes_since(task, now)
    return +arrived


def registries_throttled(before: NodeState, after: NodeState) -> list[str]:
    """Name the registries that were paused, once more or for the first time."""
    known = {name: throttle.pauses for name, throttle in before.throttles.items()}
    return [name for name, throttle in after.throttles.items() if throttle.pauses > known.get(name, 0)]


def images_by_state(state: NodeState) -> dict[str, int]:
    """Count the wanted images by what holds of them now; each state is there, also with none."""
    counts = Counter(map(state_of, state.tasks.values()))
    return {name: counts[name] for name in STATES}


def images_by_reason(state: NodeState) -> Counter[Reason]:
    """Count the wanted images of which something is wrong, or was until their last pull, by what their status says."""
    return Counter(reason for task in state.tasks.values() if (reason := reason_of(task)) is not None)


def state_of(task: Task) -> str:
    """Name what holds of an image now: an open one is suspended, is being pulled (or looked for), or waits."""
    if task.is_ended:
        return task.phase.lower()
    if task.running is not None:
        return "pulling"
    return "suspended" if task.wanted.is_suspended else "waiting"


def _told(before: Task, after: Task, *, running: Running, now_seconds: float) -> Ended:
    result = _result(before, after, running=running)
    reason = after.reason if result in {Result.FAILED, Result.LOW_SPACE, Result.INTERRUPTED} else None
    return _ended(before, running, result, now_seconds=now_seconds, reason=reason)


def _ended(task: Task, running: Running, result: Result, *, now_seconds: float, reason: Reason | None = None) -> Ended:
    # The loop may hear of an attempt's first word and its end at once; these ends have asked all the same.
    has_asked = task.phase is Phase.PULLING or result in {Result.PULLED, Result.UNCHANGED, Result.FAILED}
    return Ended(
        registry=task.wanted.registry,
        result=result,
        reason=reason,
        seconds=now_seconds - running.since_seconds,
        is_pull=has_asked and result is not Result.PRESENT,
    )


def _result(before: Task, after: Task, *, running: Running) -> Result:
    """Tell what an attempt came to by what outcome.py made of it."""
    is_renewed = after.wanted.version != before.wanted.version
    if after.phase is Phase.SUCCEEDED:
        return _success(before, after)
    if after.phase is Phase.FAILED:
        return Result.FAILED
    if running.is_outdated or (is_renewed and running.cause is not None):
        return Result.CANCELLED
    # A newer version that came in the same step counts anew.
    spent = 1 if is_renewed else before.attempt
    is_due_again = before.is_pull_due_again or is_renewed
    return _open_result(before, after, spent=spent, is_due_again=is_due_again)


def _open_result(before: Task, after: Task, *, spent: int, is_due_again: bool) -> Result:
    """Tell an attempt's end whose task goes on: one that failed stays spent, all others give it back."""
    if after.interruptions > before.interruptions:
        return Result.INTERRUPTED
    if after.attempt >= spent:
        return Result.FAILED
    if after.low_since_seconds is not None:
        return Result.LOW_SPACE
    return _success(before, after) if is_due_again else Result.CANCELLED


def _success(before: Task, after: Task) -> Result:
    """Tell apart an image that came, one that the registry has nothing newer of, and one that lay here already."""
    if before.phase is not Phase.PULLING and (before.is_fetched or not after.is_fetched):
        return Result.PRESENT
    is_other = not before.is_changed or before.is_refill or after.digest != before.digest
    return Result.PULLED if after.is_changed and is_other else Result.UNCHANGED


def _bytes_since(before: Task, after: Task) -> int:
    if before.progress is None or before.running is None:
        return 0
    if after.running is None or after.progress is None:
        is_whole = _result(before, after, running=before.running) in {Result.PULLED, Result.UNCHANGED}
        return before.progress.bytes_total - before.progress.bytes_done if is_whole else 0
    is_same = before.progress.bytes_total and before.progress.digest == after.progress.digest
    return max(0, after.progress.bytes_done - before.progress.bytes_done) if is_same else 0
