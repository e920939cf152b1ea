"""`prewarm run --watch` keeps what it brought: warm, fresh, and beside another run."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.lab.command import Running, job, names, run
from tests.servers.containerd import Containerd
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


MIB = 1 << 20


def _remove(containerd: Containerd) -> None:
    """Remove every image by all of its names, as the kubelet's collection does."""
    containerd.ctr("images", "rm", "--sync", *containerd.ctr("images", "ls", "--quiet").split())


def test_a_removed_image_is_pulled_again(workdir: Path, containerd: Containerd, push: Push) -> None:
    """At once the first time; SIGTERM ends the watch with 0."""
    image = push()
    with Running(containerd, workdir, "--watch", "--image", image.reference) as running:
        running.until_event("image_pulled")
        _remove(containerd)
        running.until_event("image_lost")
        until(lambda: image.reference in containerd.images(), what="the image is back", timeout_seconds=30)
        until(lambda: names(running.events).count("image_pulled") == 2, what="and told", timeout_seconds=30)
        running.send(signal.SIGTERM)
        code = running.code()

    assert (0, "") == (code, running.errors.read_text())
    assert ["pull_started", "image_pulled", "image_lost", "pull_started", "image_pulled", "run_finished"] == names(
        running.events
    )


def test_an_image_is_renewed_when_its_job_says(workdir: Path, containerd: Containerd, push: Push) -> None:
    """A moved tag is brought at spec.prewarm.refresh.at, and not before."""
    image = push()
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
    path = workdir / "job.json"
    refresh = {"refresh": {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}}
    path.write_text(job(image.reference, completionPolicy={"type": "Never"}, imagePullPolicy="Always", prewarm=refresh))

    with Running(containerd, workdir, "--watch", path) as running:
        running.until_event("image_pulled", version=1)
        moved = push(seed=1)
        renewed = running.until_event("image_pulled", version=2)
        running.send(signal.SIGINT)
        code = running.code()

    first = next(event for event in running.events if event["event"] == "image_pulled")
    assert (130, moved.digest, True) == (code, renewed["digest"], renewed["changed"])
    assert datetime.fromisoformat(first["time"]) < at <= datetime.fromisoformat(renewed["time"])
    assert moved.digest == containerd.images()[image.reference]


def test_a_runtime_that_goes_away_is_waited_for(workdir: Path, containerd: Containerd, push: Push) -> None:
    """Also at the start; the command never ends by itself."""
    image = push()
    containerd.stop()
    with Running(containerd, workdir, "--watch", "--image", image.reference, "--runtime-wait", "0") as running:
        until(lambda: "waiting for one" in running.errors.read_text(), what="it waits", timeout_seconds=30)
        containerd.start()
        running.until_event("image_pulled")
        running.send(signal.SIGTERM)

        assert 0 == running.code()


@pytest.fixture
def slow(push: Push, faults: FaultProxy) -> PushedImage:
    """An image that takes some seconds."""
    image = push("slow", layers=[4 * MIB]).at(faults.host)
    faults.limit(MIB)
    return image


def test_two_runs_leave_each_other_alone(
    workdir: Path, containerd: Containerd, push: Push, slow: PushedImage, faults: FaultProxy
) -> None:
    """The second begins, works and ends in the middle of the first, which fetches each byte once."""
    quick = push("quick")
    with Running(containerd, workdir, "--image", slow.reference) as first:
        first.until(lambda event: event.get("bytes_done", 0) > MIB, what="the first is under way")
        faults.limit(1)
        held = containerd.leases().keys()
        second = run(containerd, workdir, "--image", quick.reference)
        between = containerd.leases().keys()
        faults.limit(None)
        code = first.code()

    assert (0, 0) == (second.returncode, code)
    assert held
    assert held == between
    assert ["pull_started", "image_pulled", "run_finished"] == names(first.events)
    assert slow.layer_bytes == faults.traffic.bytes_of(slow.layers[0].digest)
    assert {} == containerd.leases()


def test_two_runs_may_bring_the_same_image(workdir: Path, containerd: Containerd, slow: PushedImage) -> None:
    """Whichever is first takes nothing from the other."""
    with (
        Running(containerd, workdir, "--image", slow.reference, name="first") as first,
        Running(containerd, workdir, "--image", slow.reference, name="second") as second,
    ):
        codes = first.code(), second.code()

    assert (0, 0) == codes
    assert [] == [name for name in names(first.events + second.events) if name == "attempt_failed"]
    assert slow.digest == containerd.images()[slow.reference]
    assert {} == containerd.leases()
