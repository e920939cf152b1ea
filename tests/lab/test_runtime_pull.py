"""CRI's verbs against real containerds."""

import os

import pytest

from daemon.api.credential import Credential
from daemon.api.reasons import Reason
from daemon.runtime import cri
from daemon.runtime.connect import connect
from daemon.runtime.detection import detect
from daemon.runtime.errors import CallTimeout, PullCancelled, PullRejected, RuntimeDown
from daemon.runtime.interface import ImageRuntime, PullRequest
from tests.lab.conftest import USERS, MountDisk, StartContainerd
from tests.lab.runtime_pulls import ROLE, FollowedPull, downloads_of
from tests.servers.containerd import Containerd, Hosts
from tests.servers.faults import Corrupt, Fault, Hang
from tests.servers.images import Push
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


PULL_SECONDS = 60.0


def test_a_pulled_image_is_there_and_a_removed_one_is_gone(
    containerd: Containerd, runtime: ImageRuntime, push: Push
) -> None:
    """Pull, look, list, remove: each says what containerd's own client says."""
    image = push(layers=[100_000, 200_000])

    reference = runtime.pull(PullRequest(image=image.reference)).result(timeout_seconds=PULL_SECONDS)
    there = runtime.image_status(image.reference)
    listed = runtime.images()
    runtime.remove(image.reference)
    runtime.remove(image.reference)

    assert there is not None
    assert (image.image_id, image.image_id, (there,)) == (reference, there.id, listed)
    assert ((image.reference,), (image.reference_by_digest,)) == (there.repo_tags, there.repo_digests)
    assert runtime.image_status(image.reference) is None
    assert {} == containerd.images()


def test_detection_proves_a_real_containerd(containerd: Containerd) -> None:
    """A given socket is proved, and says its version."""
    found = detect(containerd.endpoint)

    assert found.runtime is not None
    assert found.version is not None
    assert ("containerd", containerd.binaries.version.split(".")[:2]) == (
        found.version.name,
        found.version.version.split(".")[:2],
    )
    found.runtime.close()


def test_free_space_is_that_of_the_disk_with_the_images(
    mount_disk: MountDisk, start_containerd: StartContainerd
) -> None:
    """Where containerd's folder can be seen, its own disk is measured."""
    disk = mount_disk(64 << 20)
    runtime = connect(start_containerd(root=disk).endpoint)

    measured = runtime.filesystem()

    stat = os.statvfs(disk)
    assert stat.f_blocks * stat.f_frsize == measured.total_bytes
    assert measured.free_bytes <= measured.total_bytes
    runtime.close()


def test_a_credential_opens_a_private_registry(
    runtime: ImageRuntime, hosts: Hosts, private_registry: Registry, push_private: Push
) -> None:
    """With the right one it is pulled; without and with a wrong one it is Unauthorized, in words without it."""
    image = push_private(layers=[1000])
    hosts.add(private_registry.host, private_registry.url)
    username, password = next(iter(USERS.items()))

    with pytest.raises(PullRejected) as anonymous:
        runtime.pull(PullRequest(image=image.reference)).result(timeout_seconds=PULL_SECONDS)
    wrong = Credential(username=username, password="not-the-password")
    with pytest.raises(PullRejected) as refused:
        runtime.pull(PullRequest(image=image.reference, credential=wrong)).result(timeout_seconds=PULL_SECONDS)
    right = Credential(username=username, password=password)
    reference = runtime.pull(PullRequest(image=image.reference, credential=right)).result(timeout_seconds=PULL_SECONDS)

    assert [Reason.UNAUTHORIZED] * 2 == [anonymous.value.reason, refused.value.reason]
    assert "not-the-password" not in refused.value.message
    assert image.image_id == reference


def test_cancelling_ends_the_download(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """After cancel the runtime asks for nothing more, and the call ends as PullCancelled."""
    image = push(layers=[8_000_000]).at(faults.host)
    faults.limit(1_000_000)
    pull = FollowedPull(runtime, image.reference)
    pull.until_bytes(500_000)

    pull.call.cancel()

    assert isinstance(pull.failure(), PullCancelled)
    sent = faults.traffic.blob_bytes()
    assert sent < image.layer_bytes
    downloads_of(runtime).release(image.reference, role=ROLE)


def test_a_runtime_that_dies_in_a_pull_is_down_and_comes_back(
    containerd: Containerd, runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """A killed containerd is RuntimeDown, for the pull and for calls; the same connection serves when it is back."""
    image = push(layers=[4_000_000]).at(faults.host)
    faults.add(Fault(Hang(after_bytes=1_000_000), kind=Kind.BLOB, skip=1))
    pull = FollowedPull(runtime, image.reference)
    until(lambda: bool(faults.traffic.requests(Kind.BLOB)), what="a blob was asked for", timeout_seconds=30)

    containerd.kill()

    with pytest.raises(RuntimeDown):
        pull.call.result(timeout_seconds=PULL_SECONDS)
    with pytest.raises(RuntimeDown):
        runtime.image_status(image.reference)
    faults.clear()
    containerd.start()
    until(lambda: _answers(runtime), what="the connection serves again", timeout_seconds=30)


def _answers(runtime: ImageRuntime) -> bool:
    try:
        runtime.version()
    except RuntimeDown:
        return False
    return True


def test_a_frozen_runtime_times_out(
    containerd: Containerd, runtime: ImageRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A containerd that hangs ends a call as CallTimeout, and serves again when it goes on."""
    monkeypatch.setattr(cri, "UNARY_TIMEOUT_SECONDS", 0.5)
    runtime.version()
    containerd.freeze()

    with pytest.raises(CallTimeout):
        runtime.image_status("app:v1")

    containerd.thaw()
    monkeypatch.undo()
    assert runtime.image_status("app:v1") is None


def test_a_corrupt_layer_can_be_had_again_once_its_hold_is_released(
    containerd: Containerd, runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """Wrong bytes are CorruptContent; released, the next attempt fetches them anew."""
    image = push(layers=[1_000_000]).at(faults.host)
    faults.add(Fault(Corrupt(offset=10), reference=image.layers[0].digest))

    failure = FollowedPull(runtime, image.reference).failure()
    downloads_of(runtime).release(image.reference, role=ROLE)

    assert isinstance(failure, PullRejected)
    assert Reason.CORRUPT_CONTENT is failure.reason
    assert image.image_id == FollowedPull(runtime, image.reference).wait()


def test_a_full_disk_is_told_as_one(mount_disk: MountDisk, start_containerd: StartContainerd, push: Push) -> None:
    """A layer that does not fit is DiskFull."""
    runtime = connect(start_containerd(root=mount_disk(12 << 20)).endpoint)

    failure = FollowedPull(runtime, push(layers=[20_000_000]).reference).failure()

    assert isinstance(failure, PullRejected)
    assert Reason.DISK_FULL is failure.reason
    runtime.close()
