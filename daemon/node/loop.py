"""
The node's loop: the one thread that owns the node's state and is the only one to change it.

It reads what happened from its inbox, asks plan.py what follows, and starts, cancels and releases through workers.
It does no I/O itself and waits for nothing but its inbox.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from daemon.clock import Clock, Moment
from daemon.images import same_image
from daemon.node import transitions
from daemon.node.attempt import Attempt, Cancellation, CredentialSource, release, run_attempt
from daemon.node.backoff import backoff_seconds, throttle_seconds
from daemon.node.inbox import (
    AttemptEnded,
    Crashed,
    ImageLost,
    ImageRemoved,
    Message,
    PresenceDoubted,
    PullBegan,
    PullProgressed,
    RuntimeAnswered,
    Stopped,
    WantedChanged,
)
from daemon.node.plan import Plan, plan, running_count
from daemon.node.task import AttemptEnd, CancelCause, Ending, NodeState, Task
from daemon.node.wanted import Key, Wanted
from daemon.node.warmth import look, probe, watch_removals
from daemon.runtime.errors import CriError
from daemon.runtime.interface import ImageRuntime, Progress


STOP_GRACE_SECONDS = 10.0


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    How one node is run.

    `role` labels its holds ("agent" or "run"), `slots` is --max-concurrent-pulls, `min_free` the disk floor ("20%" or a
    quantity), `is_kept_warm` whether removed images are pulled again.
    """

    role: str
    slots: int = 2
    min_free: str = "20%"
    is_kept_warm: bool = True


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
        self._runtime = runtime
        self._credentials = credentials
        self._observer = observer
        self._clock = clock
        self._settings = settings
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._state = NodeState()
        self._workers: dict[int, Cancellation] = {}
        self._serial = 0
        self._is_probing = False
        self._stop = threading.Event()
        self._draws = transitions.Draws(backoff=backoff_seconds, throttle=throttle_seconds)

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
            BaseException: what a worker's thread died of, unforeseen; the process should end with it.
        """
        if self._settings.is_kept_warm:
            self._spawn("removals", lambda: watch_removals(self._runtime, post=self._inbox.put, stop=self._stop))
        try:
            while not self._stop.is_set():
                self._tick()
        finally:
            self._end()

    def _tick(self) -> None:
        decided = self._decide()
        messages = self._wait(decided.wake_seconds)
        before, now = self._state, self._clock.now()
        for message in messages:
            self._take(message, now=now)
        self._observer.changed(before, self._state, now=now)

    def _wait(self, wake_seconds: float | None) -> list[Message]:
        """Wait for the first message or until it is time to plan again; take all that have come."""
        timeout = None if wake_seconds is None else max(0.0, wake_seconds - self._clock.now().seconds)
        try:
            messages = [self._inbox.get(timeout=timeout)]
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
            for gone in steps.give_up:
                self._state = transitions.given_up(
                    self._state, gone.key, reason=gone.reason, message=gone.message, now=now
                )
            for key, cause in steps.cancel:
                self._cancel(key, cause)
            for key in steps.release:
                self._release(key)
            for key in steps.start:
                self._start(key, now=now)
            if self._state is before:
                return steps
            self._observer.changed(before, self._state, now=now)

    def _take(self, message: Message, *, now: Moment) -> None:
        match message:
            case WantedChanged(wanted):
                self._take_wanted(wanted, now=now)
            case PullBegan() | PullProgressed() | AttemptEnded():
                self._take_from_worker(message, now=now)
            case ImageRemoved(name):
                self._look({key: task for key, task in _standing(self._state).items() if _is_named(task, name)})
            case PresenceDoubted():
                self._look(_standing(self._state))
            case ImageLost(key, version):
                self._take_lost(key, version=version, now=now)
            case RuntimeAnswered():
                self._is_probing = False
                self._state = transitions.runtime_answers(self._state)
            case Stopped():
                self._stop.set()
            case Crashed(thread, error):
                raise RuntimeError(f"thread {thread} died") from error

    def _take_from_worker(self, message: PullBegan | PullProgressed | AttemptEnded, *, now: Moment) -> None:
        match message:
            case PullBegan(key, serial):
                self._state = transitions.pulling(self._state, key, serial=serial)
            case PullProgressed(key, serial, progress):
                self._state = transitions.progressed(self._state, key, serial=serial, progress=progress)
            case AttemptEnded(key, serial, end):
                self._take_end(key, serial=serial, end=end, now=now)

    def _take_wanted(self, wanted: Wanted, *, now: Moment) -> None:
        is_first = not self._state.is_wanted_known
        self._state = transitions.want(self._state, wanted, now=now)
        if is_first:
            images = frozenset(image.image for image in wanted.images)
            self._spawn("orphans", lambda: _release_orphans(self._runtime, images, role=self._settings.role))

    def _take_end(self, key: Key, *, serial: int, end: AttemptEnd, now: Moment) -> None:
        self._workers.pop(serial, None)
        self._state = transitions.ended(self._state, key, serial=serial, end=end, now=now, draws=self._draws)
        if not self._state.is_runtime_up and not self._is_probing:
            self._is_probing = True
            self._spawn("probe", lambda: probe(self._runtime, post=self._inbox.put, stop=self._stop))

    def _take_lost(self, key: Key, *, version: int, now: Moment) -> None:
        task = self._state.tasks.get(key)
        if task is not None and task.wanted.version == version:
            self._state = transitions.lost(self._state, key, now=now)

    def _look(self, standing: Mapping[Key, Task]) -> None:
        if not standing or not self._settings.is_kept_warm:
            return
        images = {key: task.wanted for key, task in standing.items()}
        self._spawn("look", lambda: look(self._runtime, images, post=self._inbox.put))

    def _cancel(self, key: Key, cause: CancelCause) -> None:
        serial = _serial_of(self._state, key, cause=cause)
        self._state = transitions.cancelling(self._state, key, cause=cause)
        if serial in self._workers:
            self._workers[serial].cancel(cause)

    def _release(self, key: Key) -> None:
        serial = self._next_serial()
        image = self._state.leaving[key].image
        self._state = transitions.releasing(self._state, key, serial=serial)

        def work() -> None:
            release(self._runtime, image, role=self._settings.role)
            self._inbox.put(AttemptEnded(key, serial, AttemptEnd(ending=Ending.CANCELLED, cause=CancelCause.WITHDRAWN)))

        self._spawn("release", work)

    def _start(self, key: Key, *, now: Moment) -> None:
        serial = self._next_serial()
        task = self._state.tasks[key]
        attempt = self._attempt(key, task, serial=serial)
        if attempt is None:
            return
        self._state = transitions.begin(self._state, key, serial=serial, now=now)
        self._workers[serial] = attempt.cancellation
        self._spawn(f"pull-{serial}", lambda: self._inbox.put(AttemptEnded(key, serial, run_attempt(attempt))))

    def _attempt(self, key: Key, task: Task, *, serial: int) -> Attempt | None:
        if task.wanted.reference is None:
            return None
        return Attempt(
            wanted=task.wanted,
            reference=task.wanted.reference,
            role=self._settings.role,
            min_free=self._settings.min_free,
            is_refill=task.is_refill,
            runtime=self._runtime,
            credentials=self._credentials,
            cancellation=Cancellation(),
            listener=_Listener(key, serial=serial, post=self._inbox.put),
        )

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        """Run work in a thread of its own; its root is the one place that catches everything, and hands it over."""

        def root() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - a thread's root: nothing may be lost silently
                self._inbox.put(Crashed(name, error))

        threading.Thread(target=root, name=name, daemon=True).start()

    def _end(self) -> None:
        """Cancel what runs, and give the runtime a moment to end it, so that what was fetched is held."""
        self._stop.set()
        for cancellation in self._workers.values():
            cancellation.cancel(CancelCause.STOPPING)
        if self._runtime.downloads is not None:
            self._runtime.downloads.close_removals()
        deadline = self._clock.now().seconds + STOP_GRACE_SECONDS
        while running_count(self._state) and self._workers and self._clock.now().seconds < deadline:
            for message in self._wait(min(deadline, self._clock.now().seconds + 1.0)):
                if isinstance(message, AttemptEnded):
                    self._take_end(message.key, serial=message.serial, end=message.end, now=self._clock.now())


class _Listener:
    """Hands a worker's words to the loop."""

    def __init__(self, key: Key, *, serial: int, post: Callable[[Message], None]) -> None:
        self._key = key
        self._serial = serial
        self._post = post

    def pulling(self) -> None:
        self._post(PullBegan(self._key, self._serial))

    def progressed(self, progress: Progress) -> None:
        self._post(PullProgressed(self._key, self._serial, progress))


def _serial_of(state: NodeState, key: Key, *, cause: CancelCause) -> int | None:
    if cause is CancelCause.WITHDRAWN:
        return state.leaving[key].serial
    running = state.tasks[key].running
    return running.serial if running else None


def _standing(state: NodeState) -> dict[Key, Task]:
    """Pick the images that lie here, so far as we know; of one being pulled the pull's end tells."""
    return {key: task for key, task in state.tasks.items() if task.image_id and task.running is None}


def _is_named(task: Task, name: str) -> bool:
    reference = task.wanted.reference
    return reference is not None and same_image(reference, repo_tags=(name,), repo_digests=(name,))


def _release_orphans(runtime: ImageRuntime, images: frozenset[str], *, role: str) -> None:
    """Release what an earlier process of this role held for images that nobody wants now."""
    if runtime.downloads is None:
        return
    try:
        for hold in runtime.downloads.held(role=role):
            if hold.image not in images:
                runtime.downloads.release(hold.image, role=role)
    except CriError:
        return
