"""A scripted API server, what speaks to it, and a reflector that runs in a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemon.cluster.interface import Resource
from daemon.cluster.metadata import decode_resource
from daemon.cluster.reflector import Reflector, Timing
from daemon.cluster.transport import HttpApi
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.heard import Heard


# Short enough for a test that waits for a watch's own end, long enough for a busy machine.
TIMING = Timing(
    request_seconds=5, watch_seconds=(60, 60), slack_seconds=5, first_seconds=0.05, most_seconds=0.2, steady_seconds=30
)
JOIN_SECONDS = 10.0

Reflect = Callable[..., Reflector[Resource]]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A scripted API server."""
    with ScriptedApi() as server:
        yield server


@pytest.fixture
def heard() -> Heard:
    """What was told and counted."""
    return Heard()


@pytest.fixture
def client(api: ScriptedApi, heard: Heard, tmp_path: Path) -> Iterator[HttpApi]:
    """A client of the scripted server."""
    http = HttpApi(api.access(tmp_path), user_agent="prewarm-test", telemetry=heard.telemetry)
    yield http
    http.close()


@pytest.fixture
def reflect(api: ScriptedApi, client: HttpApi, heard: Heard) -> Iterator[Reflect]:
    """Start a reflector of the scripted collection in a thread; it has stopped when the test ends."""
    with ExitStack() as stack:

        def start(
            timing: Timing = TIMING, *, decode: Callable[[bytes], Resource] = decode_resource
        ) -> Reflector[Resource]:
            reflector = Reflector(
                client,
                path=api.path,
                query={"fieldSelector": "metadata.name=a"},
                listener=heard,
                decode=decode,
                telemetry=heard.telemetry,
                timing=timing,
            )
            thread = threading.Thread(target=reflector.run, name="reflector")
            thread.start()
            stack.callback(_end, reflector, thread)
            return reflector

        yield start


def _end(reflector: Reflector[Resource], thread: threading.Thread) -> None:
    reflector.stop()
    thread.join(JOIN_SECONDS)
    assert not thread.is_alive()
