"""Partial downloads that outlive failed attempts, our own death and the runtime's restart."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.clock import Moment
from daemon.runtime.connect import connect
from daemon.runtime.errors import PullRejected
from daemon.runtime.interface import ImageRuntime
from tests.lab.conftest import StartContainerd
from tests.lab.runtime_pulls import ROLE, FollowedPull, downloads_of
from tests.servers.containerd import Containerd, Setting
from tests.servers.faults import CutAll, Fault, Hang
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


class MovingClock:
    """A clock whose date a test moves."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> Moment:
        """Return the date that was set."""
        return Moment(seconds=self.at.timestamp(), at=self.at)


def collect_garbage(containerd: Containerd) -> None:
    """Make containerd drop now what nothing keeps: a lease that is deleted with sync waits for a collection."""
    containerd.ctr("leases", "create", "--id", "collect", "--expires", "1h")
    containerd.ctr("leases", "delete", "--sync", "collect")


def unpacked(containerd: Containerd) -> dict[str, str]:
    """Return each finished snapshot with its time of creation, which a second unpacking would change."""
    names = [row.split()[0] for row in containerd.ctr("snapshots", "ls").splitlines()[1:]]
    return {name: containerd.ctr("snapshots", "info", name) for name in names if name.startswith("sha256:")}


def cut_in_the_ninth(containerd: Containerd, runtime: ImageRuntime, push: Push, faults: FaultProxy) -> PushedImage:
    """Pull ten layers of 8 MB and break the link in the ninth until the runtime gives up."""
    image = push(layers=[8_000_000] * 10).at(faults.host)
    faults.limit(40_000_000)
    faults.add(Fault(CutAll(after_bytes=4_000_000), reference=image.layers[8].digest, times=None))
    failure = FollowedPull(runtime, image.reference).failure()
    assert isinstance(failure, PullRejected)
    faults.clear()
    return image


@pytest.mark.parametrize("settings", [None, {"max_concurrent_downloads": 3}], ids=["default", "pulled the older way"])
def test_a_cut_pull_goes_on_where_it_was(
    start_containerd: StartContainerd, push: Push, faults: FaultProxy, settings: dict[str, Setting] | None
) -> None:
    """After a cut and a garbage collection no byte comes twice and no layer is unpacked twice."""
    containerd = start_containerd(cri_settings=settings)
    runtime = connect(containerd.endpoint)
    image = cut_in_the_ninth(containerd, runtime, push, faults)
    collect_garbage(containerd)
    before = unpacked(containerd)

    FollowedPull(runtime, image.reference).wait()

    # What broke in flight between the proxy and the runtime is all that may be lost.
    assert faults.traffic.blob_bytes() < image.layer_bytes * 1.05
    assert before.items() <= unpacked(containerd).items()
    runtime.close()


def test_without_a_hold_a_cut_pull_begins_anew(
    containerd: Containerd, runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """Released, nothing is kept: this is what the hold is for."""
    image = cut_in_the_ninth(containerd, runtime, push, faults)

    downloads_of(runtime).release(image.reference, role=ROLE)

    assert set() == containerd.blobs()
    assert {} == unpacked(containerd)
    assert {} == containerd.leases()


def test_our_sudden_death_loses_nothing(
    containerd: Containerd, runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """A connection that breaks without a word just after a layer began: the next process finds the hold and resumes."""
    image = push(layers=[8_000_000]).at(faults.host)
    faults.add(Fault(Hang(after_bytes=2_000_000), reference=image.layers[0].digest))
    dying = connect(containerd.endpoint)
    pull = FollowedPull(dying, image.reference)
    until(
        lambda: faults.traffic.bytes_of(image.layers[0].digest) >= 2_000_000, what="two megabytes", timeout_seconds=30
    )
    pull.until_bytes(1 << 20)
    dying.close()
    faults.clear()
    collect_garbage(containerd)

    held = downloads_of(runtime).held(role=ROLE)
    FollowedPull(runtime, image.reference).wait()

    assert [image.reference] == [hold.image for hold in held]
    assert 1 == len(faults.traffic.range_requests())
    # containerd writes a layer by the mebibyte: what was not yet written comes again.
    assert faults.traffic.bytes_of(image.layers[0].digest) < 8_200_000 + (1 << 20)


def test_a_hold_outlives_the_runtimes_restart(
    containerd: Containerd, runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """A restart between two attempts changes nothing: the second resumes."""
    image = cut_in_the_ninth(containerd, runtime, push, faults)
    runtime.close()

    containerd.restart()
    again = connect(containerd.endpoint)
    FollowedPull(again, image.reference).wait()

    # Half a layer is more than what can be on its way when a link breaks, and less than any layer lost.
    assert faults.traffic.blob_bytes() < image.layer_bytes + 4_000_000
    again.close()


def test_an_old_hold_is_replaced_before_it_ends(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """After some hours the next attempt opens another lease that keeps the same, then lets the old one go."""
    clock = MovingClock()
    runtime = connect(containerd.endpoint, clock=clock)
    image = push(layers=[4_000_000]).at(faults.host)
    faults.limit(1_000_000)
    first = FollowedPull(runtime, image.reference)
    first.until_bytes(1_000_000)
    first.call.cancel()
    first.failure()
    faults.limit(None)
    (before,) = downloads_of(runtime).held(role=ROLE)

    clock.at += timedelta(hours=7)
    second = FollowedPull(runtime, image.reference)
    collect_garbage(containerd)
    second.wait()

    (after,) = downloads_of(runtime).held(role=ROLE)
    assert before.lease_id != after.lease_id
    assert {after.lease_id} == set(containerd.leases())
    assert 1 == len(faults.traffic.range_requests())
    runtime.close()


def test_a_young_hold_is_kept(runtime: ImageRuntime, push: Push) -> None:
    """The next attempt uses the same lease, whichever way the image is written."""
    image = push(layers=[1000])
    downloads = downloads_of(runtime)

    for _ in range(2):
        downloads.follow(image.reference, role=ROLE).close()

    assert 1 == len(downloads.held(role=ROLE))


def test_roles_keep_apart(runtime: ImageRuntime, push: Push) -> None:
    """A release by one role leaves the other's hold; releasing what is not held is fine."""
    downloads = downloads_of(runtime)
    for role in ("agent", "run"):
        downloads.follow("docker.io/library/app:v1", role=role).close()

    downloads.release("app:v1", role="agent")
    downloads.release("app:v1", role="agent")

    assert () == downloads.held(role="agent")
    assert ["docker.io/library/app:v1"] == [hold.image for hold in downloads.held(role="run")]


def test_after_success_and_release_the_image_stays(containerd: Containerd, runtime: ImageRuntime, push: Push) -> None:
    """The hold is not what keeps a finished image: released and collected, all of it is there."""
    image = push(layers=[100_000, 200_000])
    FollowedPull(runtime, image.reference).wait()
    blobs, snapshots = containerd.blobs(), unpacked(containerd)

    downloads_of(runtime).release(image.reference, role=ROLE)
    collect_garbage(containerd)

    assert (blobs, snapshots) == (containerd.blobs(), unpacked(containerd))
    assert {} == containerd.leases()
    assert runtime.image_status(image.reference) is not None
