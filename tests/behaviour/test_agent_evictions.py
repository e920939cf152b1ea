"""Images that go from the node under a standing entry: noticed without being asked, and brought back."""

from collections.abc import Callable

import pytest

from tests.servers import cri
from tests.servers.containerd import Containerd
from tests.servers.faults import Fault, Hang
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


pytestmark = ON_NEWEST

Remove = Callable[[Containerd, str], None]


def by_cri(containerd: Containerd, image: str) -> None:
    """Remove as the kubelet's garbage collection and crictl do."""
    cri.remove(containerd.endpoint, image, timeout_seconds=30)


def by_ctr(containerd: Containerd, image: str) -> None:
    """Remove the tag alone, as a person with containerd's own client does."""
    containerd.ctr("images", "rm", image)


def is_absent(said: Json) -> bool:
    """Tell whether a status says that nothing lies on the node."""
    return "imageID" not in said


@pytest.mark.parametrize("remove", [by_cri, by_ctr])
def test_a_removed_image_is_brought_back_under_the_same_version(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    remove: Remove,
) -> None:
    """While it is away the status says so; back again it is Succeeded, and the removal is counted and logged."""
    image = push("app", tag="v1").at(faults.host)
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1", version=4))
    first = node_image.ended(image.key, "v1", version=4)
    faults.add(Fault(Hang(), kind=Kind.MANIFEST))

    remove(containerd, image.reference)
    away = node_image.until(image.key, "v1", is_absent, what="is absent")
    counted = node_image.status
    faults.clear()
    back = node_image.until(image.key, "v1", lambda found: found["phase"] == "Succeeded", what="is back")

    assert away["phase"] in {"Waiting", "Pulling"}
    assert 4 == away["version"]
    assert (1, 0) == (counted["desired"], counted["succeeded"])
    assert (first["imageID"], first["digest"], 4) == (back["imageID"], back["digest"], back["version"])
    assert first["completionTime"] <= back["completionTime"]
    assert image.digest == containerd.images()[image.reference]
    assert 1 == agent.metric("prewarm_evictions_total")
    assert 1 == [line["event"] for line in agent.lines()].count("image_lost")


def test_a_removed_image_whose_refresh_had_failed_is_cold(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """A failed entry is not pulled again by a removal, but nobody is told any longer that an older image lies there."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    push.delete(image)
    node_image.want(image.key, entry("v1", version=2, policy="Always"))
    stale = node_image.ended(image.key, "v1", version=2)

    by_cri(containerd, image.reference)
    cold = node_image.until(image.key, "v1", is_absent, what="is absent")

    assert ("Failed", "ImageNotFound", f"{image.key}@{image.image_id}") == (
        stale["phase"],
        stale["reason"],
        stale["imageID"],
    )
    assert ("Failed", "ImageNotFound", 2) == (cold["phase"], cold["reason"], cold["version"])


def test_an_image_that_is_no_longer_wanted_may_go(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Withdrawn, it is nobody's business: only what is wanted is brought back."""
    image, stays = push("app", tag="v1"), push("other", tag="v1", seed=1)
    agent = start_agent(node_image, containerd)
    node_image.want_all({one.key: {"tags": [entry("v1")]} for one in (image, stays)})
    node_image.until_status(lambda status: status.get("succeeded") == 2, what="both are there")
    node_image.unwant(image.key)
    node_image.until_status(lambda status: status["desired"] == 1, what="one is wanted")

    by_cri(containerd, image.reference)
    by_cri(containerd, stays.reference)
    until(lambda: stays.reference in containerd.images(), what="what is wanted is back", timeout_seconds=30)

    assert image.reference not in containerd.images()
    assert 1 == agent.metric("prewarm_evictions_total")
