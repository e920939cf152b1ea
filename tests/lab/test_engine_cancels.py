"""What cancels a running pull (withdrawal, suspension) and what never does (a newer version): seen in the runtime."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from daemon.api.nodeimage import ImagePullPolicy, Phase
from daemon.api.reasons import Reason
from daemon.node.report import status_of
from tests.lab.conftest import StartContainerd
from tests.lab.engine import Engine, wanted_image
from tests.lab.sockets import unread_bytes
from tests.servers.containerd import Containerd
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


LAYER_BYTES = 1 << 20
# Of what was on its way to the runtime when a pull ended, this much may be sent once more.
IN_FLIGHT_BYTES = 64 << 10


@pytest.fixture
def containerd(start_containerd: StartContainerd) -> Containerd:
    """One that fetches layer after layer, so that a test knows which are complete."""
    return start_containerd(max_concurrent_downloads=1)


@pytest.fixture
def image(push: Push, faults: FaultProxy) -> Iterator[PushedImage]:
    """Three layers, at a rate that lets a test stop the network half-way."""
    faults.limit(2 * LAYER_BYTES)
    yield push(layers=[LAYER_BYTES] * 3).at(faults.host)
    faults.clear()


def stall_half_way(faults: FaultProxy) -> None:
    """Let the network stand still once half of the second layer has been sent; `faults.clear()` lets it go on."""
    until(lambda: faults.traffic.blob_bytes() > LAYER_BYTES * 1.5, what="the pull half way", timeout_seconds=60)
    faults.limit(1)
    until(lambda: not unread_bytes(faults.port), what="what was sent is read", timeout_seconds=60)


def ingests(containerd: Containerd) -> list[str]:
    """List the downloads that containerd has open."""
    return containerd.ctr("content", "active").splitlines()[1:]


def our_leases(containerd: Containerd) -> list[str]:
    """Name the holds."""
    return [name for name in containerd.leases() if name.startswith("prewarm-")]


def test_a_withdrawn_pull_leaves_nothing_behind(containerd: Containerd, image: PushedImage, faults: FaultProxy) -> None:
    """Withdrawn mid-pull, the runtime's downloads, what they had fetched and our hold are gone."""
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        stall_half_way(faults)
        held = our_leases(containerd)
        engine.want()
        engine.until_state(lambda state: state.generation == 2 and not state.leaving)

        assert 1 == len(held)
        assert ([], []) == (our_leases(containerd), ingests(containerd))
        assert set() == containerd.blobs()
        assert {} == containerd.images()


def test_an_image_withdrawn_and_wanted_again_is_brought(
    containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """Wanted again while its old pull still ends, it waits for that and then is pulled anew."""
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        stall_half_way(faults)
        engine.want()
        engine.want(wanted)
        faults.clear()
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, 1, image.digest) == (task.phase, task.attempt, task.digest)


def test_a_suspended_pull_goes_on_where_it_was(containerd: Containerd, image: PushedImage, faults: FaultProxy) -> None:
    """Suspended, the pull ends and its hold stays; resumed, it is the same attempt and fetches what is missing."""
    wanted = wanted_image(image.reference)
    suspended = replace(wanted, is_suspended=True)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        stall_half_way(faults)
        engine.want(suspended)
        paused = engine.until(wanted, lambda task: task.wanted.is_suspended and task.running is None)
        held = our_leases(containerd)
        faults.cut()
        faults.clear()
        sent = faults.traffic.blob_bytes()
        engine.want(wanted)
        begun = engine.until(wanted, lambda task: task.running is not None and not task.wanted.is_suspended)
        task = engine.ended(wanted)

    assert (Phase.WAITING, Reason.SUSPENDED) == (status_of(paused).phase, status_of(paused).reason)
    assert 1 == len(held)
    assert (1, 1, Phase.SUCCEEDED) == (begun.attempt, task.attempt, task.phase)
    missing = image.layer_bytes - sent
    assert missing <= faults.traffic.blob_bytes() - sent <= missing + IN_FLIGHT_BYTES


def test_a_suspended_image_takes_no_slot(
    containerd: Containerd, image: PushedImage, push: Push, faults: FaultProxy
) -> None:
    """With one slot, another image is pulled while the first is suspended."""
    first = wanted_image(image.reference)
    second = wanted_image(push("other").reference)

    with Engine(containerd.endpoint, slots=1) as engine:
        engine.want(first)
        stall_half_way(faults)
        engine.want(replace(first, is_suspended=True), second)
        task = engine.ended(second)

    assert Phase.SUCCEEDED is task.phase


@pytest.mark.parametrize("policy", list(ImagePullPolicy))
def test_a_newer_version_adopts_the_running_pull(
    containerd: Containerd, image: PushedImage, faults: FaultProxy, policy: ImagePullPolicy
) -> None:
    """A higher version mid-pull restarts nothing: every blob is asked for once; under Always one request follows."""
    old = wanted_image(image.reference, policy=policy)
    new = replace(old, version=2)

    with Engine(containerd.endpoint) as engine:
        engine.want(old)
        stall_half_way(faults)
        asked = len(faults.traffic.requests(Kind.MANIFEST, method="HEAD"))
        engine.want(new)
        adopted = engine.until(new, lambda task: task.wanted.version == 2)
        faults.clear()
        task = engine.ended(new)

    blobs = [request.reference for request in faults.traffic.requests(Kind.BLOB, method="GET")]
    assert adopted.running is not None
    assert (Phase.SUCCEEDED, 1) == (task.phase, task.attempt)
    assert sorted(set(blobs)) == sorted(blobs)
    more = len(faults.traffic.requests(Kind.MANIFEST, method="HEAD")) - asked
    assert (1 if policy is ImagePullPolicy.ALWAYS else 0) == more
