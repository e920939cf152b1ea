"""A build keeps no secret and writes nowhere else; killed, it leaves nothing that the next one stumbles over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import until
from tests.servers.setup import apt, nodeimage
from tests.servers.setup.buildah import LAYOUT, buildah
from tests.servers.setup.commands import CommandFailed


# Nothing else on this machine sleeps for just so long.
HANGING = ("sleep", "3607")
PASSWORD = "gv7Kp2sXw"
SETTINGS = f"[global]\nextra-index-url = https://reader:{PASSWORD}@index.test/simple\n"

_BUILD = """
import sys
from pathlib import Path
from tests.servers.setup.buildah import buildah

place = Path(sys.argv[1])
with buildah(place / "storage") as builder:
    builder.build(place / "context", place / "context/Dockerfile", into=place / "hanging")
"""

# The programs may have to be brought first.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def context(workdir: Path) -> Path:
    """The folder of a build that has a busybox for its steps; the Dockerfile is the test's to write."""
    folder = workdir / "context"
    folder.mkdir()
    found = apt.unpacked("busybox-static")
    shutil.copy(next(file for file in found.rglob("bin/busybox") if file.is_file()), folder)
    return folder


def test_a_step_reads_what_pip_needs_and_no_file_keeps_it(workdir: Path, context: Path) -> None:
    """A secret is in reach of the step that mounts it; afterwards neither the image nor the storage has it."""
    mount = "--mount=type=secret,id=pip,target=/etc/pip.conf"
    _write(context, f'RUN {mount} ["/busybox", "grep", "reader:", "/etc/pip.conf"]')

    with buildah(workdir / "storage") as builder:
        builder.build(context, context / "Dockerfile", into=workdir / "built", secrets={"pip": SETTINGS})

    assert (workdir / "built" / LAYOUT / "index.json").exists()
    assert [] == [file for file in workdir.rglob("*") if file.is_file() and PASSWORD.encode() in file.read_bytes()]


def test_a_failed_step_says_what_it_printed(workdir: Path, context: Path) -> None:
    """The message ends with it; the storage is good for the next build, and nothing is in the machine's /var/lib."""
    existed = Path("/var/lib/containers").exists()
    _write(context, 'RUN ["/busybox", "cat", "/absent"]')

    with buildah(workdir / "storage") as builder, pytest.raises(CommandFailed, match="cat: can't open '/absent'"):
        builder.build(context, context / "Dockerfile", into=workdir / "built")

    assert existed == Path("/var/lib/containers").exists()
    assert not (workdir / "storage/unfinished").exists()


def test_a_killed_build_leaves_nothing_that_breaks_the_next(workdir: Path, context: Path) -> None:
    """SIGKILL in the middle of a step ends all that it started; the next build begins anew, and its image is whole."""
    _write(context, f'RUN ["/busybox", "{HANGING[0]}", "{HANGING[1]}"]')
    killed = subprocess.Popen([sys.executable, "-c", _BUILD, str(workdir)], cwd=nodeimage.PROJECT)
    try:
        until(_hangs, what="the build is in its step", timeout_seconds=60)
    finally:
        killed.kill()
        killed.wait(timeout=10)

    until(lambda: not _hangs(), what="its processes are gone", timeout_seconds=30)
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(workdir) in line]
    _write(context, 'RUN ["/busybox", "true"]')
    with buildah(workdir / "storage") as builder:
        builder.build(context, context / "Dockerfile", into=workdir / "next")

    assert [] == mounts
    assert not (workdir / "hanging" / LAYOUT / "index.json").exists()
    assert (workdir / "next" / LAYOUT / "index.json").exists()


def _write(context: Path, *steps: str) -> None:
    lines = ("FROM scratch", "COPY busybox /", *steps)
    (context / "Dockerfile").write_text("".join(f"{line}\n" for line in lines))


def _hangs() -> bool:
    wanted = "\0".join(HANGING).encode()
    return any(wanted in _command(process) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        # It has ended since.
        return b""
