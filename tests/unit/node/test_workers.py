"""What the threads of a node's loop make of a runtime that cannot tell everything, or is not there yet."""

import threading
from collections.abc import Callable

import pytest

from daemon.node.inbox import ImageLost, Message, OrphansReleased, RuntimeMissed
from daemon.node.settings import NodeSettings
from daemon.node.task import Task
from daemon.node.warmth import look
from daemon.node.workers import Workers
from daemon.runtime.connect import connect
from daemon.runtime.errors import CriError, RuntimeDown
from daemon.runtime.interface import ImageRuntime, LocalImage
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.node.running_node import DEADLINE_SECONDS, Offered
from tests.unit.node.virtual_node import image


class Fails:
    """A runtime that fails to tell of one image, and has no other."""

    def __init__(self, runtime: ImageRuntime, *, name: str, error: CriError) -> None:
        self._runtime = runtime
        self._name = name
        self._error = error

    def __getattr__(self, name: str) -> object:
        """Be the runtime in all else."""
        return getattr(self._runtime, name)

    def image_status(self, name: str) -> LocalImage | None:
        """Fail for the one."""
        if name == self._name:
            raise self._error
        return None


@pytest.mark.parametrize(
    ("error", "expected"),
    [(CriError("content is missing"), [ImageLost, ImageLost]), (RuntimeDown("refused"), [ImageLost, RuntimeMissed])],
    ids=["one image", "all"],
)
def test_an_image_that_cannot_be_told_of_hides_no_other(
    cri: ScriptedCri, error: CriError, expected: list[type[Message]]
) -> None:
    """A runtime that goes away ends the look; one that stumbles over a damaged image does not."""
    runtime = connect(cri.endpoint)
    standing = {image(name).key: Task(wanted=image(name), seen_seconds=0) for name in ("app", "web", "db")}
    posted: list[Message] = []

    look(_of(Fails(runtime, name="registry.example/web:v1", error=error)), standing, post=posted.append)
    runtime.close()

    assert expected == [type(message) for message in posted]


def _of(runtime: object) -> ImageRuntime:
    return runtime  # type: ignore[return-value]  # what it hands on is dynamic


def _posted(runtime: ImageRuntime, *, ask: Callable[[Workers], None]) -> Message:
    """Return the first message of a worker."""
    posted: list[Message] = []
    told = threading.Event()

    def post(message: Message) -> None:
        posted.append(message)
        told.set()

    settings = NodeSettings(role="agent", slots=2, min_free="0")
    ask(Workers(runtime, credentials=Offered(), settings=settings, post=post))
    assert told.wait(DEADLINE_SECONDS)
    return posted[0]


def test_holds_of_an_earlier_process_are_not_called_released_while_the_runtime_is_away(cri: ScriptedCri) -> None:
    """Before it has said what it is, nobody knows whether it holds anything; the loop asks again when it is back."""
    posted: list[Message] = []

    for runtime in (connect("unix:///nowhere.sock"), connect(cri.endpoint)):
        posted.append(_posted(runtime, ask=lambda workers: workers.release_orphans(())))
        runtime.close()

    assert [RuntimeMissed, OrphansReleased] == [type(message) for message in posted]
