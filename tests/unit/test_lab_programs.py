"""The programs of the lab's Pods do what their modules say; they run here as they are, without a container."""

import platform
import subprocess
from pathlib import Path

import pytest

from tests.servers.cluster import echoing, waiting
from tests.servers.processes import until


pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the programs are for x86-64")
SECONDS = 10


def executable(folder: Path, name: str, content: bytes) -> Path:
    """Put a program into a folder."""
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def run(program: Path) -> tuple[int, bytes]:
    """Return a program's exit code and what it has printed."""
    done = subprocess.run([program], check=False, capture_output=True, timeout=SECONDS)
    return done.returncode, done.stdout


def test_echo_says_its_line_and_ends(tmp_path: Path) -> None:
    """The line that kube-fledged has its Pods say."""
    assert (0, echoing.SAYING) == run(executable(tmp_path, "echo", echoing.echo()))


def test_copy_makes_a_program_that_runs(tmp_path: Path) -> None:
    """So that a container of another image can run it."""
    source, target = executable(tmp_path, "echo", echoing.echo()), tmp_path / "copied"

    assert (0, b"") == run(executable(tmp_path, "cp", echoing.copy(str(source), str(target))))
    assert (0, echoing.SAYING) == run(target)


def test_copy_fails_where_there_is_nothing_to_copy(tmp_path: Path) -> None:
    """A Job whose init container did nothing must not go on."""
    copy = echoing.copy(str(tmp_path / "absent"), str(tmp_path / "copied"))

    assert 1 == run(executable(tmp_path, "cp", copy))[0]


def test_wait_ends_well_when_it_is_told_to(tmp_path: Path) -> None:
    """As the first process of a container it would get no signal that it does not wait for."""
    with subprocess.Popen([executable(tmp_path, "wait", waiting.program())]) as process:
        try:
            until(lambda: is_asleep(process.pid), what="it waits", timeout_seconds=SECONDS)
            process.terminate()

            assert 0 == process.wait(timeout=SECONDS)
        finally:
            process.kill()


def is_asleep(pid: int) -> bool:
    """Tell whether a process waits for something, which this program does for nothing but a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
