"""Whatever happens to a node, in whatever order, plan.py and transitions.py keep their promises."""

from enum import Enum

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.plan import running_count
from daemon.node.task import AttemptEnd, CancelCause, Ending, Task
from daemon.node.wanted import Key, WantedImage
from tests.unit.node.virtual_node import (
    DONE,
    LOW,
    PRESENT,
    RUNTIME_DOWN,
    THROTTLED,
    UNAVAILABLE,
    VirtualNode,
    cancelled,
    image,
    key_of,
)


SLOTS = 2
NAMES = ("a", "b", "c", "other.example/d", "other.example/e")
PERMANENT = AttemptEnd(ending=Ending.FAILED, reason=Reason.PLATFORM_MISMATCH, message="no match for platform")
ENDS = (DONE, PRESENT, UNAVAILABLE, PERMANENT, THROTTLED, LOW, RUNTIME_DOWN)


class Change(Enum):
    """What can happen to one wanted image."""

    RENEW = "a new version"
    EDIT = "other settings of the same version"
    WITHDRAW = "no longer wanted"


class Want(msgspec.Struct, frozen=True):
    """One image is wanted otherwise from now on."""

    name: str
    change: Change
    policy: str
    is_suspended: bool
    priority: int
    backoff_limit: int
    deadline_seconds: int | None


class Replace(msgspec.Struct, frozen=True):
    """The NodeImage is deleted and made again."""


class Ask(msgspec.Struct, frozen=True):
    """One of the running pulls gets as far as the registry."""

    which: int


class End(msgspec.Struct, frozen=True):
    """One of the workers ends; `end` is None for the end that its cancellation makes (if it is cancelled)."""

    which: int
    end: AttemptEnd | None


class Evict(msgspec.Struct, frozen=True):
    """An image is removed from the node."""

    name: str


class RuntimeUp(msgspec.Struct, frozen=True):
    """The runtime answers."""


class Pass(msgspec.Struct, frozen=True):
    """Time passes."""

    seconds: float


Event = Want | Replace | Ask | End | Evict | RuntimeUp | Pass

WANTS = st.builds(
    Want,
    name=st.sampled_from(NAMES),
    change=st.sampled_from([Change.RENEW, Change.RENEW, Change.EDIT, Change.WITHDRAW]),
    policy=st.sampled_from(["Always", "IfNotPresent"]),
    is_suspended=st.sampled_from([False, False, True]),
    priority=st.integers(-1, 1),
    backoff_limit=st.integers(0, 2),
    deadline_seconds=st.sampled_from([None, None, 40]),
)
WORKER_ENDS = st.builds(End, which=st.integers(0, 5), end=st.sampled_from([None, None, *ENDS]))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    WANTS,
    WANTS,
    WORKER_ENDS,
    WORKER_ENDS,
    st.builds(Ask, which=st.integers(0, 5)),
    st.builds(Pass, seconds=st.sampled_from([0.0, 0.5, 2.0, 10.0, 100.0, 4000.0])),
    st.builds(Evict, name=st.sampled_from(NAMES)),
    st.just(RuntimeUp()),
    st.just(Replace()),
)

# One list alone is mostly short, and one of a least length shrinks badly.
STORIES = st.tuples(*[st.lists(EVENTS, max_size=10)] * 10).map(
    lambda parts: [event for part in parts for event in part]
)


class Story:
    """A virtual node to which things happen, with a second bookkeeping of what the runtime holds and what failed."""

    def __init__(self) -> None:
        self.node = VirtualNode(slots=SLOTS)
        self.wanted: dict[Key, WantedImage] = {}
        self.held: set[Key] = set()
        self.failures: dict[Key, int] = {}
        self._uid = 0
        self._version = 0

    def happen(self, event: Event) -> None:
        """Let one thing happen, if it can."""
        match event:
            case Want():
                self._want(event)
            case Replace():
                self._uid += 1
                self.failures.clear()
                self.want_now()
            case Ask(which):
                self._ask(which)
            case End(which, end):
                self._end(which, end)
            case Evict(name):
                self._evict(key_of(name), name)
            case RuntimeUp():
                self.node.runtime_answers()
            case Pass(seconds):
                self.node.advance(seconds)

    def want_now(self) -> None:
        """Tell the node what is wanted."""
        self.node.want(*self.wanted.values(), uid=str(self._uid))

    def end_worker(self, serial: int, end: AttemptEnd) -> None:
        """End a worker, and keep book as the runtime would."""
        key = self.node.pulls.get(serial) or self.node.releases[serial]
        is_let_go = end.ending in {Ending.DONE, Ending.LOW_SPACE} and end != PRESENT
        if serial in self.node.releases or is_let_go or self.node.told.get(serial) is CancelCause.WITHDRAWN:
            self.held.discard(key)
        if serial in self.node.pulls:
            self._count(self.node.state.tasks.get(key), serial=serial, end=end)
        self.node.end_worker(serial, end)

    def _count(self, task: Task | None, *, serial: int, end: AttemptEnd) -> None:
        if task is None or task.running is None or task.running.serial != serial or task.running.is_outdated:
            return
        if end.ending is Ending.DONE:
            self.failures[task.wanted.key] = 0
        elif end.ending is Ending.FAILED or end.cause in {CancelCause.TIMEOUT, CancelCause.DEADLINE}:
            self.failures[task.wanted.key] = self.failures.get(task.wanted.key, 0) + 1

    def _want(self, event: Want) -> None:
        key = key_of(event.name)
        if event.change is Change.WITHDRAW:
            self.wanted.pop(key, None)
        elif event.change is Change.RENEW or key not in self.wanted:
            self._version += 1
            self.failures[key] = 0
            self.wanted[key] = image(
                event.name,
                version=self._version,
                policy=event.policy,
                timeout_seconds=30,
                is_suspended=event.is_suspended,
                priority=event.priority,
                backoff_limit=event.backoff_limit,
                active_deadline_seconds=event.deadline_seconds,
            )
        else:
            edit = {"is_suspended": event.is_suspended, "priority": event.priority}
            self.wanted[key] = msgspec.structs.replace(self.wanted[key], **edit)
        self.want_now()

    def _ask(self, which: int) -> None:
        if not self.node.pulls:
            return
        serial = sorted(self.node.pulls)[which % len(self.node.pulls)]
        self.held.add(self.node.pulls[serial])
        self.node.ask(serial)

    def _end(self, which: int, end: AttemptEnd | None) -> None:
        workers = sorted({**self.node.pulls, **self.node.releases})
        if not workers:
            return
        serial = workers[which % len(workers)]
        if serial in self.node.releases:
            end = cancelled(CancelCause.WITHDRAWN)
        elif end is None and serial in self.node.told:
            end = cancelled(self.node.told[serial])
        if end is not None:
            self.end_worker(serial, end)

    def _evict(self, key: Key, name: str) -> None:
        task = self.node.state.tasks.get(key)
        if task is not None and task.phase is Phase.SUCCEEDED:
            self.failures[key] = 0
        self.node.lose(name)


def check(story: Story) -> None:
    """Check what must hold after each event."""
    node = story.node
    assert len(node.pulls) <= SLOTS
    assert len(set(node.pulls.values())) == len(node.pulls), "two pulls of one image"
    assert set(story.wanted) == set(node.state.tasks)
    for key, leaving in node.state.leaving.items():
        assert key == {**node.pulls, **node.releases}.get(leaving.serial or 0), "nobody lets go of a withdrawn image"
    for key in story.held - set(node.state.leaving):
        assert key in node.state.tasks, "a withdrawn image is held for good"
        assert node.state.tasks[key].is_held, "a hold is forgotten"
    for key, task in node.state.tasks.items():
        check_task(story, key, task)


def check_task(story: Story, key: Key, task: Task) -> None:
    """Check one task: it has ended and rests, or something will move it."""
    assert story.failures.get(key, 0) <= task.attempts_allowed
    assert task.attempt <= task.attempts_allowed
    assert task.wanted == story.wanted[key]
    if task.running is not None:
        assert not task.is_ended, "an ended task runs"
        assert key == story.node.pulls.get(task.running.serial), "a running task without a worker"
        return
    assert task.phase is not Phase.PULLING, "pulling without a worker"
    assert task.is_ended or what_moves(story.node, key, task), "nothing will ever move this task"


def what_moves(node: VirtualNode, key: Key, task: Task) -> str:
    """Name what will move a waiting task; empty where nothing will."""
    throttle = node.state.throttles.get(task.wanted.registry)
    probes = [
        other for other in node.state.tasks.values() if other.running and other.wanted.registry == task.wanted.registry
    ]
    reasons = {
        "it is resumed": task.wanted.is_suspended,
        "the runtime answers": not node.state.is_runtime_up,
        "its last worker ends": key in node.state.leaving,
        "a slot is free": running_count(node.state) >= SLOTS,
        "its wait is over": _is_woken(node, task.not_before_seconds),
        "the pause is over": throttle is not None and _is_woken(node, throttle.until_seconds),
        "the probe ends": throttle is not None and bool(probes),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _is_woken(node: VirtualNode, seconds: float) -> bool:
    """Tell whether an instant is to come, and the plan wakes up for it."""
    wake = node.decided.wake_seconds
    return node.seconds < seconds and wake is not None and wake <= seconds


def come_to_an_end(story: Story) -> None:
    """Let everything go well from now on: resumed, the runtime there, every worker done at once."""
    node = story.node
    story.wanted = {key: msgspec.structs.replace(wanted, is_suspended=False) for key, wanted in story.wanted.items()}
    story.want_now()
    for _ in range(100):
        node.runtime_answers()
        for serial in [*node.pulls, *node.releases]:
            story.end_worker(serial, DONE if serial in node.pulls else cancelled(CancelCause.WITHDRAWN))
            check(story)
        if node.pulls or node.releases:
            continue
        if node.decided.wake_seconds is None or all(task.is_ended for task in node.state.tasks.values()):
            return
        node.advance(node.decided.wake_seconds - node.seconds)
    raise AssertionError("no end in a hundred rounds")


@settings(max_examples=200, deadline=None)
@given(events=STORIES)
def test_whatever_happens_slots_attempts_and_holds_are_kept_and_no_task_is_forgotten(events: list[Event]) -> None:
    """After each event every promise holds, and when all goes well from then on, everything comes to its end."""
    story = Story()
    for event in events:
        story.happen(event)
        check(story)

    failed = {key for key, task in story.node.state.tasks.items() if task.phase is Phase.FAILED}
    low = {key for key, task in story.node.state.tasks.items() if task.low_since_seconds is not None}
    begun = story.node.seconds
    come_to_an_end(story)

    assert ({}, {}) == (story.node.pulls, story.node.state.leaving)
    for key, task in story.node.state.tasks.items():
        if key in failed or (key in low and task.reason is Reason.DISK_LOW):
            continue
        assert Phase.SUCCEEDED is task.phase
    assert story.node.seconds - begun <= 3600 + 300 * len(NAMES)
