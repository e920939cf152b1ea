"""The NodeImage of an agent comes, goes and comes again under it: absent, created, deleted, replaced; others' stay."""

from collections.abc import Iterator

import pytest

from tests.behaviour.stuck import StuckPull
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


pytestmark = ON_NEWEST


@pytest.fixture
def absent_node_image(deployed: ApiServer, names: Names) -> Iterator[NodeImageOnServer]:
    """A NodeImage that is not there yet."""
    found = NodeImageOnServer(deployed, names("node"))
    yield found
    try:
        found.delete()
    except ApiFailed as error:
        if error.status != 404:
            raise


def our_leases(containerd: Containerd) -> list[str]:
    """Name the holds."""
    return [name for name in containerd.leases() if name.startswith("prewarm-")]


def until_nothing_is_kept(containerd: Containerd) -> None:
    """Wait until no hold, no open download and no blob is left."""

    def is_clean() -> bool:
        return not (
            our_leases(containerd) or containerd.ctr("content", "active").splitlines()[1:] or containerd.blobs()
        )

    until(is_clean, what="nothing is kept", timeout_seconds=60)


def test_an_agent_without_a_node_image_is_ready_and_says_that_nothing_is_wanted(
    absent_node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """A new node's agent is often there before its NodeImage; what is created then is served by the watch, at once."""
    image = push("app", tag="v1")
    agent = start_agent(absent_node_image, containerd)
    agent.until_ready()
    said = [line["event"] for line in agent.lines()]
    state = agent.state()

    absent_node_image.create({image.key: {"tags": [entry("v1")]}})
    status = absent_node_image.ended(image.key, "v1")

    assert "node_image_missing" in said
    assert ("", []) == (state["node_image"]["uid"], state["images"])
    assert 200 == agent.get("/healthz")[0]
    assert "Succeeded" == status["phase"]
    assert absent_node_image.read()["metadata"]["uid"] == agent.state()["node_image"]["uid"]


def test_a_deleted_node_image_wants_nothing_any_more(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Its pulls are cancelled and what they held is let go; the agent stays ready and writes nothing anywhere."""
    pull = StuckPull(push, faults)
    agent = start_agent(node_image, containerd)
    node_image.want(pull.image.key, entry(pull.image.tag))
    pull.until_stuck()
    held = our_leases(containerd)

    node_image.delete()
    state = agent.until_state(lambda state: not (state["images"] or state["leaving"]), what="nothing is wanted")
    until_nothing_is_kept(containerd)

    assert 1 == len(held)
    assert ("", 0) == (state["node_image"]["uid"], state["counts"]["attempts_running"])
    assert 200 == agent.get("/readyz")[0]
    assert {} == containerd.images()
    assert 0 == agent.metric("prewarm_status_writes_total", result="failed")


def test_an_image_that_had_ended_stays_when_the_node_image_goes(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """An agent removes no images: that is the kubelet's."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")

    node_image.delete()
    agent.until_state(lambda state: not state["images"], what="nothing is wanted")

    assert image.digest == containerd.images()[image.reference]


def test_a_recreated_node_image_is_another_one(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Nothing of the old one's answers counts: its entries are pulled again, and the report is whole."""
    image = push("app", tag="v1").at(faults.host)
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1", version=3, policy="Always"))
    node_image.ended(image.key, "v1", version=3)
    old = node_image.read()
    asked = len(faults.traffic.requests(Kind.MANIFEST))

    node_image.delete()
    node_image.create({image.key: {"tags": [entry("v1", version=3, policy="Always")]}})
    status = node_image.ended(image.key, "v1", version=3)
    new = node_image.read()

    assert old["metadata"]["uid"] != new["metadata"]["uid"] == agent.state()["node_image"]["uid"]
    assert asked < len(faults.traffic.requests(Kind.MANIFEST))
    assert ("Succeeded", False) == (status["phase"], status["changed"])
    assert {"desired": 1, "succeeded": 1, "observedGeneration": 1}.items() <= new["status"].items()
    assert old["status"]["prewarm"]["agent"]["startedAt"] == new["status"]["prewarm"]["agent"]["startedAt"]


def test_a_node_image_that_is_replaced_in_a_pull_gets_its_image(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """The old one's pull ends first; the new one's task has attempts of its own, and no hold is left."""
    pull = StuckPull(push, faults)
    image = pull.image
    start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag))
    pull.until_stuck()

    node_image.delete()
    node_image.create({image.key: {"tags": [entry(image.tag)]}})
    status = node_image.ended(image.key, image.tag)

    assert ("Succeeded", 1, image.digest) == (status["phase"], status["attempt"], status["digest"])
    assert [] == our_leases(containerd)


def test_a_node_image_that_was_replaced_while_the_agent_was_away_is_served_anew(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """A new process adopts only what stands in the object that is there now."""
    image = push("app", tag="v1").at(faults.host)
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1", policy="Always"))
    node_image.ended(image.key, "v1")
    asked = len(faults.traffic.requests(Kind.MANIFEST))

    agent.stop()
    node_image.delete()
    node_image.create({image.key: {"tags": [entry("v1", policy="Always")]}})
    agent.start()
    status = node_image.ended(image.key, "v1")

    assert asked < len(faults.traffic.requests(Kind.MANIFEST))
    assert ("Succeeded", False) == (status["phase"], status["changed"])


def test_another_nodes_node_image_is_never_touched(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """Not by name, and not by what it wants: it stands as it was created while ours is served."""
    image, others = push("app", tag="v1"), push("other", tag="v1", seed=1)
    other = NodeImageOnServer(deployed, f"{node_image.name}-2")
    before = other.create({others.key: {"tags": [entry("v1")]}})
    start_agent(node_image, containerd)

    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    after = other.read()
    other.delete()

    assert before == after
    assert others.reference not in containerd.images()
