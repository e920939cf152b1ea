"""
The node's loop: the one thread that owns the node's state and is the only one to change it.

It reads what happened from its inbox, asks plan.py what follows, and has workers do it. It does no I/O itself and waits
for nothing but its inbox.
"""

import queue
import time
from collections.abc import Collection, Mapping
from typing import Protocol

from daemon.clock import Clock, Moment
from daemon.images import same_image
from daemon.node import transitions
from daemon.node.attempt import CredentialSource
from daemon.node.backoff import backoff_seconds, throttle_seconds
from daemon.node.doubts import Doubts, doubted, due
from daemon.node.inbox import (
    AttemptEnded,
    Crashed,
    ImageLost,
    ImageRemoved,
    ImageSeen,
    Message,
    OrphansReleased,
    PresenceDoubted,
    PullBegan,
    PullProgressed,
    RuntimeAnswered,
    RuntimeMet,
    RuntimeMissed,
    Stopped,
    WantedChanged,
)
from daemon.node.outcome import Draws
from daemon.node.plan import Plan, plan
from daemon.node.settings import NodeSettings
from daemon.node.task import CancelCause, NodeState, Task
from daemon.node.wanted import Key, Wanted
from daemon.node.workers import Workers
from daemon.runtime.interface import ImageRuntime


STOP_GRACE_SECONDS = 10.0
STOP_LOOK_SECONDS = 1.0
# Waiting for the inbox stands still while the machine is suspended, and our durations do not.
LONGEST_WAIT_SECONDS = 60.0


class Observer(Protocol):
    """Is told of every change, in the loop's thread: it should only note and return."""

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """The node went from one state to another."""
        ...


class NodeLoop:
    """
    Keeps one node as wanted, from `run` until `stop`.

    Args:
        runtime: where images live.
        credentials: what to pull with, asked fresh at each attempt.
        observer: hears of every change.
        clock: the time.
        settings: see NodeSettings.
    """

    def __init__(
        self,
        runtime: ImageRuntime,
        *,
        credentials: CredentialSource,
        observer: Observer,
        clock: Clock,
        settings: NodeSettings,
    ) -> None:
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._workers = Workers(runtime, credentials=credentials, settings=settings, post=self._inbox.put)
        self._observer = observer
        self._clock = clock
        self._settings = settings
        self._state = NodeState()
        self._is_stopped = False
        self._is_probing = False
        self._has_orphans = False
        self._doubts = Doubts()
        self._draws = Draws(backoff=backoff_seconds, throttle=throttle_seconds)

    def want(self, wanted: Wanted) -> None:
        """Have the node brought to this from now on; from any thread."""
        self._inbox.put(WantedChanged(wanted))

    def stop(self) -> None:
        """Cancel what runs and let `run` return; holds stay for the next start. From any thread, also a signal's."""
        self._inbox.put(Stopped())

    def run(self) -> None:
        """
        Work until stopped.

        Raises:
            RuntimeError: a thread of the loop died of something unforeseen; the process should end with it.
        """
        if self._settings.is_kept_warm:
            self._workers.watch_removals()
        try:
            while not self._is_stopped:
                self._tick()
        finally:
            self._end()

    def _tick(self) -> None:
        decided = self._decide()
        wakes = [at for at in (decided.wake_seconds, self._doubts.next_seconds) if at is not None]
        messages = self._wait(min(wakes, default=None))
        before, now = self._state, self._clock.now()
        for message in messages:
            self._take(message, now=now)
        self._look_again(now=now)
        self._observer.changed(before, self._state, now=now)

    def _wait(self, wake_seconds: float | None) -> list[Message]:
        """Wait for the first message or until it is time to plan again; take all that have come."""
        left = LONGEST_WAIT_SECONDS if wake_seconds is None else wake_seconds - self._clock.now().seconds
        try:
            messages = [self._inbox.get(timeout=max(0.0, min(left, LONGEST_WAIT_SECONDS)))]
        except queue.Empty:
            return []
        while not self._inbox.empty():
            messages.append(self._inbox.get())
        return messages

    def _decide(self) -> Plan:
        """Carry out what the plan says; a step may free another, so plan until nothing is left to do."""
        while True:
            now = self._clock.now()
            before = self._state
            steps = plan(before, now_seconds=now.seconds, slots=self._settings.slots)
            self._carry_out(steps, now=now)
            if self._state is before:
                return steps
            self._observer.changed(before, self._state, now=now)

    def _carry_out(self, steps: Plan, *, now: Moment) -> None:
        for gone in steps.give_up:
            self._state = transitions.given_up(self._state, gone.key, reason=gone.reason, message=gone.message, now=now)
        for key, cause in steps.cancel:
            self._workers.cancel(_serial_of(self._state, key, cause=cause), cause=cause)
            self._state = transitions.cancelling(self._state, key, cause=cause)
        for key in steps.release:
            serial = self._workers.release(key, image=self._state.leaving[key].image)
            self._state = transitions.releasing(self._state, key, serial=serial)
        for key in steps.start:
            serial = self._workers.attempt(key, self._state.tasks[key])
            self._state = transitions.begin(self._state, key, serial=serial, now=now)

    def _take(self, message: Message, *, now: Moment) -> None:
        match message:
            case WantedChanged(wanted):
                self._take_wanted(wanted, now=now)
            case PullBegan() | PullProgressed() | AttemptEnded():
                self._take_from_worker(message, now=now)
            case ImageRemoved() | PresenceDoubted() | ImageLost() | ImageSeen():
                self._take_doubt(message, now=now)
            case RuntimeMissed() | RuntimeMet() | RuntimeAnswered():
                self._take_runtime(message)
            case OrphansReleased():
                self._has_orphans = False
            case Stopped():
                self._is_stopped = True
            case Crashed(thread, error, serial):
                self._workers.ended(serial or 0)
                raise RuntimeError(f"thread {thread} died") from error

    def _take_wanted(self, wanted: Wanted, *, now: Moment) -> None:
        is_first = not self._state.is_wanted_known
        before = self._state.tasks
        self._state = transitions.want(self._state, wanted, now=now)
        self._look({key: task for key, task in self._state.tasks.items() if task.is_adopted and key not in before})
        if is_first:
            self._has_orphans = True
            self._release_orphans()

    def _take_from_worker(self, message: PullBegan | PullProgressed | AttemptEnded, *, now: Moment) -> None:
        match message:
            case PullBegan(key, serial):
                self._state = transitions.pulling(self._state, key, serial=serial)
            case PullProgressed(key, serial, progress):
                self._state = transitions.progressed(self._state, key, serial=serial, progress=progress)
            case AttemptEnded(key, serial, end):
                self._workers.ended(serial)
                self._state = transitions.ended(self._state, key, serial=serial, end=end, now=now, draws=self._draws)
                self._probe_if_away()

    def _take_doubt(self, message: ImageRemoved | PresenceDoubted | ImageLost | ImageSeen, *, now: Moment) -> None:
        match message:
            case ImageSeen(key, told_id, image_id):
                self._state = transitions.seen(self._state, key, told_id=told_id, image_id=image_id)
            case ImageRemoved(name):
                self._doubt(name, now=now)
            case PresenceDoubted():
                self._look(_standing(self._state))
            case ImageLost(key, version, evictions):
                # One removal has several names, so several looks can find it; the first one counts.
                task = self._state.tasks.get(key)
                if task and (task.wanted.version, len(task.evicted_seconds)) == (version, evictions):
                    self._state = transitions.lost(self._state, key, now=now)

    def _take_runtime(self, message: RuntimeMissed | RuntimeMet | RuntimeAnswered) -> None:
        match message:
            case RuntimeMissed(problem):
                self._state = transitions.runtime_away(self._state, problem=problem)
                self._probe_if_away()
            case RuntimeMet(runtime):
                self._state = transitions.runtime_answers(self._state, runtime=runtime)
            case RuntimeAnswered(runtime):
                self._is_probing = False
                self._state = transitions.runtime_answers(self._state, runtime=runtime)
                self._look(_standing(self._state))
                self._release_orphans()

    def _probe_if_away(self) -> None:
        if not self._state.is_runtime_up and not self._is_probing:
            self._is_probing = True
            self._workers.probe()

    def _release_orphans(self) -> None:
        """Have an earlier process's holds released, once; where the runtime is away, again when it is back."""
        if self._has_orphans:
            leaving = {leaving.image for leaving in self._state.leaving.values()}
            self._workers.release_orphans(leaving | {task.wanted.image for task in self._state.tasks.values()})

    def _look(self, standing: Mapping[Key, Task]) -> None:
        if standing and self._settings.is_kept_warm and self._state.is_runtime_up:
            self._workers.look(standing)

    def _doubt(self, name: str, *, now: Moment) -> None:
        """Look for what the runtime says that it has removed, now and again soon; of what is not wanted, nothing."""
        if any(_is_named(task, name) for task in self._state.tasks.values()):
            self._doubts = doubted(self._doubts, name, now_seconds=now.seconds)
            self._look(_named(_standing(self._state), {name}))

    def _look_again(self, *, now: Moment) -> None:
        names, self._doubts = due(self._doubts, now_seconds=now.seconds)
        if names:
            self._look(_named(_standing(self._state), names))

    def _end(self) -> None:
        """Cancel what runs, and give the runtime a moment to end it, so that what was fetched is held."""
        self._workers.stop()
        ends_at = time.monotonic() + STOP_GRACE_SECONDS
        while self._workers.are_pulling and time.monotonic() < ends_at:
            before, now = self._state, self._clock.now()
            for message in self._wait(now.seconds + STOP_LOOK_SECONDS):
                if isinstance(message, AttemptEnded):
                    self._take_from_worker(message, now=now)
                elif isinstance(message, Crashed):
                    self._take(message, now=now)
            self._observer.changed(before, self._state, now=now)


def _serial_of(state: NodeState, key: Key, *, cause: CancelCause) -> int | None:
    if cause is CancelCause.WITHDRAWN:
        return state.leaving[key].serial
    running = state.tasks[key].running
    return running.serial if running else None


def _standing(state: NodeState) -> dict[Key, Task]:
    """Pick the images that lie here, so far as we know or were told; of one being pulled the pull's end tells."""
    idle = {key: task for key, task in state.tasks.items() if task.running is None}
    return {key: task for key, task in idle.items() if task.image_id or task.is_adopted}


def _named(tasks: Mapping[Key, Task], names: Collection[str]) -> dict[Key, Task]:
    return {key: task for key, task in tasks.items() if any(_is_named(task, name) for name in names)}


def _is_named(task: Task, name: str) -> bool:
    reference = task.wanted.reference
    return reference is not None and same_image(reference, repo_tags=(name,), repo_digests=(name,))
