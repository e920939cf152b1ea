"""`make demo` keeps its promise and leaves nothing behind, whether it ends or is interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.processes import until


ROOT = Path(__file__).parents[2]


class Demo:
    """The demo as a process group of its own, as a terminal starts it, with its scratch folder in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers.demo"],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.scratch)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def says(self, text: str) -> bool:
        """Tell whether it has said this; an early end shows what it said instead."""
        said = self.output.read_text()
        assert text in said or self.process.poll() is None, said
        return text in said

    def leftovers(self) -> list[str]:
        """List what names its scratch folder: files, mounts and processes."""
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.scratch) in line]
        return [
            *map(str, self.scratch.iterdir()),
            *mounts,
            *(found for found in _commands() if str(self.scratch) in found),
        ]


@pytest.fixture
def demo(workdir: Path) -> Iterator[Demo]:
    """A demo under way."""
    demo = Demo(workdir)
    yield demo
    if demo.process.poll() is None:
        os.killpg(demo.process.pid, signal.SIGKILL)
        demo.process.wait(timeout=10)


def test_the_demo_brings_the_image_and_then_the_new_one(demo: Demo) -> None:
    """It ends with 0, after the runtime has confirmed both digests."""
    code = demo.process.wait(timeout=100)
    said = demo.output.read_text()

    assert code == 0, said
    assert said.count("The runtime has exactly that image.") == 2
    assert demo.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_cleans_up_when_it_is_interrupted(demo: Demo, number: signal.Signals) -> None:
    """Ctrl-C reaches the whole group; servers, mounts and files go, and the exit code says so."""
    until(lambda: demo.says("A node with containerd"), what="the demo's servers run", timeout_seconds=60)

    os.killpg(demo.process.pid, number)
    code = demo.process.wait(timeout=30)

    assert code == 130, demo.output.read_text()
    assert demo.leftovers() == []


def _commands() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            # It has ended since.
            continue
