"""A runtime that may not be there yet: who asks hears that it is down and where was looked, until it is found."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from daemon.runtime.awaited import LOOK_AGAIN_SECONDS, AwaitedRuntime, awaited
from daemon.runtime.detection import CANDIDATES, Detection, detect
from daemon.runtime.errors import RuntimeDown
from daemon.runtime.interface import ImageRuntime, PullRequest
from tests.servers.processes import until
from tests.unit.runtime.scripted import ScriptedRuntime


WAIT_SECONDS = 20.0
QUESTIONS: dict[str, Callable[[ImageRuntime], object]] = {
    "version": lambda runtime: runtime.version(),
    "image_status": lambda runtime: runtime.image_status("a"),
    "images": lambda runtime: runtime.images(),
    "pull": lambda runtime: runtime.pull(PullRequest(image="a")),
    "remove": lambda runtime: runtime.remove("a"),
    "filesystem": lambda runtime: runtime.filesystem(),
}


class Looking:
    """A look below a folder, as at a node's root, that counts itself."""

    def __init__(self, root: Path) -> None:
        self._look = partial(detect, root=root)
        self.count = 0

    def __call__(self) -> Detection:
        """Look."""
        self.count += 1
        return self._look()


@pytest.fixture
def looking(folder: Path) -> Looking:
    """Look below the test's folder, where nothing is yet."""
    return Looking(folder)


@pytest.fixture
def runtime(looking: Looking) -> Iterator[AwaitedRuntime]:
    """A runtime that is not there yet."""
    runtime = AwaitedRuntime(look=looking)
    yield runtime
    runtime.close()


@pytest.fixture
def containerd(folder: Path) -> Iterator[ScriptedRuntime]:
    """A runtime at the first of the usual places, not started."""
    scripted = ScriptedRuntime(folder / CANDIDATES[0])
    yield scripted
    scripted.stop()


def _answers(runtime: ImageRuntime) -> bool:
    try:
        runtime.version()
    except RuntimeDown:
        return False
    return True


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_hears_that_nothing_is_there(runtime: AwaitedRuntime, folder: Path, question: str) -> None:
    """In one line with every place that was looked at, which a person at the node can check."""
    with pytest.raises(RuntimeDown) as raised:
        QUESTIONS[question](runtime)

    words = str(raised.value)
    assert words.startswith("no container runtime answers (")
    assert 4 == sum(f"unix://{folder / place}: no such socket" in words for place in CANDIDATES)
    assert 1 == len(words.splitlines())


def test_before_it_is_found_it_has_neither_address_nor_downloads(runtime: AwaitedRuntime) -> None:
    """And nobody waits for either: these are no questions to the runtime."""
    assert ("", None) == (runtime.endpoint, runtime.downloads)


def test_one_that_comes_up_is_found(runtime: AwaitedRuntime, containerd: ScriptedRuntime) -> None:
    """Nothing needs a restart."""
    assert not _answers(runtime)
    containerd.start()

    until(lambda: _answers(runtime), what="the runtime is found", timeout_seconds=WAIT_SECONDS)

    assert ("scripted", f"unix://{containerd.socket}") == (runtime.version().name, runtime.endpoint)


def test_one_that_was_found_stays_the_one(
    runtime: AwaitedRuntime, containerd: ScriptedRuntime, looking: Looking
) -> None:
    """While it restarts, it is down; no other is taken in its place, and nobody looks for one."""
    containerd.start()
    runtime.version()
    containerd.stop()

    with pytest.raises(RuntimeDown) as raised:
        runtime.version()
    containerd.start()
    until(lambda: _answers(runtime), what="the runtime answers again", timeout_seconds=WAIT_SECONDS)

    assert 1 == looking.count
    assert "no container runtime answers" not in str(raised.value)


def test_many_that_ask_at_once_look_once(runtime: AwaitedRuntime, looking: Looking) -> None:
    """A look can take seconds where a socket hangs; with a thread for each image it must not be done by all."""
    threads = [threading.Thread(target=_answers, args=(runtime,)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)

    assert 1 == looking.count
    assert LOOK_AGAIN_SECONDS >= 1


def test_once_closed_it_looks_no_more(looking: Looking) -> None:
    """A thread that is late hears that the runtime is down."""
    runtime = AwaitedRuntime(look=looking)
    runtime.close()

    assert (False, 0) == (_answers(runtime), looking.count)


def test_closing_closes_what_was_found(looking: Looking, containerd: ScriptedRuntime) -> None:
    """Calls are cut and refused from then on."""
    containerd.start()
    runtime = AwaitedRuntime(look=looking)
    runtime.version()

    runtime.close()

    assert not _answers(runtime)


def test_a_named_socket_is_the_one(folder: Path, containerd: ScriptedRuntime) -> None:
    """It is not looked for: it may be away, and is known."""
    endpoint = f"unix://{containerd.socket}"

    runtime = awaited(endpoint)

    assert (endpoint, False) == (runtime.endpoint, _answers(runtime))
    containerd.start()
    until(lambda: _answers(runtime), what="the runtime answers", timeout_seconds=WAIT_SECONDS)
    runtime.close()
