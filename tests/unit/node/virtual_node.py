"""
A node in virtual time: plan.py's decisions carried out on transitions.py alone; the workers' ends are the test's.

It does what loop.py does, without threads, runtime or clock, so a test can tell a story of hours in a millisecond.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from daemon.api.nodeimage import ImagePullPolicy, Phase
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.images import join
from daemon.node import transitions
from daemon.node.outcome import Draws
from daemon.node.plan import Plan, plan
from daemon.node.task import AttemptEnd, CancelCause, Ending, NodeState, Task
from daemon.node.wanted import Key, Wanted, WantedImage
from daemon.runtime.interface import Progress, Stage


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DONE = AttemptEnd(ending=Ending.DONE, image_id="registry.example/app@sha256:1", is_fetched=True, is_changed=True)
PRESENT = AttemptEnd(ending=Ending.DONE, image_id="registry.example/app@sha256:1", is_changed=False)
UNAVAILABLE = AttemptEnd(ending=Ending.FAILED, reason=Reason.REGISTRY_UNAVAILABLE, message="connection refused")
THROTTLED = AttemptEnd(ending=Ending.FAILED, reason=Reason.REGISTRY_THROTTLED, message="429 Too Many Requests")
LOW = AttemptEnd(ending=Ending.LOW_SPACE, reason=Reason.DISK_LOW, message="1.00 GiB free")
RUNTIME_DOWN = AttemptEnd(ending=Ending.RUNTIME_DOWN, reason=Reason.RUNTIME_UNAVAILABLE, message="no such socket")


def backoff_without_jitter(attempt: int) -> float:
    """Wait 1, 2, 4 ... 30 seconds."""
    return min(30.0, 2.0 ** (attempt - 1))


def throttle_without_jitter(pauses: int) -> float:
    """Wait 5, 10, 20 ... 300 seconds."""
    return min(300.0, 5.0 * 2.0 ** (pauses - 1))


DRAWS = Draws(backoff=backoff_without_jitter, throttle=throttle_without_jitter)


def moment(seconds: float) -> Moment:
    """Return the instant so long after the beginning."""
    return Moment(seconds=seconds, at=EPOCH + timedelta(seconds=seconds))


def key_of(name: str) -> Key:
    """Name the image `name` (the registry's host first, where it matters) as NodeImage does."""
    return Key(name if "/" in name else f"registry.example/{name}", "v1")


def image(name: str = "app", *, version: int = 1, policy: str = "IfNotPresent", **settings: object) -> WantedImage:
    """Want an image; `settings` are WantedImage's."""
    key = key_of(name)
    wanted = WantedImage(
        key=key,
        version=version,
        reference=join(key.repository, key.tag),
        image_pull_policy=ImagePullPolicy(policy),
    )
    return msgspec.structs.replace(wanted, **settings)


def cancelled(cause: CancelCause) -> AttemptEnd:
    """Return the end of an attempt whose pull was cancelled."""
    return AttemptEnd(ending=Ending.CANCELLED, cause=cause, message="cancelled")


class Started(msgspec.Struct, frozen=True):
    """One attempt that was begun."""

    key: Key
    version: int
    seconds: float


class VirtualNode:
    """One node whose time and workers the test moves."""

    def __init__(self, *, slots: int = 2) -> None:
        self.slots = slots
        self.seconds = 1000.0
        self.state = NodeState()
        self.started: list[Started] = []
        self.cancels: list[tuple[Key, CancelCause]] = []
        self.pulls: dict[int, Key] = {}
        self.releases: dict[int, Key] = {}
        self.told: dict[int, CancelCause] = {}
        self.decided = Plan()
        self._serial = 0

    @property
    def now(self) -> Moment:
        """The virtual instant."""
        return moment(self.seconds)

    @property
    def starts(self) -> list[str]:
        """The short names of all images whose attempts were begun, in order."""
        return [started.key.repository.split("/")[1] for started in self.started]

    def task(self, name: str = "app") -> Task:
        """Return the task of an image."""
        return self.state.tasks[key_of(name)]

    def phase(self, name: str = "app") -> Phase:
        """Return where an image stands."""
        return self.task(name).phase

    def want(self, *images: WantedImage, uid: str = "node") -> None:
        """Want these images and no others from now on."""
        self.state = transitions.want(self.state, Wanted(uid=uid, generation=1, images=images), now=self.now)
        self.decide()

    def end(self, end: AttemptEnd, *, name: str = "app") -> None:
        """End the running attempt of an image, also of a withdrawn one, after it has asked the registry if it did."""
        serial = self._serial_of(key_of(name))
        if end not in (PRESENT, LOW):
            self.ask(serial)
        self.end_worker(serial, end)

    def end_worker(self, serial: int, end: AttemptEnd) -> None:
        """End a worker."""
        key = self.pulls.pop(serial, None) or self.releases.pop(serial)
        self.state = transitions.ended(self.state, key, serial=serial, end=end, now=self.now, draws=DRAWS)
        self.decide()

    def finish_release(self, name: str = "app") -> None:
        """Let the worker that releases an image's hold be done."""
        serial = next(serial for serial, key in self.releases.items() if key == key_of(name))
        self.end_worker(serial, cancelled(CancelCause.WITHDRAWN))

    def ask_registry(self, name: str = "app") -> None:
        """Have the running attempt of an image get as far as the registry."""
        self.ask(self._serial_of(key_of(name)))

    def ask(self, serial: int) -> None:
        """Have a worker get as far as the registry."""
        self.state = transitions.pulling(self.state, self.pulls[serial], serial=serial)

    def find_manifest(self, digest: str, *, name: str = "app") -> None:
        """Have the running attempt find the manifest `digest`."""
        progress = Progress(stage=Stage.DOWNLOADING, bytes_done=1, bytes_total=2, digest=digest)
        key = key_of(name)
        self.state = transitions.progressed(self.state, key, serial=self._serial_of(key), progress=progress)

    def lose(self, name: str = "app") -> None:
        """Remove an image from the node."""
        self.state = transitions.lost(self.state, key_of(name), now=self.now)
        self.decide()

    def runtime_answers(self) -> None:
        """Bring the runtime back."""
        self.state = transitions.runtime_answers(self.state)
        self.decide()

    def advance(self, seconds: float) -> None:
        """Let time pass, planning at each instant that the plan asked for, and at no other."""
        until = self.seconds + seconds
        while self.decided.wake_seconds is not None and self.decided.wake_seconds <= until:
            self.seconds = self.decided.wake_seconds
            self.decide()
        self.seconds = until

    def decide(self) -> None:
        """Carry out the plan until nothing is left to do; a plan that never comes to rest is a defect."""
        for _ in range(100):
            before = self.state
            self.decided = plan(before, now_seconds=self.seconds, slots=self.slots)
            self._carry_out(self.decided)
            if self.state is before:
                wake = self.decided.wake_seconds
                assert wake is None or self.seconds < wake, "the plan wakes up without time having passed"
                return
        raise AssertionError("the plan never comes to rest")

    def _serial_of(self, key: Key) -> int:
        """Find the one worker that pulls an image."""
        (serial,) = (serial for serial, pulled in self.pulls.items() if pulled == key)
        return serial

    def _carry_out(self, steps: Plan) -> None:
        for gone in steps.give_up:
            self.state = transitions.given_up(
                self.state, gone.key, reason=gone.reason, message=gone.message, now=self.now
            )
        for key, cause in steps.cancel:
            self.cancels.append((key, cause))
            self.told.setdefault(self._serial_of(key), cause)
            self.state = transitions.cancelling(self.state, key, cause=cause)
        for key in steps.release:
            self._serial += 1
            self.releases[self._serial] = key
            self.state = transitions.releasing(self.state, key, serial=self._serial)
        for key in steps.start:
            self._serial += 1
            self.pulls[self._serial] = key
            self.started.append(Started(key, self.state.tasks[key].wanted.version, self.seconds))
            self.state = transitions.begin(self.state, key, serial=self._serial, now=self.now)
