"""`prewarm clean` on a real containerd: our leases go, with what they alone keep; everything else stays."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.runtime.connect import connect
from tests.lab.command import ROOT, Running, environment, job
from tests.lab.conftest import StartContainerd
from tests.lab.runtime_pulls import ROLE, FollowedPull, downloads_of
from tests.servers.containerd import Containerd
from tests.servers.faults import CutAll, Fault, Hang
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


LAYER_BYTES = 1 << 20


@pytest.fixture
def containerd(start_containerd: StartContainerd) -> Containerd:
    """One that fetches layer after layer, so that a cut leaves the same each time."""
    return start_containerd(max_concurrent_downloads=1)


def clean(containerd: Containerd, workdir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to the end."""
    return subprocess.run(
        [sys.executable, "-m", "daemon", "clean", "--runtime-endpoint", containerd.endpoint, *arguments],
        cwd=ROOT,
        env=environment(workdir),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def cut(containerd: Containerd, image: PushedImage, faults: FaultProxy) -> None:
    """Leave a lease of an agent's with two layers and half of a third."""
    faults.add(Fault(CutAll(after_bytes=LAYER_BYTES // 2), reference=image.layers[2].digest, times=None))
    runtime = connect(containerd.endpoint)
    FollowedPull(runtime, image.reference).failure()
    faults.clear()
    runtime.close()


def last(done: subprocess.CompletedProcess[str]) -> str:
    """Return its last line."""
    return done.stdout.splitlines()[-1]


def test_our_leases_go_with_what_they_alone_keep(
    containerd: Containerd, workdir: Path, push: Push, faults: FaultProxy
) -> None:
    """
    Of every role, of a process that is gone; a trial changes nothing.

    The lease of another and an image that shares a layer stay whole.
    """
    half = push("half", layers=[LAYER_BYTES] * 3).at(faults.host)
    whole = push("whole", layers=[LAYER_BYTES]).at(faults.host)
    assert half.layers[0] == whole.layers[0]
    containerd.pull(whole.reference)
    needed = containerd.blobs()
    cut(containerd, half, faults)
    runtime = connect(containerd.endpoint)
    downloads_of(runtime).follow(half.reference, role="run").close()
    runtime.close()
    containerd.ctr("leases", "create", "--id", "anothers")

    trial = clean(containerd, workdir, "--dry-run")
    before = containerd.leases(), containerd.blobs()
    done = clean(containerd, workdir)
    again = clean(containerd, workdir)

    assert [0, 0, 0] == [trial.returncode, done.returncode, again.returncode]
    assert last(trial).startswith("2 leases would be removed, and at most ")
    assert last(done).startswith("2 leases removed, ")
    assert not last(done).startswith("2 leases removed, 0 B")
    assert last(again).startswith("nothing to do")
    assert f"{half.reference} (role {ROLE}): " in trial.stdout
    assert f"{half.reference} (role run): " in trial.stdout
    assert 3 == len(before[0])
    assert needed < before[1]
    assert ["anothers"] == list(containerd.leases())
    assert needed == containerd.blobs()
    assert [whole.reference] == [name for name in containerd.images() if "@" not in name]


def test_a_run_that_is_alive_is_named_and_ends_well(
    containerd: Containerd, workdir: Path, push: Push, faults: FaultProxy
) -> None:
    """It makes its lease again, and its pull begins anew."""
    image = push("app", layers=[LAYER_BYTES] * 2).at(faults.host)
    faults.add(Fault(Hang(after_bytes=LAYER_BYTES // 2), kind=Kind.BLOB, reference=image.layers[1].digest))
    (workdir / "job.yaml").write_text(job(image.reference))

    with Running(containerd, workdir, workdir / "job.yaml") as run:
        until(containerd.leases, what="a lease", timeout_seconds=30)
        until(lambda: faults.traffic.bytes_of(image.layers[1].digest), what="half a layer", timeout_seconds=30)
        done = clean(containerd, workdir)
        faults.release()
        code = run.code()

    assert (0, 0) == (done.returncode, code)
    assert f"`prewarm run` is alive (process {run.process.pid})" in done.stderr
    assert "1 lease removed" in done.stdout
    assert {} == containerd.leases()
    assert image.reference in containerd.images()
