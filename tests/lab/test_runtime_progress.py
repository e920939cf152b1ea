"""Progress of real pulls, checked against what the registry has sent."""

import time

from daemon.runtime.interface import ImageRuntime, Stage
from tests.lab.runtime_pulls import FollowedPull, Sample
from tests.servers.images import Push
from tests.servers.layers import Compression, Layer
from tests.servers.proxy import FaultProxy


RATE = 4_000_000
CONFIG_BYTES = 10_000


def assert_true_to_the_registry(
    samples: list[Sample], faults: FaultProxy, *, total_bytes: int, before: int = 0
) -> None:
    """Each sample is within 5 % of what was sent, give or take what a second brings, and none goes backwards."""
    shown = [one.progress.bytes_done for one in samples]
    assert sorted(shown) == shown
    for one in samples:
        if one.progress.bytes_total:
            least = faults.traffic.blob_bytes(one.began - 1) - before
            most = faults.traffic.blob_bytes(one.ended) - before
            slack = total_bytes / 20 + CONFIG_BYTES
            assert least - slack <= one.progress.bytes_done <= most + slack


def test_bytes_are_true_and_the_eta_holds(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """Over a slow link bytes follow the registry, the total is the manifest's, and the ETA errs by a fifth at most."""
    image = push(layers=[6_000_000] * 6).at(faults.host)
    faults.limit(RATE)
    began = time.monotonic()
    pull = FollowedPull(runtime, image.reference)

    pull.wait()

    took = time.monotonic() - began
    known = [one for one in pull.samples if one.progress.bytes_total]
    assert_true_to_the_registry(pull.samples, faults, total_bytes=image.layer_bytes)
    assert {image.digest} == {one.progress.digest for one in known}
    assert image.layer_bytes < known[0].progress.bytes_total < image.layer_bytes + CONFIG_BYTES
    late = [one for one in known if one.ended - began > took / 4 and one.progress.eta_seconds is not None]
    assert late
    ends = [one.ended - began + (one.progress.eta_seconds or 0) for one in late]
    assert max(abs(end - took) / took for end in ends) <= 0.2


def test_unpacking_is_counted(runtime: ImageRuntime, push: Push) -> None:
    """Layers unpacked grow while nothing is fetched any more, on both containerds."""
    layers = [Layer(size_bytes=30_000_000, seed=seed, files=600, compression=Compression.GZIP) for seed in range(4)]
    pull = FollowedPull(runtime, push(layers=layers).reference)

    pull.wait()

    counts = [one.progress.layers_unpacked for one in pull.samples]
    assert sorted(counts) == counts
    assert {4} == {one.progress.layers_total for one in pull.samples if one.progress.bytes_total}
    assert any(0 < count < 4 for count in counts)
    assert Stage.UNPACKING in {one.progress.stage for one in pull.samples}


def test_two_tags_of_one_repository_are_told_apart(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """Pulled at the same moment, each tag has its own manifest, total and bytes."""
    small = push("app", tag="small", layers=[3_000_000]).at(faults.host)
    large = push("app", tag="large", layers=[6_000_000], seed=5).at(faults.host)
    faults.limit(RATE)
    pulls = {image.digest: FollowedPull(runtime, image.reference) for image in (small, large)}

    seen = {digest: pull.until_bytes(1_000_000) for digest, pull in pulls.items()}
    for pull in pulls.values():
        pull.wait()

    assert {small.digest: small.digest, large.digest: large.digest} == {
        digest: progress.digest for digest, progress in seen.items()
    }
    assert seen[small.digest].bytes_total < 4_000_000 < seen[large.digest].bytes_total


def test_a_shared_layer_counts_for_both_pulls(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """Two images with a layer in common, pulled at once: it is sent once, and both see it grow."""
    shared = Layer(size_bytes=6_000_000, seed=77)
    first = push("one", layers=[shared, 1000]).at(faults.host)
    second = push("two", layers=[shared, 2000], seed=3).at(faults.host)
    faults.limit(RATE)
    pulls = [FollowedPull(runtime, image.reference) for image in (first, second)]

    for pull in pulls:
        assert pull.until_bytes(2_000_000).bytes_done < 6_000_000
    for pull in pulls:
        pull.wait()

    assert first.layers[0].size_bytes <= faults.traffic.bytes_of(first.layers[0].digest) < 7_000_000


def test_what_is_there_already_is_done_from_the_start(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """A new image on top of layers that another one brought begins with their bytes."""
    base = Layer(size_bytes=4_000_000, seed=9)
    FollowedPull(runtime, push("base", layers=[base]).at(faults.host).reference).wait()
    image = push("app", layers=[base, 2_000_000]).at(faults.host)
    faults.limit(500_000)
    pull = FollowedPull(runtime, image.reference)

    progress = pull.until_bytes(1)
    pull.call.cancel()

    assert progress.bytes_done >= base.size_bytes
    assert 1 == progress.layers_unpacked
    assert pull.failure().message


def test_a_tag_that_moves_back_is_followed_without_a_byte(
    runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """A tag that points again at what lies on the node: its manifest is found, and all of it is there."""
    before = push(layers=[500_000]).at(faults.host)
    FollowedPull(runtime, before.reference).wait()
    FollowedPull(runtime, push(layers=[500_000], seed=1).at(faults.host).reference).wait()
    push(layers=[500_000])
    sent = faults.traffic.blob_bytes()
    pull = FollowedPull(runtime, before.reference)

    pull.call.result(timeout_seconds=30)
    progress = pull.sample()
    pull.follower.close()

    assert (before.digest, progress.bytes_total) == (progress.digest, progress.bytes_done)
    assert (Stage.UNPACKING, 1, 1) == (progress.stage, progress.layers_unpacked, progress.layers_total)
    assert sent == faults.traffic.blob_bytes()


def test_of_an_index_the_platforms_manifest_is_followed(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """The total is that of this platform alone, by tag and by the index's digest."""
    here = push("app", tag="here", layers=[3_000_000])
    arm = push("app", tag="arm", layers=[9_000_000], platform="linux/arm64", seed=4)
    index = push.index("app", {"linux/arm64": arm, "linux/amd64": here}, tag="both").at(faults.host)
    faults.limit(RATE)

    for reference in (index.reference, index.reference_by_digest):
        pull = FollowedPull(runtime, reference)
        progress = pull.until_bytes(1_000_000)
        pull.call.cancel()
        pull.failure()
        assert here.digest == progress.digest
        assert progress.bytes_total < 4_000_000


def test_a_tag_that_moved_between_attempts_is_followed_to_its_new_image(
    runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """Though the hold still has the first attempt's manifest, the second is measured by its own."""
    before = push(layers=[4_000_000]).at(faults.host)
    faults.limit(RATE)
    first = FollowedPull(runtime, before.reference)
    first.until_bytes(1_000_000)
    first.call.cancel()
    first.failure()
    after = push(layers=[6_000_000], seed=8).at(faults.host)

    second = FollowedPull(runtime, after.reference)
    second.wait()

    assert after.digest == second.samples[-1].progress.digest


def test_a_sample_is_cheap(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """A look at a pull costs milliseconds, not the poll's second."""
    image = push(layers=[2_000_000] * 10).at(faults.host)
    faults.limit(RATE)
    pull = FollowedPull(runtime, image.reference)

    pull.wait()

    took = sorted(one.ended - one.began for one in pull.samples)
    assert took[len(took) // 2] < 0.1
