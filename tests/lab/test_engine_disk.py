"""A disk that runs full or low: the floor holds, nothing partial stays, and work goes on when there is space."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.task import Task
from tests.lab.conftest import MountDisk, StartContainerd
from tests.lab.engine import RETRY_SECONDS, Engine, wanted_image
from tests.servers.containerd import Containerd
from tests.servers.disks import Filesystem
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy


MIB = 1 << 20
DISK_BYTES = 96 * MIB
BALLAST_BYTES = 56 * MIB
LAYER_BYTES = 20 * MIB
BYTES_PER_SECOND = 5 * MIB


@pytest.fixture
def disk(mount_disk: MountDisk) -> Path:
    """A small disk of its own."""
    return mount_disk(DISK_BYTES)


@pytest.fixture
def containerd(disk: Path, start_containerd: StartContainerd) -> Containerd:
    """One that keeps its images on the small disk."""
    return start_containerd(root=disk)


@pytest.fixture
def ballast(disk: Path, containerd: Containerd) -> Path:
    """A file that takes most of the disk; what is left is enough for a layer, not for unpacking it too."""
    return write(disk / "ballast", BALLAST_BYTES)


def write(path: Path, size_bytes: int) -> Path:
    """Write a file that really takes its size."""
    path.write_bytes(bytes(size_bytes))
    return path


def our_leases(containerd: Containerd) -> list[str]:
    """Name the holds."""
    return [name for name in containerd.leases() if name.startswith("prewarm-")]


@pytest.mark.parametrize("filesystem", list(Filesystem))
def test_a_full_disk_has_its_own_reason_and_recovers(
    mount_disk: MountDisk, start_containerd: StartContainerd, push: Push, filesystem: Filesystem
) -> None:
    """ENOSPC ends as DiskFull and leaves nothing partial; when space is made, the next attempt brings the image."""
    disk = mount_disk(DISK_BYTES, filesystem=filesystem)
    containerd = start_containerd(root=disk)
    ballast = write(disk / "ballast", BALLAST_BYTES)
    image = push(layers=[LAYER_BYTES, LAYER_BYTES])
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        first = engine.until(wanted, lambda task: task.reason is Reason.DISK_FULL)
        held, kept = our_leases(containerd), containerd.ctr("content", "active").splitlines()[1:]
        ballast.unlink()
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert (Phase.WAITING, 1) == (first.phase, first.attempt)
    assert ([], []) == (held, kept)
    assert Phase.SUCCEEDED is task.phase
    assert image.digest == containerd.images()[image.reference]


def test_the_floor_stops_a_pull_within_two_seconds(
    containerd: Containerd, ballast: Path, disk: Path, push: Push, faults: FaultProxy
) -> None:
    """A pull that reaches the floor is cancelled before two more seconds of the registry's rate have come."""
    image = push(layers=[LAYER_BYTES]).at(faults.host)
    wanted = wanted_image(image.reference)
    faults.limit(BYTES_PER_SECOND)

    with Engine(containerd.endpoint) as engine_without_floor:
        free = engine_without_floor.runtime.filesystem().free_bytes
    floor = free - LAYER_BYTES // 4
    with Engine(containerd.endpoint, min_free=str(floor)) as engine:
        engine.want(wanted)
        low = engine.until(wanted, lambda task: task.reason is Reason.DISK_LOW)
        sent = faults.traffic.blob_bytes()
        held, kept = our_leases(containerd), containerd.blobs()

    assert (Phase.WAITING, 0) == (low.phase, low.attempt)
    assert LAYER_BYTES // 4 < sent <= LAYER_BYTES // 4 + 2 * BYTES_PER_SECOND
    assert ([], set()) == (held, kept)


def test_a_pull_that_met_the_floor_is_not_begun_again_without_more_space(
    containerd: Containerd, ballast: Path, push: Push, faults: FaultProxy
) -> None:
    """What was dropped leaves room for a beginning, not for the image: nothing is fetched until it would fit."""
    image = push(layers=[LAYER_BYTES]).at(faults.host)
    wanted = wanted_image(image.reference, timeout_seconds=600)
    with Engine(containerd.endpoint) as engine_without_floor:
        free = engine_without_floor.runtime.filesystem().free_bytes
    faults.limit(BYTES_PER_SECOND)

    with Engine(containerd.endpoint, min_free=str(free - LAYER_BYTES // 4)) as engine:
        engine.want(wanted)
        first = engine.until(wanted, lambda task: task.reason is Reason.DISK_LOW)
        asked = faults.traffic.requests()
        engine.jump(60)
        again = engine.until(wanted, lambda task: is_low_again(task, after=first))
        asked_again = faults.traffic.requests()
        ballast.unlink()
        faults.clear()
        engine.jump(60)
        task = engine.ended(wanted)

    assert (0, 0) == (first.attempt, again.attempt)
    assert asked == asked_again
    assert (Phase.SUCCEEDED, 1, None) == (task.phase, task.attempt, task.reason)


def is_low_again(task: Task, *, after: Task) -> bool:
    """Tell whether another attempt than the one that ended with `after` has ended for want of space."""
    is_later = task.not_before_seconds > after.not_before_seconds
    return is_later and task.running is None and task.reason is Reason.DISK_LOW


def test_a_low_disk_spends_no_attempt_and_goes_on(
    containerd: Containerd, ballast: Path, push: Push, faults: FaultProxy
) -> None:
    """Below the floor the registry is not asked; when space is made, the image comes in its first attempt."""
    image = push(layers=[LAYER_BYTES]).at(faults.host)
    wanted = wanted_image(image.reference, backoff_limit=0)

    with Engine(containerd.endpoint, min_free=str(DISK_BYTES // 2)) as engine:
        engine.want(wanted)
        low = engine.until(wanted, lambda task: task.reason is Reason.DISK_LOW)
        engine.jump(5)
        engine.until(wanted, lambda task: is_low_again(task, after=low))
        asked = faults.traffic.requests()
        ballast.unlink()
        engine.jump(5)
        task = engine.ended(wanted)

    assert (Phase.WAITING, 0) == (low.phase, low.attempt)
    assert "must stay free" in low.message
    assert () == asked
    assert (Phase.SUCCEEDED, 1, None) == (task.phase, task.attempt, task.reason)


def test_a_disk_that_stays_low_fails_after_one_timeout(
    containerd: Containerd, ballast: Path, push: Push, faults: FaultProxy
) -> None:
    """Waiting for space ends after timeoutSeconds as DiskLow, without the registry having been asked."""
    wanted = wanted_image(push().at(faults.host).reference, timeout_seconds=600)

    with Engine(containerd.endpoint, min_free=str(DISK_BYTES // 2)) as engine:
        engine.want(wanted)
        engine.until(wanted, lambda task: task.reason is Reason.DISK_LOW and task.running is None)
        engine.jump(600)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.DISK_LOW, 0) == (task.phase, task.reason, task.attempt)
    assert () == faults.traffic.requests()


def test_an_entry_may_ask_for_a_higher_floor(
    containerd: Containerd, ballast: Path, push: Push, faults: FaultProxy
) -> None:
    """Of --min-free and an entry's minFree the larger holds."""
    wanted = replace(wanted_image(push().at(faults.host).reference), min_free="80%")

    with Engine(containerd.endpoint, min_free="1%") as engine:
        engine.want(wanted)
        task = engine.until(wanted, lambda task: task.reason is Reason.DISK_LOW)

    assert Phase.WAITING is task.phase
    assert () == faults.traffic.requests()
