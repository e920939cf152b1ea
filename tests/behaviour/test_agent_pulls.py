"""A tag entry in, a status out: what an agent makes of each kind of entry of its node's NodeImage."""

import pytest

from tests.servers.containerd import Containerd, Hosts
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


pytestmark = ON_NEWEST

COUNTERS = ("desired", "succeeded", "failed", "pulling", "waiting")


def counters(status: Json) -> tuple[int, ...]:
    """Return desired, succeeded, failed, pulling, waiting."""
    return tuple(status[name] for name in COUNTERS)


def test_an_image_that_is_there_is_not_asked_for_under_if_not_present(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """It succeeds as unchanged, with what lies there, and the registry hears nothing; an absent policy is the same."""
    image = push("app", tag="v1").at(faults.host)
    containerd.pull(image.reference)
    asked = len(faults.traffic.requests())
    start_agent(node_image, containerd)

    node_image.want(image.key, entry("v1"))
    first = node_image.ended(image.key, "v1")
    node_image.want(image.key, {"tag": "v1", "version": 2})
    second = node_image.ended(image.key, "v1", version=2)

    said = (image.digest, f"{image.key}@{image.image_id}", False)
    assert [said, said] == [(one["digest"], one["imageID"], one["changed"]) for one in (first, second)]
    assert ["Succeeded", "Succeeded"] == [first["phase"], second["phase"]]
    assert asked == len(faults.traffic.requests())


def test_an_unchanged_image_under_always_is_asked_for_and_fetched_no_second_time(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Each new version asks the registry for the manifest; it succeeds as unchanged."""
    image = push("app", tag="v1").at(faults.host)
    start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    asked, fetched = len(faults.traffic.requests(Kind.MANIFEST)), faults.traffic.blob_bytes()

    node_image.want(image.key, entry("v1", version=2, policy="Always"))
    status = node_image.ended(image.key, "v1", version=2)

    assert ("Succeeded", False, image.digest) == (status["phase"], status["changed"], status["digest"])
    assert asked < len(faults.traffic.requests(Kind.MANIFEST))
    assert fetched == faults.traffic.blob_bytes()


def test_a_moved_tag_under_always_brings_the_new_image(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """The status has the new digest and imageID, and says that it changed."""
    old = push("app", tag="v1")
    start_agent(node_image, containerd)
    node_image.want(old.key, entry("v1"))
    node_image.ended(old.key, "v1")
    new = push("app", tag="v1", seed=1)

    node_image.want(new.key, entry("v1", version=2, policy="Always"))
    status = node_image.ended(new.key, "v1", version=2)

    assert old.digest != new.digest
    assert (True, new.digest) == (status["changed"], status["digest"])
    assert f"{new.key}@{new.image_id}" == status["imageID"]
    assert new.digest == containerd.images()[new.reference]


def test_an_image_that_cannot_be_had_fails_with_reason_words_and_attempts(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, registry: Registry
) -> None:
    """After backoffLimit further attempts; the node's conditions are about the node, so they stand as they stood."""
    key = f"{registry.host}/absent"
    agent = start_agent(node_image, containerd)

    node_image.want(key, entry("v1", version=3, pullPolicy={"backoffLimit": 1}))
    said = node_image.ended(key, "v1", version=3)
    status = node_image.status

    assert ("Failed", "ImageNotFound", 2) == (said["phase"], said["reason"], said["attempt"])
    assert f"{key}:v1" in said["message"]
    assert said["startTime"] <= said["completionTime"]
    assert {"imageID", "digest"}.isdisjoint(said)
    assert (1, 0, 1, 0, 0) == counters(status)
    assert dict.fromkeys(("RuntimeReady", "SpaceSufficient", "SoleReporter"), "True") == {
        condition["type"]: condition["status"] for condition in status["conditions"]
    }
    assert 2 == agent.metric("prewarm_attempts_total", result="failed", reason="ImageNotFound")
    assert 1 == agent.metric("prewarm_failures_total", reason="ImageNotFound")


def test_a_failed_refresh_tells_what_still_lies_there(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """The image is stale and not cold: imageID is what lies on the node now, in every phase."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    push.delete(image)

    node_image.want(image.key, entry("v1", version=2, policy="Always"))
    status = node_image.ended(image.key, "v1", version=2)

    assert ("Failed", "ImageNotFound") == (status["phase"], status["reason"])
    assert f"{image.key}@{image.image_id}" == status["imageID"]


@pytest.mark.parametrize("key", ["docker.io/library/app", "app"])
def test_a_status_stands_under_the_entrys_own_key(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    hosts: Hosts,
    registry: Registry,
    key: str,
) -> None:
    """A long and a short name are one image of Docker Hub; the one that was asked for is answered."""
    image = push("library/app", tag="v1")
    hosts.add("docker.io", registry.url)
    start_agent(node_image, containerd)

    node_image.want(key, entry("v1"))
    status = node_image.ended(key, "v1")

    assert ("Succeeded", f"{key}@{image.image_id}") == (status["phase"], status["imageID"])
    assert [key] == list(node_image.status["imageStatuses"])
    assert image.digest == containerd.images()["docker.io/library/app:v1"]


def test_a_digest_in_place_of_a_tag_is_pulled(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """The entry's tag is a digest, and so is the status's."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)

    node_image.want(image.key, entry(image.digest))
    status = node_image.ended(image.key, image.digest)

    assert ("Succeeded", image.digest, f"{image.key}@{image.image_id}") == (
        status["phase"],
        status["digest"],
        status["imageID"],
    )
    assert image.digest == containerd.images()[image.reference_by_digest]


def test_tags_of_one_repository_are_answered_each_by_itself(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """One may fail and another succeed; they stand in the order of their names."""
    first, second = push("app", tag="b", seed=1), push("app", tag="a", seed=2)
    start_agent(node_image, containerd)

    node_image.want(first.key, entry("b", version=5), entry("c", version=6), entry("a", version=7))
    status = node_image.until_status(
        lambda status: status.get("succeeded") == 2 and status["failed"] == 1, what="all three have ended"
    )

    tags = status["imageStatuses"][first.key]["tags"]
    assert [("a", 7, "Succeeded"), ("b", 5, "Succeeded"), ("c", 6, "Failed")] == [
        (tag["tag"], tag["version"], tag["phase"]) for tag in tags
    ]
    assert [second.digest, first.digest] == [tag["digest"] for tag in tags[:2]]


def test_a_name_that_is_no_image_fails_by_itself(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """It is permanent, so there is no second attempt; what stands beside it is served."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)

    node_image.want_all({"Not An Image": {"tags": [entry("v1")]}, image.key: {"tags": [entry("v1")]}})
    bad, good = node_image.ended("Not An Image", "v1"), node_image.ended(image.key, "v1")

    assert ("Failed", "InvalidReference", "Succeeded") == (bad["phase"], bad["reason"], good["phase"])


def test_256_repositories_are_all_answered(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, registry: Registry
) -> None:
    """As many as a NodeImage may hold: each has its status, the server takes them, and few writes tell them all."""
    pulled = [push(f"app-{number}", tag="v1", seed=number).key for number in range(3)]
    absent = [f"{registry.host}/absent-{number}" for number in range(3)]
    present = [f"registry.example/present-{number}" for number in range(250)]
    source = push("source", tag="v1", seed=3)
    containerd.pull(source.reference)
    containerd.ctr("images", "tag", source.reference, *(f"{key}:v1" for key in present))
    agent = start_agent(node_image, containerd)

    node_image.want_all({key: {"tags": [entry("v1")]} for key in (*pulled, *absent, *present)})
    status = node_image.until_status(
        lambda status: status.get("succeeded") == 253 and status["failed"] == 3, what="all have ended"
    )

    assert {*pulled, *absent, *present} == set(status["imageStatuses"])
    assert (256, 253, 3, 0, 0) == counters(status)
    assert 0 == agent.metric("prewarm_status_writes_total", result="refused")
    assert 30 > agent.metric("prewarm_status_writes_total", result="written")


def test_higher_priority_goes_first(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """With one slot, images of one patch are pulled in the order of their priority; no priority is 0."""
    priorities = {"app-a": -1, "app-b": 0, "app-c": 100, "app-d": 7}
    images = {name: push(name, tag="v1", seed=place).at(faults.host) for place, name in enumerate(priorities)}
    start_agent(node_image, containerd, options=["--max-concurrent-pulls", "1"])

    node_image.want_all(
        {
            images[name].key: {"tags": [entry("v1", prewarm={"priority": priority} if priority else {})]}
            for name, priority in priorities.items()
        }
    )
    node_image.until_status(lambda status: status.get("succeeded") == len(images), what="all are there")

    asked = [request.repository for request in faults.traffic.requests(Kind.MANIFEST)]
    assert ["app-c", "app-d", "app-b", "app-a"] == list(dict.fromkeys(asked))
