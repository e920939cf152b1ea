"""What the stand-in takes out of a NodeImage."""

from datetime import timedelta

import msgspec

from tests.servers.openkruise.manager_collection import Known, collected
from tests.servers.openkruise.manager_nodeimage import NodeImage, Owner, SecretReference
from tests.servers.openkruise.manager_objects import with_images
from tests.servers.openkruise.manager_pace import Pace
from tests.unit.openkruise.given import NOW, PACE, REPOSITORY, entry, node_image, owner, status


KNOWN = Known(jobs={("team", "j"): "uid-j"}, secrets={("n", "there")})


def tags_of(node: NodeImage) -> list[str]:
    """Return what is left."""
    return [each.tag for image in node.spec.images.values() for each in image.tags]


def test_nothing_to_collect_is_the_same_object() -> None:
    """So nothing is written."""
    node = node_image(entries=(entry(ttl=60),), statuses=(status(),))

    assert node == collected(node, known=KNOWN, pace=PACE)


def test_an_owner_that_is_gone_or_another_goes_and_with_the_last_its_entry() -> None:
    """The repository goes with its last entry."""
    foreign = Owner(api_version="v1", kind="ConfigMap", namespace="team", name="c", uid="c")
    shared = entry("shared", owners=(owner(), owner("uid-k"), foreign))

    kept = collected(node_image(entries=(shared, entry("lost", owners=(owner("uid-k"),)))), known=KNOWN, pace=PACE)
    bare = collected(node_image(entries=(entry(owners=(owner("uid-k"),)),)), known=KNOWN, pace=PACE)

    assert ["shared"] == tags_of(kept)
    assert (owner(), foreign) == kept.spec.images[REPOSITORY].tags[0].owner_references
    assert {} == bare.spec.images


def test_an_entry_goes_when_its_ttl_has_passed_since_its_end() -> None:
    """Since the end of this version, by the manager's clock."""
    late = Pace(now=NOW + timedelta(seconds=6), speed=10)
    ended = node_image(entries=(entry(ttl=60),), statuses=(status(),))
    renewed = node_image(entries=(entry(ttl=60, version=1),), statuses=(status(),))

    assert ["v1"] == tags_of(collected(ended, known=KNOWN, pace=PACE))
    assert [] == tags_of(collected(ended, known=KNOWN, pace=late))
    assert ["v1"] == tags_of(collected(renewed, known=KNOWN, pace=late))


def test_an_entry_without_a_time_goes() -> None:
    """The watchdog could not watch it."""
    timeless = msgspec.structs.replace(entry(), created_at=None)

    assert [] == tags_of(collected(node_image(entries=(timeless,)), known=KNOWN, pace=PACE))


def test_a_legacy_secret_goes_with_its_copy_and_a_batch_one_stays() -> None:
    """The mode tells them apart."""
    there = SecretReference(namespace="n", name="there")
    gone = SecretReference(namespace="n", name="gone")
    batch = SecretReference(namespace="n", name="gone", mode="batch")
    node = node_image(entries=(entry(),))
    image = msgspec.structs.replace(node.spec.images[REPOSITORY], pull_secrets=(there, gone, batch))

    kept = collected(with_images(node, images={REPOSITORY: image}), known=KNOWN, pace=PACE)

    assert (there, batch) == kept.spec.images[REPOSITORY].pull_secrets
