"""A node's loop in a thread of its own, at a scripted runtime; what a test waits for, it is told as it happens."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from daemon.api.credential import Credential
from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.clock import Clock, Moment, SystemClock
from daemon.credentials.problem import CredentialProblem
from daemon.credentials.sources import Candidates
from daemon.node.loop import NodeLoop
from daemon.node.report import report_of
from daemon.node.settings import NodeSettings
from daemon.node.task import NodeState, Task
from daemon.node.wanted import Key, Wanted, WantedImage
from daemon.runtime.connect import connect
from daemon.runtime.interface import ImageRuntime
from tests.unit.node.virtual_node import key_of, moment


DEADLINE_SECONDS = 20.0


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self._seconds = 1000.0

    def now(self) -> Moment:
        """Return the instant to which it was moved."""
        return moment(self._seconds)

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._seconds += seconds


class Offered:
    """Credentials that fit every image, the same at each attempt."""

    def __init__(
        self,
        *credentials: Credential,
        problems: tuple[CredentialProblem, ...] = (),
        search: Callable[[threading.Event], object] = bool,
    ) -> None:
        self._candidates = Candidates(credentials=credentials, problems=problems)
        self._search = search

    def candidates(self, wanted: WantedImage, *, cancelled: threading.Event) -> Candidates:
        """Return them, in order, after the search."""
        del wanted
        self._search(cancelled)
        return self._candidates


class RunningNode:
    """
    Runs a loop while entered, remembers every state that it told of, and stops it at the end.

    `around` may put something between the loop and its runtime.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        slots: int = 2,
        min_free: str = "0%",
        clock: Clock | None = None,
        credentials: Offered | None = None,
        is_kept_warm: bool = False,
        around: Callable[[ImageRuntime], ImageRuntime] = lambda runtime: runtime,
    ) -> None:
        self.states: list[NodeState] = [NodeState()]
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._wanted = Wanted(uid="node", generation=1, images=())
        self._runtime = around(connect(endpoint))
        self._loop = NodeLoop(
            self._runtime,
            credentials=credentials or Offered(),
            observer=self,
            clock=clock or SystemClock(),
            settings=NodeSettings(role="agent", slots=slots, min_free=min_free, is_kept_warm=is_kept_warm),
        )
        self._thread = threading.Thread(target=self._run, name="node")

    def __enter__(self) -> Self:
        """Run."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop and wait for the end."""
        self.stop()
        self._runtime.close()

    @property
    def state(self) -> NodeState:
        """The newest state."""
        return self.states[-1]

    def task(self, name: str = "app") -> Task:
        """Return the newest state of an image's task."""
        return self.state.tasks[key_of(name)]

    def stop(self) -> None:
        """Stop the loop and wait until `run` has returned."""
        self._loop.stop()
        self.join()

    def join(self) -> None:
        """Wait until `run` has returned by itself."""
        self._thread.join(timeout=DEADLINE_SECONDS)
        assert not self._thread.is_alive(), "the loop does not end"

    def want(self, *images: WantedImage, answers: dict[Key, TagStatus] | None = None) -> None:
        """Want these images and no others from now on; `answers` are what stands in the status already."""
        generation = self._wanted.generation + 1
        self._wanted = Wanted(uid="node", generation=generation, images=images, answers=answers or {})
        self._loop.want(self._wanted)

    def plan_again(self) -> None:
        """Wake the loop up, as after moving its clock; what is wanted stays."""
        self._loop.want(self._wanted)

    def changed(self, _before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Note a state, in the loop's thread."""
        del now
        with self._changed:
            self.states.append(after)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[NodeState], bool], *, what: str) -> None:
        """Wait until a condition on the newest state holds."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self.state), timeout=DEADLINE_SECONDS):
                raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {what}; {report_of(self.state)}")

    def wait_for_reason(self, reason: Reason, *, name: str = "app") -> None:
        """Wait until an image's worker has ended with this reason."""

        def has_reason(state: NodeState) -> bool:
            task = state.tasks.get(key_of(name))
            return task is not None and task.running is None and task.reason is reason

        self.wait_until(has_reason, what=f"{name} {reason}")

    def wait_for_phase(self, phase: Phase, *, name: str = "app", version: int = 1) -> None:
        """Wait until an image stands there, in this version."""

        def stands(state: NodeState) -> bool:
            task = state.tasks.get(key_of(name))
            return task is not None and (phase, version) == (task.phase, task.wanted.version)

        self.wait_until(stands, what=f"{name} {phase}")

    def _run(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:  # noqa: BLE001 - a thread's root: the test asks for it
            self.error = error
