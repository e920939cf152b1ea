"""The stand-in's way with image names."""

import pytest

from daemon.images import parse_reference
from tests.servers.openkruise.manager_references import split


DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("nginx", "nginx", "latest"),
        ("docker.io/library/nginx:1.27", "nginx", "1.27"),
        ("index.docker.io/team/app", "team/app", "latest"),
        ("localhost:5000/app", "localhost:5000/app", "latest"),
        ("registry.test:5000/team/app:v1", "registry.test:5000/team/app", "v1"),
        (f"registry.test/app@{DIGEST}", "registry.test/app", DIGEST),
        (f"registry.test/app:v1@{DIGEST}", "registry.test/app", DIGEST),
    ],
)
def test_an_image_splits_into_its_familiar_repository_and_its_tag_or_digest(
    image: str, repository: str, tag: str
) -> None:
    """As the stand-in writes it, and as the product would."""
    assert (repository, tag) == split(image)

    ours = parse_reference(image)
    assert (repository, tag) == (ours.repository, ours.tag_or_digest)
