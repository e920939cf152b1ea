"""Fixtures: a scripted runtime on a socket of the test's own, and a connection to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.runtime.connect import connect
from daemon.runtime.interface import ImageRuntime
from tests.unit.runtime.scripted import ScriptedRuntime, short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    with short_folder() as path:
        yield path


@pytest.fixture
def scripted(folder: Path) -> Iterator[ScriptedRuntime]:
    """A scripted runtime that answers Version and ImageFsInfo."""
    runtime = ScriptedRuntime(folder / "cri.sock")
    runtime.start()
    yield runtime
    runtime.stop()


@pytest.fixture
def runtime(scripted: ScriptedRuntime) -> Iterator[ImageRuntime]:
    """A connection to the scripted runtime."""
    connection = connect(f"unix://{scripted.socket}")
    yield connection
    connection.close()
