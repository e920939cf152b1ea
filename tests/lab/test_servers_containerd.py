"""The lab's containerd and registries do what tests rely on: real pulls, restarts, crashes, hangs, small disks."""

from pathlib import Path

import grpc
import pytest

from tests.lab.conftest import USERS, MountDisk, StartContainerd
from tests.servers.containerd import Containerd, Hosts
from tests.servers.disks import Filesystem, has_overlay
from tests.servers.faults import Fault, Reset, Status
from tests.servers.images import Push
from tests.servers.layers import Compression, Layer
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


def test_pulls_and_unpacks_a_pushed_image(containerd: Containerd, push: Push) -> None:
    """What was pushed is there by tag and digest with all its layers, plain and gzipped."""
    gzipped = Layer(size_bytes=100_000, seed=7, files=3, compression=Compression.GZIP)
    image = push(layers=[200_000, gzipped])

    containerd.pull(image.reference)

    assert {image.reference: image.digest, image.reference_by_digest: image.digest} == containerd.images()
    assert {image.digest, image.image_id, *(layer.digest for layer in image.layers)} == containerd.blobs()


def test_an_equal_layer_is_fetched_once_for_two_images(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Two images that name the same Layer share its blob."""
    shared = Layer(size_bytes=100_000, seed=1)
    first, second = push("first", layers=[shared, 1000]), push("second", layers=[shared, 2000], seed=2)

    for image in (first, second):
        containerd.pull(image.at(faults.host).reference)

    assert first.layers[0] == second.layers[0]
    assert first.layers[0].size_bytes == faults.traffic.bytes_of(first.layers[0].digest)


def test_a_moved_tag_brings_another_image(containerd: Containerd, push: Push) -> None:
    """Pushing under the same tag moves it; a pull sees the new digest."""
    before = push(layers=[1000])
    containerd.pull(before.reference)
    after = push(layers=[1000], seed=1)

    containerd.pull(after.reference)

    assert before.digest != after.digest == containerd.images()[before.reference]


def test_an_index_gives_the_image_of_this_platform_and_no_other(containerd: Containerd, push: Push) -> None:
    """From an index the node's platform is pulled; an index without it is refused."""
    here = push(tag="amd64", layers=[1000])
    arm = push(tag="arm64", layers=[2000], platform="linux/arm64")
    both = push.index("base", {"linux/amd64": here, "linux/arm64": arm}, tag="both")
    foreign = push.index("base", {"linux/arm64": arm}, tag="foreign")

    containerd.pull(both.reference)

    assert here.image_id in containerd.blobs()
    assert arm.image_id not in containerd.blobs()
    with pytest.raises(grpc.RpcError, match="no match for platform"):
        containerd.pull(foreign.reference)


def test_a_malformed_image_is_refused(containerd: Containerd, push: Push) -> None:
    """The registry takes the image whose config is no JSON; the runtime does not."""
    image = push.malformed()

    with pytest.raises(grpc.RpcError, match="invalid character"):
        containerd.pull(image.reference)


def test_a_private_registry_lets_its_tenants_in_and_nobody_else(
    containerd: Containerd, private_registry: Registry, push_private: Push
) -> None:
    """Each user's password works, a wrong one and none do not, and a changed one counts at once."""
    image = push_private(layers=[1000])

    for user in USERS.items():
        containerd.pull(image.reference, user=user)

    with pytest.raises(grpc.RpcError, match=r"401|no basic auth credentials"):
        containerd.pull(image.reference)
    private_registry.set_users({"anna": "a new password"})
    with pytest.raises(grpc.RpcError, match="401"):
        containerd.pull(image.reference, user=("anna", USERS["anna"]))
    containerd.pull(image.reference, user=("anna", "a new password"))


def test_any_registry_name_can_be_served_here(
    containerd: Containerd, push: Push, hosts: Hosts, registry: Registry
) -> None:
    """A hosts entry serves docker.io from the lab's registry."""
    push("library/base", layers=[1000])
    hosts.add("docker.io", registry.url)

    containerd.pull("docker.io/library/base:latest")

    assert "docker.io/library/base:latest" in containerd.images()


def test_images_survive_a_crash(containerd: Containerd, push: Push) -> None:
    """A killed containerd starts again on the same folder, with what it had."""
    image = push(layers=[1000])
    containerd.pull(image.reference)

    containerd.kill()
    answered = containerd.answers()
    containerd.start()

    assert not answered
    assert image.digest == containerd.images()[image.reference]


def test_a_frozen_containerd_hangs_and_goes_on(containerd: Containerd) -> None:
    """Frozen, it takes connections and answers nothing; thawed, it answers."""
    containerd.freeze()
    frozen = containerd.answers()
    containerd.thaw()

    assert (False, True) == (frozen, containerd.answers())


def test_faults_reach_a_pull(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """A throttled manifest and a broken blob end a pull in the runtime's words; the next one gets through."""
    image = push(layers=[100_000]).at(faults.host)
    faults.add(Fault(Status(429), kind=Kind.MANIFEST, times=None))

    with pytest.raises(grpc.RpcError, match="429"):
        containerd.pull(image.reference)
    faults.clear()
    faults.add(Fault(Reset(after_bytes=1000), reference=image.layers[0].digest, times=None))
    with pytest.raises(grpc.RpcError):
        containerd.pull(image.reference)
    faults.clear()
    containerd.pull(image.reference)

    assert image.digest == containerd.images()[image.reference]


@pytest.mark.parametrize("filesystem", list(Filesystem))
def test_a_small_disk_fills_up(
    mount_disk: MountDisk, start_containerd: StartContainerd, push: Push, filesystem: Filesystem
) -> None:
    """A pull that is larger than the root's disk fails for want of space, and the disk is the test's own."""
    root = mount_disk(16 << 20, filesystem=filesystem)
    containerd = start_containerd(root=root)
    image = push(layers=[20 << 20])

    with pytest.raises(grpc.RpcError, match="no space left on device"):
        containerd.pull(image.reference)

    assert root.is_mount()


def test_nothing_survives_a_containerd(start_containerd: StartContainerd, workdir: Path) -> None:
    """Stopped, it leaves no process and no mount; overlays are used where this machine has them."""
    containerd = start_containerd()
    process = Path("/proc") / str(containerd.process.pid)
    containerd.stop()

    assert not process.exists()
    assert str(workdir) not in Path("/proc/self/mountinfo").read_text()
    assert has_overlay(workdir) == (containerd.snapshotter == "overlayfs")
