"""A tag entry in, a status out: what an agent does with its node's NodeImage when all is well."""

from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry


def test_a_wanted_image_is_pulled_and_its_status_says_all_of_it(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """OpenKruise's fields and ours, in the version of the entry; the image is in the runtime."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)

    node_image.want(image.key, entry("v1", version=4))
    status = node_image.ended(image.key, "v1", version=4)

    assert {image.reference: image.digest}.items() <= containerd.images().items()
    assert {
        "tag": "v1",
        "phase": "Succeeded",
        "version": 4,
        "progress": 100,
        "imageID": f"{image.key}@{image.image_id}",
        "digest": image.digest,
        "attempt": 1,
        "changed": True,
    } == {name: value for name, value in status.items() if not name.endswith("Time")}
    assert status["startTime"] <= status["completionTime"]
