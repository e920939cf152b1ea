"""A build that is killed leaves no process, no mount and nothing that the next one stumbles over."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import until
from tests.servers.setup import nodeimage
from tests.servers.setup.buildah import LAYOUT, buildah
from tests.servers.setup.commands import CommandFailed


BASE = "localhost/base:1"
# Nothing else on this machine sleeps for just so long.
HANGING = "sleep 3607"

_BUILD = f"""
import sys
from pathlib import Path
from tests.servers.setup.buildah import buildah

place, base = map(Path, sys.argv[1:])
with buildah(place / "storage") as builder:
    builder.take(base, name="{BASE}")
    builder.build(place, place / "Dockerfile", into=place / "hanging")
"""

# The base may have to be made first.
pytestmark = pytest.mark.timeout(600)


def test_a_killed_build_leaves_nothing_that_breaks_the_next(workdir: Path) -> None:
    """SIGKILL in the middle of a step ends all that it started; the next build begins anew, and its image is whole."""
    base = nodeimage.base()
    (workdir / "Dockerfile").write_text(f"FROM {BASE}\nRUN {HANGING}\n")
    killed = subprocess.Popen([sys.executable, "-c", _BUILD, str(workdir), str(base)], cwd=nodeimage.PROJECT)
    until(lambda: _runs(HANGING), what="the build is in its step", timeout_seconds=120)

    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=10)
    until(lambda: not _runs(HANGING), what="its processes are gone", timeout_seconds=30)
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(workdir) in line]
    (workdir / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    with buildah(workdir / "storage") as builder:
        builder.build(workdir, workdir / "Dockerfile", into=workdir / "next")

    assert [] == mounts
    assert (workdir / "next" / LAYOUT / "index.json").exists()
    assert not (workdir / "hanging" / LAYOUT / "index.json").exists()


def test_a_build_leaves_the_machine_s_own_storage_alone(workdir: Path) -> None:
    """What buildah would keep below /var/lib for later builds is not there, and a failed step says what it printed."""
    existed = Path("/var/lib/containers").exists()
    (workdir / "Dockerfile").write_text("FROM scratch\nCOPY absent /\n")

    with buildah(workdir / "storage") as builder, pytest.raises(CommandFailed, match="absent"):
        builder.build(workdir, workdir / "Dockerfile", into=workdir)

    assert existed == Path("/var/lib/containers").exists()
    assert not (workdir / "storage/unfinished").exists()


def _runs(command: str) -> bool:
    wanted = command.replace(" ", "\0").encode()
    return any(_command(process).startswith(wanted) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        # It has ended since.
        return b""
