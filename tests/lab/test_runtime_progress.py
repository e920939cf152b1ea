"""Progress of real pulls, checked against what the registry has sent."""

from daemon.runtime.interface import ImageRuntime, Stage
from tests.lab.runtime_pulls import PULL_SECONDS, FollowedPull
from tests.servers.images import Push
from tests.servers.layers import Compression, Layer
from tests.servers.proxy import FaultProxy


RATE = 4_000_000
# Of what is looked at half-way, and has to be so still when it is cut: seconds of it, on a busy machine too.
SLOW = 1_000_000
CONFIG_BYTES = 10_000


def test_bytes_grow_to_the_manifests_total(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """Over a slow link bytes never go backwards and end at the total, which is the manifest's."""
    image = push(layers=[2_000_000] * 6).at(faults.host)
    faults.limit(RATE)
    pull = FollowedPull(runtime, image.reference)

    pull.wait()

    last = FollowedPull(runtime, image.reference)
    last.call.result(timeout_seconds=PULL_SECONDS)
    end = last.sample()
    last.follower.close()
    known = [progress for progress in pull.samples if progress.bytes_total]
    shown = [progress.bytes_done for progress in pull.samples]
    assert sorted(shown) == shown
    assert any(0 < progress.bytes_done < progress.bytes_total for progress in known)
    assert {(image.digest, end.bytes_total)} == {(progress.digest, progress.bytes_total) for progress in known}
    assert image.layer_bytes < end.bytes_total < image.layer_bytes + CONFIG_BYTES
    assert end.bytes_total == end.bytes_done


def test_unpacking_is_counted(runtime: ImageRuntime, push: Push) -> None:
    """Layers unpacked grow while nothing is fetched any more, on both containerds."""
    layers = [Layer(size_bytes=30_000_000, seed=seed, files=600, compression=Compression.GZIP) for seed in range(4)]
    pull = FollowedPull(runtime, push(layers=layers).reference)

    pull.wait()

    counts = [one.layers_unpacked for one in pull.samples]
    assert sorted(counts) == counts
    assert {4} == {one.layers_total for one in pull.samples if one.bytes_total}
    assert any(0 < count < 4 for count in counts)
    assert Stage.UNPACKING in {one.stage for one in pull.samples}


def test_two_tags_of_one_repository_are_told_apart(runtime: ImageRuntime, push: Push, faults: FaultProxy) -> None:
    """Pulled at the same moment, each tag has its own manifest, total and bytes."""
    small = push("app", tag="small", layers=[3_000_000]).at(faults.host)
    large = push("app", tag="large", layers=[6_000_000], seed=5).at(faults.host)
    faults.limit(SLOW)
    pulls = {image.digest: FollowedPull(runtime, image.reference) for image in (small, large)}

    seen = {digest: pull.until_bytes(1_000_000) for digest, pull in pulls.items()}
    faults.limit(None)
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
    faults.limit(SLOW)
    pulls = [FollowedPull(runtime, image.reference) for image in (first, second)]

    for pull in pulls:
        assert pull.until_bytes(2_000_000).bytes_done < 6_000_000
    faults.limit(None)
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
    here = push("app", tag="here", layers=[8_000_000])
    arm = push("app", tag="arm", layers=[12_000_000], platform="linux/arm64", seed=4)
    index = push.index("app", {"linux/arm64": arm, "linux/amd64": here}, tag="both").at(faults.host)
    faults.limit(SLOW)

    for reference in (index.reference, index.reference_by_digest):
        pull = FollowedPull(runtime, reference)
        progress = pull.until_bytes(1_000_000)
        pull.call.cancel()
        pull.failure()
        assert here.digest == progress.digest
        assert progress.bytes_total < 9_000_000


def test_a_tag_that_moved_between_attempts_is_followed_to_its_new_image(
    runtime: ImageRuntime, push: Push, faults: FaultProxy
) -> None:
    """Though the hold still has the first attempt's manifest, the second is measured by its own."""
    before = push(layers=[4_000_000]).at(faults.host)
    faults.limit(SLOW)
    first = FollowedPull(runtime, before.reference)
    first.until_bytes(1_000_000)
    first.call.cancel()
    first.failure()
    faults.limit(RATE)
    after = push(layers=[6_000_000], seed=8).at(faults.host)

    second = FollowedPull(runtime, after.reference)
    second.wait()

    assert after.digest == second.samples[-1].digest
