"""A removal that is told is looked for more than once: the runtime's own books may be behind its word."""

import queue
import threading
from collections.abc import Iterator
from typing import Self

from daemon.api.nodeimage import Phase
from daemon.node.doubts import Doubts, doubted, due
from daemon.runtime.interface import Hold, ImageRuntime, LocalImage, Progress
from tests.servers.processes import until
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.node.running_node import DEADLINE_SECONDS, RunningNode, SetClock
from tests.unit.node.virtual_node import image


NAME = "registry.example/app:v1"


def test_a_removal_is_looked_for_a_second_and_ten_seconds_later() -> None:
    """Each look once; what is due is taken off, and nothing else."""
    doubts = doubted(doubted(Doubts(), "a", now_seconds=100.0), "b", now_seconds=100.5)

    first, after_first = due(doubts, now_seconds=101.2)
    none, unchanged = due(after_first, now_seconds=101.3)
    second, after_second = due(unchanged, now_seconds=110.0)
    rest, nothing = due(after_second, now_seconds=200.0)

    assert [101.0, 101.5, 101.5, 110.5, None] == [
        one.next_seconds for one in (doubts, after_first, unchanged, after_second, nothing)
    ]
    assert [{"a"}, set(), {"a", "b"}, {"b"}] == [set(names) for names in (first, none, second, rest)]


class ToldDownloads:
    """Removals that a test tells; there is nothing that could be held or followed."""

    is_resumed = False

    def __init__(self) -> None:
        self._names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_heard = threading.Event()

    def wait_until_heard(self) -> None:
        """Wait until somebody listens, who has doubted all that stands there before."""
        assert self._is_heard.wait(timeout=DEADLINE_SECONDS), "nobody listens"

    def tell(self, name: str) -> None:
        """Tell of a removal."""
        self._names.put(name)

    def removals(self) -> Iterator[str]:
        """Yield what is told."""
        self._is_heard.set()
        while (name := self._names.get()) is not None:
            yield name

    def close_removals(self) -> None:
        """End it."""
        self._names.put(None)

    def follow(self, image: str, *, role: str) -> Self:
        """Follow nothing."""
        del image, role
        return self

    def sample(self) -> Progress | None:
        """Tell nothing."""
        return None

    def close(self) -> None:
        """Follow nothing any more."""

    def held(self, *, role: str) -> tuple[Hold, ...]:
        """Hold nothing."""
        del role
        return ()

    def release(self, image: str, *, role: str, is_awaited: bool = True) -> None:
        """Hold nothing."""


class Telling:
    """A runtime with removals that are told by a test; it counts the looks, and is another runtime in all else."""

    def __init__(self, runtime: ImageRuntime) -> None:
        self._runtime = runtime
        self.downloads = ToldDownloads()
        self.looks = 0

    def __getattr__(self, name: str) -> object:
        """Be the runtime."""
        return getattr(self._runtime, name)

    def image_status(self, name: str) -> LocalImage | None:
        """Count the looks."""
        found = self._runtime.image_status(name)
        self.looks += 1
        return found


def test_a_removal_that_is_told_before_the_runtime_knows_of_it_is_noticed(cri: ScriptedCri) -> None:
    """The first look finds the image; the one a second later does not, and it is pulled again."""
    telling: list[Telling] = []
    clock = SetClock()

    def around(runtime: ImageRuntime) -> ImageRuntime:
        telling.append(Telling(runtime))
        return telling[0]  # type: ignore[return-value]  # what it hands on is dynamic

    with RunningNode(cri.endpoint, clock=clock, is_kept_warm=True, around=around) as node:
        (runtime,) = telling
        runtime.downloads.wait_until_heard()
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)
        before = runtime.looks
        runtime.downloads.tell(NAME)
        until(lambda: runtime.looks > before, what="a look", timeout_seconds=DEADLINE_SECONDS)
        noticed_at_once = node.task().evicted_seconds
        cri.remove(NAME)
        clock.advance(1.0)
        node.plan_again()
        cri.wait_until(lambda: 2 == len(cri.pulls), what="a second pull")
        node.wait_for_phase(Phase.SUCCEEDED)

    assert () == noticed_at_once
    assert 1 == len(node.task().evicted_seconds)


def test_a_removal_of_what_is_not_wanted_is_not_looked_for(cri: ScriptedCri) -> None:
    """A kubelet that collects a hundred images costs no call for those that are nobody's here."""
    telling: list[Telling] = []

    def around(runtime: ImageRuntime) -> ImageRuntime:
        telling.append(Telling(runtime))
        return telling[0]  # type: ignore[return-value]  # what it hands on is dynamic

    with RunningNode(cri.endpoint, clock=SetClock(), is_kept_warm=True, around=around) as node:
        (runtime,) = telling
        runtime.downloads.wait_until_heard()
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)
        before = runtime.looks
        runtime.downloads.tell("registry.example/other:v1")
        cri.remove(NAME)
        runtime.downloads.tell(NAME)
        cri.wait_until(lambda: 2 == len(cri.pulls), what="a second pull")
        node.wait_for_phase(Phase.SUCCEEDED)

    # The look for the one, and the two of its pull.
    assert 3 == runtime.looks - before
