"""Removals as containerd tells them."""

import queue
import threading
from collections.abc import Iterator

import pytest

from daemon.runtime.interface import ImageRuntime, PullRequest
from tests.lab.runtime_pulls import downloads_of
from tests.servers.containerd import Containerd
from tests.servers.images import Push


WAIT_SECONDS = 30.0


class Listener:
    """Listens in a thread; `names` gets each removal, and None at the end."""

    def __init__(self, runtime: ImageRuntime) -> None:
        self.names: queue.Queue[str | None] = queue.Queue()
        self.thread = threading.Thread(target=self._listen, args=(downloads_of(runtime).removals(),))
        self.thread.start()

    def _listen(self, removals: Iterator[str]) -> None:
        for name in removals:
            self.names.put(name)
        self.names.put(None)

    def next(self, *, timeout_seconds: float = WAIT_SECONDS) -> str | None:
        """Return the next name, or None at the end."""
        return self.names.get(timeout=timeout_seconds)


def listening(runtime: ImageRuntime, image: str) -> Listener:
    """Listen, and be sure of it: containerd acknowledges no subscription, so an image goes until that is heard."""
    listener = Listener(runtime)
    for _ in range(50):
        runtime.pull(PullRequest(image=image)).result(timeout_seconds=WAIT_SECONDS)
        runtime.remove(image)
        try:
            heard = {listener.next(timeout_seconds=1) for _ in range(3)}
        except queue.Empty:
            continue
        assert image in heard
        return listener
    raise AssertionError("no removal was heard")


def test_a_removed_image_is_told_by_all_its_names(runtime: ImageRuntime, push: Push) -> None:
    """An image that CRI removes is named by tag, digest and ID."""
    other, image = push("other"), push("app", layers=[1000])
    listener = listening(runtime, other.reference)
    runtime.pull(PullRequest(image=image.reference)).result(timeout_seconds=WAIT_SECONDS)

    runtime.remove(image.reference)

    assert {image.reference, image.reference_by_digest, image.image_id} == {listener.next() for _ in range(3)}
    downloads_of(runtime).close_removals()
    assert listener.next() is None


def test_a_removal_by_another_client_is_told_too(containerd: Containerd, runtime: ImageRuntime, push: Push) -> None:
    """It does not matter who removes."""
    other, image = push("other"), push("app", layers=[1000])
    listener = listening(runtime, other.reference)
    runtime.pull(PullRequest(image=image.reference)).result(timeout_seconds=WAIT_SECONDS)

    containerd.ctr("images", "rm", image.reference)

    assert image.reference == listener.next()
    downloads_of(runtime).close_removals()


def test_the_stream_ends_with_the_runtime(containerd: Containerd, runtime: ImageRuntime, push: Push) -> None:
    """A killed containerd ends it, and one may subscribe again once it is back."""
    other = push("other")
    listener = listening(runtime, other.reference)

    containerd.kill()
    ended = listener.next()
    containerd.start()

    assert ended is None
    again = listening(runtime, other.reference)
    downloads_of(runtime).close_removals()
    assert again.next() is None


@pytest.mark.parametrize("times", [1, 2])
def test_closed_before_it_began_it_ends_at_once(runtime: ImageRuntime, times: int) -> None:
    """A listener that comes after the close does not wait for ever."""
    for _ in range(times):
        downloads_of(runtime).close_removals()

    assert [] == list(downloads_of(runtime).removals())
