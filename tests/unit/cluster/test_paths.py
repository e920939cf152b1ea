"""What a path names, in words that are safe as a metric's label."""

import pytest

from daemon.cluster.paths import Target, Verb, reading_verb, target_of


@pytest.mark.parametrize(
    ("path", "resource", "name", "verb"),
    [
        ("/api/v1/namespaces", "namespaces", "", Verb.LIST),
        ("/api/v1/namespaces/a", "namespaces", "a", Verb.GET),
        ("/api/v1/namespaces/a/secrets", "secrets", "", Verb.LIST),
        ("/api/v1/namespaces/a/secrets/b", "secrets", "b", Verb.GET),
        ("/apis/apps.kruise.io/v1beta1/nodeimages", "nodeimages", "", Verb.LIST),
        ("/apis/apps.kruise.io/v1beta1/nodeimages/n.1/status", "nodeimages/status", "n.1", Verb.GET),
        ("/apis/apps.kruise.io/v1/namespaces/a/imagepulljobs/b/status", "imagepulljobs/status", "b", Verb.GET),
        ("/apis/apps.kruise.io", "discovery", "", Verb.GET),
        ("/apis", "discovery", "", Verb.GET),
        ("/version", "discovery", "", Verb.GET),
        ("", "discovery", "", Verb.GET),
    ],
)
def test_a_path_names_a_resource_and_perhaps_an_object(path: str, resource: str, name: str, verb: Verb) -> None:
    """Objects' names and namespaces are no part of the resource."""
    assert Target(resource=resource, name=name) == target_of(path)
    assert verb == reading_verb(path)
