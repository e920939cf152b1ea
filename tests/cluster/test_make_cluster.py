"""`make cluster` and `make cluster-down`, as a person runs them but for the folder: what they bring, and leave."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.servers.cluster import hold
from tests.servers.cluster.cgroups import PREFIX, TREE, Cgroups
from tests.servers.disks import mounted, unmount_below
from tests.servers.processes import until
from tests.servers.setup import cache


COMMAND = (sys.executable, "-m", "tests.servers.cluster.command")
JOB = Path("examples/base-image-job.yaml")
LEFT = hold.State(
    kubeconfig="/left/kubeconfig", kubectl="kubectl", registry="", nodes=(), containerds=(), image="", sample=""
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the cluster has its files, by a short path; what a failed test leaves there ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="pw-m-"))
    place = folder / "c"
    yield place
    if hold.is_held(place):
        os.kill(hold.holder(place), signal.SIGKILL)
        until(lambda: not hold.is_held(place), what="the holder is gone", timeout_seconds=30)
    unmount_below(folder)
    shutil.rmtree(folder)


def cluster(word: str, place: Path) -> str:
    """Do `up` or `down`, and return what it says."""
    done = subprocess.run([*COMMAND, word, place], check=False, capture_output=True, text=True, timeout=240)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def of_the_machine() -> tuple[str, list[str]]:
    """Return what a cluster must not change: the network, and mounts."""
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True, timeout=10).stdout
    return links, Path("/proc/self/mountinfo").read_text().splitlines()


def cgroups_of(holder: int) -> list[Path]:
    """Return the folders of a holder's cluster in every hierarchy of cgroups, whichever version they are."""
    return [folder for depth in ("", "*/") for folder in TREE.glob(f"{depth}{PREFIX}{holder}-*")]


def prewarm(*words: str, kubeconfig: str) -> str:
    """Run the checkout's own command from outside of the cluster."""
    command = [sys.executable, "-m", "daemon", *words, "--kubeconfig", kubeconfig]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_commands_that_it_shows_work_from_outside_and_nothing_stays(place: Path) -> None:
    """Three Ready nodes, the sample job warm on each, all of it root's alone; and the machine is as it was."""
    before = of_the_machine()

    said = cluster("up", place)
    found, rights = hold.state(place), stat.S_IMODE(place.stat().st_mode)
    kubectl = (found.kubectl, "--kubeconfig", found.kubeconfig)
    job = JOB.read_text().replace("image: base:", f"image: {found.sample.removesuffix('base:latest')}base:")
    subprocess.run([*kubectl, "apply", "-f", "-"], check=True, input=job, text=True, timeout=60)
    ready = ("wait", "--for=condition=Ready", "imagepulljob/base-image-job", "--timeout=120s")
    subprocess.run([*kubectl, *ready], check=True, timeout=130)
    status = prewarm("status", "--all-namespaces", kubeconfig=found.kubeconfig)
    again = cluster("up", place)
    during, holder = of_the_machine(), hold.holder(place)
    had_cgroups = bool(cgroups_of(holder))
    cluster("down", place)

    assert f"export KUBECONFIG={found.kubeconfig}" in said
    assert 0o700 == rights
    assert "base-image-job   3/3" in status
    assert "A cluster runs already." in again
    assert [before] * 2 == [during, of_the_machine()]
    assert had_cgroups
    assert [] == cgroups_of(holder)
    assert not place.exists()
    assert "No cluster runs." in cluster("down", place)


def test_a_killed_holder_takes_everything_along(place: Path) -> None:
    """
    No process of a node outlives it; what it can't take, folders, the next one removes.

    What an earlier one has left of its state is not shown as the new one's.
    """
    place.mkdir()
    (place / hold.STATE).write_bytes(msgspec.json.encode(LEFT))
    said = cluster("up", place)
    holder = hold.holder(place)

    os.kill(holder, signal.SIGKILL)
    until(lambda: not hold.is_held(place), what="the lock is free", timeout_seconds=30)
    until(lambda: not _processes_in(place), what="its processes are gone", timeout_seconds=30)
    left = cgroups_of(holder)

    assert LEFT.kubeconfig not in said
    assert left
    # Containers that were killed end a moment later.
    until(lambda: _is_removed_by_the_next(holder), what="its cgroups are gone", timeout_seconds=30)


def _is_removed_by_the_next(holder: int) -> bool:
    """Begin the next cluster as far as its cgroups, and tell whether those of a holder that is gone went by it."""
    Cgroups().remove()
    return not cgroups_of(holder)


def _processes_in(place: Path) -> list[str]:
    """Return the commands of processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(place) in words:
            found.append(words)
    return found


def test_down_removes_what_a_killed_holder_has_left_and_no_other_folder(tmp_path: Path) -> None:
    """Keys of an administrator are in it, and a gigabyte of disks."""
    killed, other = tmp_path / "killed", tmp_path / "other"
    for place in (killed, other):
        place.mkdir()
        (place / "admin.key").touch()
    killed.with_name("killed.lock").write_text("4194305")

    said = cluster("down", killed), cluster("down", other)

    assert (True, False) == tuple("No cluster runs. What one that was killed had left" in text for text in said)
    assert (False, True) == (killed.exists(), (other / "admin.key").exists())


def test_a_usage_error_says_what_can_be_done() -> None:
    """And its exit code is that of bad input."""
    done = subprocess.run([*COMMAND, "sideways"], check=False, capture_output=True, text=True, timeout=30)

    assert (2, True) == (done.returncode, "up|down" in done.stdout)


def test_the_usual_folder_is_in_the_cache() -> None:
    """Beside everything else that the lab brings, and so not in the checkout."""
    assert cache.folder() == hold.usual_folder().parent


def test_a_folder_whose_path_is_too_long_for_a_kubelets_sockets_is_refused() -> None:
    """Before anything is started, with what to do; the node would never be Ready."""
    folder = f"/tmp/{'long' * 20}"  # noqa: S108 - nothing is made there
    done = subprocess.run([*COMMAND, "up", folder], check=False, capture_output=True, text=True, timeout=30)

    assert (2, True) == (done.returncode, "XDG_CACHE_HOME" in done.stdout)


def test_a_disk_that_has_no_room_is_told_before_anything_is_started(place: Path) -> None:
    """How much is free, how much it takes, and what to do; nothing is made there."""
    with mounted(place.with_name("small"), size_bytes=20 << 20) as small:
        done = subprocess.run([*COMMAND, "up", small / "c"], check=False, capture_output=True, text=True, timeout=30)
        left = [path.name for path in small.iterdir()]

    assert 1 == done.returncode
    assert f"{small} has 20 MiB free, and a cluster needs 1024" in done.stdout
    assert ["c.lock"] == left
