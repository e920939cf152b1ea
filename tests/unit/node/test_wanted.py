"""A NodeImage's spec, flattened for the loop."""

import pytest

from daemon.api.nodeimage import (
    EntryPrewarm,
    EntryPullPolicy,
    ImagePullPolicy,
    ImageSpec,
    NodeImage,
    OwnerReference,
    SandboxConfig,
    SecretReference,
    TagEntry,
)
from daemon.node.wanted import Key, WantedImage, wanted_of
from tests.unit.node.virtual_node import EPOCH


DIGEST = f"sha256:{'a' * 64}"


def only_image(repository: str, entry: TagEntry) -> WantedImage:
    """Return what one entry alone becomes."""
    node_image = NodeImage(name="node", images={repository: ImageSpec(tags=(entry,))})
    (wanted,) = wanted_of(node_image).images
    return wanted


def test_an_entry_is_wanted_with_everything_that_one_pull_needs() -> None:
    """The entry's own settings and those that its repository shares."""
    owner = OwnerReference(kind="ImagePullJob", name="warm", uid="1")
    secret = SecretReference(namespace="team", name="registry")
    entry = TagEntry(
        tag="v1",
        version=7,
        created_at=EPOCH,
        image_pull_policy=ImagePullPolicy.ALWAYS,
        owner_references=(owner,),
        pull_policy=EntryPullPolicy(timeout_seconds=30, backoff_limit=2, active_deadline_seconds=90),
        prewarm=EntryPrewarm(priority=5, min_free="10Gi", suspended=True),
    )
    spec = ImageSpec(
        tags=(entry,),
        pull_secrets=(secret,),
        sandbox_config=SandboxConfig(labels={"a": "b"}, annotations={"c": "d"}),
    )

    (wanted,) = wanted_of(NodeImage(name="node", images={"registry.example/app": spec})).images

    assert Key("registry.example/app", "v1") == wanted.key
    assert "registry.example/app:v1" == wanted.image
    assert (7, EPOCH, ImagePullPolicy.ALWAYS) == (wanted.version, wanted.created_at, wanted.image_pull_policy)
    assert (30, 2, 90) == (wanted.timeout_seconds, wanted.backoff_limit, wanted.active_deadline_seconds)
    assert (5, "10Gi", True) == (wanted.priority, wanted.min_free, wanted.is_suspended)
    assert ((owner,), (secret,)) == (wanted.owners, wanted.pull_secrets)
    assert ({"a": "b"}, {"c": "d"}) == (wanted.sandbox_labels, wanted.sandbox_annotations)


def test_the_object_is_named_by_its_uid_and_generation() -> None:
    """Another uid is another object."""
    wanted = wanted_of(NodeImage(name="node", uid="u", generation=4))

    assert ("u", 4, ()) == (wanted.uid, wanted.generation, wanted.images)


def test_the_order_is_that_of_repositories_and_tags() -> None:
    """As the NodeImage lists them."""
    tags = (TagEntry(tag="2"), TagEntry(tag="1"))
    node_image = NodeImage(name="node", images={"b": ImageSpec(tags=tags), "a": ImageSpec(tags=tags[:1])})

    keys = [image.key for image in wanted_of(node_image).images]

    assert [Key("b", "2"), Key("b", "1"), Key("a", "2")] == keys


def test_a_familiar_name_is_asked_for_in_full() -> None:
    """The key stays as written, since the status is found by it."""
    wanted = only_image("nginx", TagEntry(tag="1.27"))

    assert (Key("nginx", "1.27"), "docker.io/library/nginx:1.27", "docker.io") == (
        wanted.key,
        wanted.image,
        wanted.registry,
    )


def test_a_digest_is_asked_for_by_digest() -> None:
    """A tag entry holds either (kruise#2534, 8.2 number 1)."""
    wanted = only_image("registry.example:5000/app", TagEntry(tag=DIGEST))

    assert (f"registry.example:5000/app@{DIGEST}", "registry.example:5000") == (wanted.image, wanted.registry)


@pytest.mark.parametrize(
    ("repository", "tag"),
    [
        ("App", "v1"),
        ("app", ""),
        ("app", "sha256:short"),
        ("app", "no spaces"),
        ("", "v1"),
        ("app:already", "v1"),
        ("https://registry.example/app", "v1"),
    ],
)
def test_an_entry_that_names_no_image_says_why_and_holds_up_no_other(repository: str, tag: str) -> None:
    """It becomes a task that fails with InvalidReference."""
    specs = {repository: ImageSpec(tags=(TagEntry(tag=tag),)), "good": ImageSpec(tags=(TagEntry(tag="v1"),))}

    bad, good = wanted_of(NodeImage(name="node", images=specs)).images

    assert bad.reference is None
    assert bad.problem
    assert (f"{repository}:{tag}", "") == (bad.image, bad.registry)
    assert good.reference is not None
