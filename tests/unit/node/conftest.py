"""A scripted runtime for each test of the loop."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.scripted_cri import ScriptedCri


@pytest.fixture
def cri() -> Iterator[ScriptedCri]:
    """Serve CRI at a socket of its own, whose path is short enough for any folder of temporary files."""
    with tempfile.TemporaryDirectory(prefix="cri-") as folder, ScriptedCri(Path(folder) / "cri.sock") as scripted:
        yield scripted
