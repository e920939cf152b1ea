"""The stand-in for OpenKruise's manager does to lists of images what the real one does."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.behaviour.openkruise.cluster import Cluster, Json, Shape
from tests.servers.objects import ObjectOnServer
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_objects import GROUP


IMAGES = ["registry.test/a:v1", "registry.test/b:v1"]


@pytest.fixture
def listed(cluster: Cluster, shape: Shape, node: str) -> Iterator[ObjectOnServer]:
    """A list of two images for one node."""
    version = f"{GROUP}/{shape.release}"
    collection = f"/apis/{version}/namespaces/{cluster.namespace}/imagelistpulljobs"
    found = ObjectOnServer(cluster.apiserver, collection, "set")
    spec: Json = {"images": IMAGES, "selector": {"names": [node]}, "completionPolicy": {"type": "Always"}}
    found.create({"apiVersion": version, "kind": "ImageListPullJob", "spec": spec})
    yield found
    found.delete()


def steps(manager: Manager) -> None:
    """Let it see everything and act twice: what it makes it acts on in the next pass."""
    for _ in range(2):
        manager.reconcile_node_images()
        manager.reconcile_lists()
        manager.reconcile_jobs()


def children(cluster: Cluster) -> dict[str, str]:
    """Return the uids of the list's jobs by image."""
    return {job["spec"]["image"]: job["metadata"]["uid"] for job in cluster.jobs().values()}


def report(cluster: Cluster, node: str, images: list[str]) -> None:
    """Say that these images are there."""
    said = {"phase": "Succeeded", "completionTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    statuses = {image.removesuffix(":v1"): {"tags": [{"tag": "v1", **said}]} for image in images}
    status = {"desired": len(IMAGES), "imageStatuses": statuses}
    cluster.patch_node_image(node, {"status": status}, subresource="/status")


def test_a_list_goes_through_to_its_completion(
    cluster: Cluster, manager: Manager, node: str, listed: ObjectOnServer
) -> None:
    """It has a job an image, and ends when each of them has."""
    steps(manager)
    made = children(cluster)
    report(cluster, node, IMAGES[:1])
    steps(manager)
    half = listed.read()["status"]
    report(cluster, node, IMAGES)
    steps(manager)
    steps(manager)
    done = listed.read()["status"]

    assert sorted(IMAGES) == sorted(made)
    assert made == children(cluster)
    assert (2, 1, False) == (half["desired"], half["succeeded"], "completionTime" in half)
    assert (2, 2, 2, True) == (done["desired"], done["completed"], done["succeeded"], "completionTime" in done)


def test_an_edit_of_the_template_makes_every_job_anew(
    cluster: Cluster, manager: Manager, listed: ObjectOnServer
) -> None:
    """An edit of the images does not."""
    steps(manager)
    first = children(cluster)

    listed.patch({"spec": {"images": IMAGES[:1]}})
    steps(manager)
    fewer = children(cluster)
    listed.patch({"spec": {"parallelism": 3}})
    steps(manager)
    steps(manager)
    edited = children(cluster)

    assert {IMAGES[0]: first[IMAGES[0]]} == fewer
    assert IMAGES[:1] == list(edited)
    assert first[IMAGES[0]] != edited[IMAGES[0]]
