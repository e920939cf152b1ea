"""The Nodes and agents that tests of the coordinator make: what the API server does to the one, what the other says."""

from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import Nodes
from tests.servers.nodeimages import NodeImageOnServer, entry, owner
from tests.servers.nodes import GATE, NOT_READY, NodeOnServer, taint
from tests.servers.processes import until
from tests.servers.scripted_agents import Begun, Fails, Pulls, SaysNothing, ScriptedAgents, Succeeds


IMAGE = "registry.test/app"


def ready(node: NodeOnServer) -> str:
    """Return the status of its condition Ready."""
    status: str = node.read()["status"]["conditions"][0]["status"]
    return status


def test_a_new_node_has_the_taints_that_were_asked_for(nodes: Nodes) -> None:
    """The API server's own not-ready is taken off a Ready one, as a cluster's node controller does, and kept else."""
    (gated,) = nodes(taints=[taint(GATE)])
    (unready,) = nodes(is_ready=False)

    assert [GATE] == [found["key"] for found in gated.taints()]
    assert [NOT_READY] == [found["key"] for found in unready.taints()]
    assert ["True", "False"] == [ready(gated), ready(unready)]


def test_a_node_turns_ready_and_back(nodes: Nodes) -> None:
    """With its condition the taint goes; a lost node is Unknown."""
    (node,) = nodes(is_ready=False)

    node.turn_ready()
    first = (ready(node), node.taints())
    node.turn_unready(status="Unknown")

    assert ("True", []) == first
    assert "Unknown" == ready(node)


def test_a_scripted_agent_says_what_it_is_told(
    node_image: NodeImageOnServer, agents: ScriptedAgents, apiserver: ApiServer
) -> None:
    """Each version once; what has ended stays as it was said, and an image that was there is told of in a failure."""
    agent = agents.serve(node_image.name, Succeeds("sha256:" + "a" * 64))
    node_image.want(IMAGE, entry("v1"))
    first = node_image.ended(IMAGE, "v1")
    agent.says(Fails("ImageNotFound"), image=f"{IMAGE}:v1")
    node_image.want(IMAGE, entry("v1", version=2, policy="Always"))
    second = node_image.ended(IMAGE, "v1", version=2)

    assert ("Succeeded", True, 1) == (first["phase"], first["changed"], first["version"])
    assert ("Failed", "ImageNotFound", first["imageID"]) == (second["phase"], second["reason"], second["imageID"])
    assert [Begun(f"{IMAGE}:v1", 1, "IfNotPresent"), Begun(f"{IMAGE}:v1", 2, "Always")] == agent.begun
    assert "agent" in node_image.status["prewarm"]


def test_a_scripted_agent_pulls_until_it_is_told_to_end(node_image: NodeImageOnServer, agents: ScriptedAgents) -> None:
    """A suspended entry waits; one of which nothing is to be said has no status."""
    agent = agents.serve(node_image.name, Pulls(1, 2), of_images={"registry.test/other:v1": SaysNothing()})
    node_image.want_all({IMAGE: {"tags": [entry("v1")]}, "registry.test/other": {"tags": [entry("v1")]}})
    node_image.until(IMAGE, "v1", lambda found: found["phase"] == "Pulling", what="pulls")
    node_image.want(IMAGE, entry("v1", prewarm={"suspended": True}))
    waiting = node_image.until(IMAGE, "v1", lambda found: found["phase"] == "Waiting", what="waits")
    node_image.want(IMAGE, entry("v1"))
    node_image.until(IMAGE, "v1", lambda found: found["phase"] == "Pulling", what="pulls again")
    agent.says(Succeeds())
    node_image.ended(IMAGE, "v1")

    assert "Suspended" == waiting["reason"]
    assert {} == node_image.tag("registry.test/other", "v1")


def test_what_stands_granted_is_counted_over_nodes(deployed: ApiServer, agents: ScriptedAgents, names: Names) -> None:
    """By owner: the most at one moment, and what is open now; an ended share and a suspended entry do not count."""
    uid = names("uid")
    images = [NodeImageOnServer(deployed, names("node")) for _ in range(3)]
    for image in images:
        image.create()
    first, second, third = images
    agents.serve(first.name, Pulls())
    wanted = entry("v1", ownerReferences=[owner("ns", "job", uid=uid)])

    first.want(IMAGE, wanted)
    second.want(IMAGE, {**wanted, "prewarm": {"suspended": True}})
    third.want(IMAGE, {**wanted, "prewarm": {"ended": [{"uid": uid, "phase": "Succeeded"}]}})
    until(lambda: agents.granted(uid) == {first.name}, what="one is open", timeout_seconds=30)
    second.want(IMAGE, wanted)
    until(lambda: agents.granted(uid) == {first.name, second.name}, what="two are open", timeout_seconds=30)
    second.delete()
    until(lambda: agents.granted(uid) == {first.name}, what="one is open again", timeout_seconds=30)

    assert 2 == agents.most_granted(uid)
