"""Tags, digests and policies: which image a node has after a pull, and how often the registry was asked for it."""

from daemon.api.nodeimage import ImagePullPolicy, Phase
from tests.lab.engine import Engine, wanted_image
from tests.servers.containerd import Containerd
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy


def test_brings_an_absent_image(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """An image that is not there is pulled once; the status names its digest, and that it changed."""
    image = push(layers=[1000]).at(faults.host)
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, 1, image.digest, True) == (task.phase, task.attempt, task.digest, task.is_changed)
    assert f"{image.host}/{image.repository}@{image.image_id}" == task.image_id
    assert image.digest == containerd.images()[image.reference]


def test_a_moved_tag_under_always_brings_the_new_image(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Always asks the registry each time: the new digest is there, and `changed` says so."""
    before = wanted_image(push(layers=[1000]).at(faults.host).reference, policy=ImagePullPolicy.ALWAYS)
    after = wanted_image(before.image, version=2, policy=ImagePullPolicy.ALWAYS)

    with Engine(containerd.endpoint) as engine:
        engine.want(before)
        first = engine.ended(before)
        moved = push(layers=[1000], seed=1)
        engine.want(after)
        second = engine.ended(after)

    assert first.digest != moved.digest
    assert (moved.digest, True) == (second.digest, second.is_changed)
    assert moved.digest == containerd.images()[after.image]


def test_an_unmoved_tag_under_always_costs_few_requests(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Asking again for an image that is there fetches no blob, and `changed` is false."""
    image = push(layers=[1000]).at(faults.host)
    first = wanted_image(image.reference, policy=ImagePullPolicy.ALWAYS)
    again = wanted_image(image.reference, version=2, policy=ImagePullPolicy.ALWAYS)

    with Engine(containerd.endpoint) as engine:
        engine.want(first)
        engine.ended(first)
        before = faults.traffic.requests()
        engine.want(again)
        task = engine.ended(again)

    asked = faults.traffic.requests()[len(before) :]
    assert (Phase.SUCCEEDED, image.digest, False) == (task.phase, task.digest, task.is_changed)
    assert ["HEAD"] == [request.method for request in asked]


def test_if_not_present_asks_no_registry_for_what_is_there(
    containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """A tag that has moved meanwhile does not matter to IfNotPresent: the registry gets no request at all."""
    image = push(layers=[1000]).at(faults.host)
    containerd.pull(image.reference)
    push(layers=[1000], seed=1)
    before = faults.traffic.requests()
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, image.digest, False) == (task.phase, task.digest, task.is_changed)
    assert before == faults.traffic.requests()


def test_a_digest_names_one_image_for_good(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """An image is brought by its digest, whatever the tag points at now."""
    image = push(layers=[1000]).at(faults.host)
    push(layers=[1000], seed=1)
    wanted = wanted_image(image.reference_by_digest)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, image.digest) == (task.phase, task.digest)
    assert {image.reference_by_digest: image.digest} == containerd.images()


def test_of_a_tag_and_a_digest_the_digest_decides(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """`name:tag@digest` brings the digest though the tag points elsewhere."""
    image = push(layers=[1000]).at(faults.host)
    push(layers=[1000], seed=1)
    wanted = wanted_image(f"{image.reference}@{image.digest}")

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, image.digest) == (task.phase, task.digest)
    assert image.digest == containerd.images()[image.reference_by_digest]


def test_an_index_gives_this_platform(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """From an index the node's own platform is brought; the digest is the index's, as the registry names the tag."""
    here = push(tag="amd64", layers=[1000])
    other = push(tag="arm64", layers=[2000], platform="linux/arm64")
    image = push.index("base", {"linux/amd64": here, "linux/arm64": other}, tag="both").at(faults.host)
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, image.digest) == (task.phase, task.digest)
    assert task.image_id.endswith(here.image_id)
    assert not {layer.digest for layer in other.layers} & containerd.blobs()
