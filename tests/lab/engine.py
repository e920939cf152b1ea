"""
The engine as a test runs it: a real node loop in a thread, on a real runtime, with every state that it went through.

A test tells a story in order: each `until` goes on from the state at which the last one stopped, so that no state is
missed, however short it was. `jump` lets waits pass at once: backoff, a timeout, the pause of a throttling registry.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from types import TracebackType
from typing import Self

import msgspec

from daemon.api.nodeimage import ImagePullPolicy, SecretReference
from daemon.api.secret import PullSecret, SecretType
from daemon.clock import Moment, SystemClock
from daemon.credentials.plugins import Plugins
from daemon.credentials.sources import Credentials
from daemon.display.events import events_between
from daemon.images import join, parse_reference
from daemon.node.backoff import throttle_seconds
from daemon.node.loop import NodeLoop
from daemon.node.outcome import Draws
from daemon.node.report import report_of
from daemon.node.settings import NodeSettings
from daemon.node.task import NodeState, Task
from daemon.node.wanted import Key, Wanted, WantedImage
from daemon.runtime.connect import connect
from daemon.standalone.credentials import ManifestCredentials


DEADLINE_SECONDS = 90.0
NAMESPACE = "team"
ROLE = "agent"
RETRY_SECONDS = 30.0


def wanted_image(
    reference: str,
    *,
    version: int = 1,
    policy: ImagePullPolicy = ImagePullPolicy.IF_NOT_PRESENT,
    timeout_seconds: int = 600,
    backoff_limit: int = 3,
    secrets: Sequence[PullSecret] = (),
) -> WantedImage:
    """Want an image by its name as a job writes it; further settings by msgspec.structs.replace."""
    parsed = parse_reference(reference)
    return WantedImage(
        key=Key(parsed.repository, parsed.tag_or_digest),
        version=version,
        reference=join(parsed.repository, parsed.tag_or_digest),
        image_pull_policy=policy,
        timeout_seconds=timeout_seconds,
        backoff_limit=backoff_limit,
        pull_secrets=tuple(_named(secret) for secret in secrets),
    )


def pull_secret(name: str, auths: Mapping[str, tuple[str, str]]) -> PullSecret:
    """Make a dockerconfigjson Secret of registries (hosts or longer prefixes), each with a user and a password."""
    entries = {host: {"username": user, "password": password} for host, (user, password) in auths.items()}
    data = {".dockerconfigjson": json.dumps({"auths": entries}).encode()}
    return PullSecret(name=name, namespace=NAMESPACE, type=SecretType.DOCKERCONFIGJSON, data=data)


class JumpingClock:
    """The machine's clocks, ahead by what a test has jumped."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0

    def now(self) -> Moment:
        """Return this instant."""
        moment = SystemClock().now()
        ahead = self._ahead_seconds
        return Moment(seconds=moment.seconds + ahead, at=moment.at + timedelta(seconds=ahead))

    def jump(self, seconds: float) -> None:
        """Go ahead."""
        self._ahead_seconds += seconds


class Story:
    """Every state of a loop in order, with the place that a test has read to; the loop's Observer."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._read = 0
        self._ended_by: BaseException | None = None
        self.states: list[NodeState] = [NodeState()]
        self.moments: list[Moment] = [SystemClock().now()]

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Take note of a state."""
        if before is not after:
            with self._told:
                self.states.append(after)
                self.moments.append(now)
                self._told.notify_all()

    def broke(self, error: BaseException) -> None:
        """Note that the loop died."""
        with self._told:
            self._ended_by = error
            self._told.notify_all()

    def until(self, condition: Callable[[NodeState], bool], *, timeout_seconds: float) -> NodeState:
        """Read on, beginning with the state where the last `until` stopped, to the first that fits."""
        deadline = time.monotonic() + timeout_seconds
        with self._told:
            while True:
                while self._read < len(self.states):
                    if condition(self.states[self._read]):
                        return self.states[self._read]
                    self._read += 1
                if self._ended_by is not None:
                    raise self._ended_by
                if not self._told.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"not within {timeout_seconds:g} s; the node is {_in_words(self.states[-1])}")

    def words(self) -> str:
        """Return all that was told to anyone: states, reports and events."""
        reports = [msgspec.json.encode(list(report_of(state).statuses.values())).decode() for state in self.states]
        steps = zip(pairwise(self.states), self.moments[1:], strict=True)
        events = [str(event) for (before, after), now in steps for event in events_between(before, after, now=now)]
        return "\n".join([*map(repr, self.states), *reports, *events])


class Engine:
    """
    One node's loop on the runtime at `endpoint`, from `with` to its end.

    Args:
        endpoint: the runtime's socket.
        secrets: what the images' pull_secrets are looked up in.
        plugins: exec credential plugins.
        slots: how many pulls run at once.
        min_free: the disk floor; "0" is none.
        retry_seconds: how long each backoff is, without its part by chance: a test lets it pass by a jump.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        secrets: Sequence[PullSecret] = (),
        plugins: Plugins | None = None,
        slots: int = 2,
        min_free: str = "0",
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._clock = JumpingClock()
        self.runtime = connect(endpoint, clock=self._clock)
        self.story = Story()
        self._wanted = Wanted(uid="lab", generation=0, images=())
        self._loop = NodeLoop(
            self.runtime,
            credentials=ManifestCredentials(Credentials(plugins=plugins), secrets=secrets),
            observer=self.story,
            clock=self._clock,
            settings=NodeSettings(role=ROLE, slots=slots, min_free=min_free),
        )
        # Full jitter may be no wait at all: then a retry would come before the test has set its scene.
        self._loop._draws = Draws(backoff=lambda _attempt: retry_seconds, throttle=throttle_seconds)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.stop()
        self._thread.join(DEADLINE_SECONDS)
        self.runtime.close()

    def want(self, *images: WantedImage) -> None:
        """Have exactly these images wanted from now on."""
        self._wanted = Wanted(uid="lab", generation=self._wanted.generation + 1, images=images)
        self._loop.want(self._wanted)

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once, for the loop and for what it has planned."""
        self._clock.jump(seconds)
        self._loop.want(self._wanted)

    def until(self, image: WantedImage, condition: Callable[[Task], bool]) -> Task:
        """Return the image's task as it was when it first fitted, from where the last `until` stopped."""
        state = self.until_state(lambda state: image.key in state.tasks and condition(state.tasks[image.key]))
        return state.tasks[image.key]

    def until_state(self, condition: Callable[[NodeState], bool]) -> NodeState:
        """Return the first fitting state of the node, from where the last `until` stopped."""
        return self.story.until(condition, timeout_seconds=DEADLINE_SECONDS)

    def ended(self, image: WantedImage) -> Task:
        """Return the image's task once this version of it has its answer."""
        return self.until(image, lambda task: task.is_ended and task.wanted.version == image.version)

    def attempts_ended(self, image: WantedImage) -> list[Task]:
        """Return the task as each of its attempts left it, so far."""
        tasks = [state.tasks.get(image.key) for state in self.story.states]
        pairs = pairwise(tasks)
        return [after for before, after in pairs if before and after and before.running and after.running is None]

    def _run(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:  # noqa: BLE001 - the thread's root: the test ends with it
            self.story.broke(error)


def _named(secret: PullSecret) -> SecretReference:
    return SecretReference(namespace=secret.namespace, name=secret.name)


def _in_words(state: NodeState) -> str:
    tasks = [
        f"{task.wanted.image}: {task.phase}, attempt {task.attempt}, {task.reason}: {task.message}"
        f" (running: {task.running})"
        for task in state.tasks.values()
    ]
    up = "up" if state.is_runtime_up else "down"
    return "\n  ".join([f"(runtime {up}, leaving {list(state.leaving)})", *tasks])
