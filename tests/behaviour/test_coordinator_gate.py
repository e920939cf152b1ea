"""The startup taint that keeps Pods off a new node until its images are there: who takes it off, and when."""

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodes import GATE, NodeOnServer, taint
from tests.servers.objects import Json
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

FIRST = "registry.test/first:v1"
SECOND = "registry.test/second:v1"


def gating(nodes: Nodes, jobs: Jobs, image: str, **spec: Json) -> JobOnServer:
    """Create a Never job that gates its nodes."""
    prewarm = {"gate": True, **spec.pop("prewarm", {})}
    return jobs(job(image, kind="Never", selector=nodes.selector, parallelism=5, prewarm=prewarm, **spec))


def gated(nodes: Nodes, *others: Json) -> NodeOnServer:
    """Create a Node with the taint, after others."""
    (node,) = nodes(taints=[*others, taint(GATE)])
    return node


def test_a_node_opens_when_the_image_is_there(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It stays closed while the pull runs, and other taints stay as they are."""
    made = gating(nodes, jobs, FIRST)
    node = gated(nodes, taint("dedicated", value="db"))
    agent = agents.serve(node.name, Pulls())
    made.until(lambda status: status.get("active") == 1, what="is active")
    was_closed = node.has_taint(GATE)

    agent.says(Succeeds())
    node.until_untainted(GATE)

    assert was_closed
    assert [taint("dedicated", value="db")] == node.taints()


def test_a_taint_of_any_effect_and_value_is_the_gate(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Who registers a node chooses those; with several of the key, all go."""
    gating(nodes, jobs, FIRST)
    (node,) = nodes(taints=[taint(GATE, effect="NoExecute", value="yes"), taint(GATE, effect="PreferNoSchedule")])
    agents.serve(node.name)

    node.until_untainted(GATE)

    assert [] == node.taints()


def test_a_node_waits_for_every_gating_job(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """One that has its image is not enough."""
    first, second = gating(nodes, jobs, FIRST), gating(nodes, jobs, SECOND)
    node = gated(nodes)
    agent = agents.serve(node.name, of_images={SECOND: Pulls()})
    first.until_ready(nodes=1)
    second.until(lambda status: status.get("active") == 1, what="is active")
    was_closed = node.has_taint(GATE)

    agent.says(Succeeds(), image=SECOND)
    node.until_untainted(GATE)

    assert was_closed


def test_a_node_that_no_gating_job_selects_opens_at_once(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A job that does not gate holds nothing up, with its image still on the way."""
    made = jobs(job(FIRST, kind="Never", selector=nodes.selector))
    node = gated(nodes)
    agents.serve(node.name, Pulls())

    node.until_untainted(GATE, timeout_seconds=10)

    assert 0 == made.status.get("succeeded", 0)


def test_a_suspended_job_does_not_gate(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Suspended while a node waits for it, it lets the node go."""
    made = gating(nodes, jobs, FIRST)
    node = gated(nodes)
    agents.serve(node.name, Pulls())
    made.until(lambda status: status.get("active") == 1, what="is active")
    was_closed = node.has_taint(GATE)

    made.edit({"prewarm": {"suspend": True}})
    node.until_untainted(GATE)

    assert was_closed


def test_a_deleted_job_does_not_gate(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Nor one that gates no more by an edit."""
    first, second = gating(nodes, jobs, FIRST), gating(nodes, jobs, SECOND)
    node = gated(nodes)
    agents.serve(node.name, Pulls())
    for made in (first, second):
        made.until(lambda status: status.get("active") == 1, what="is active")

    first.edit({"prewarm": {"gate": False}})
    was_closed = node.has_taint(GATE)
    second.delete()
    node.until_untainted(GATE)

    assert was_closed


def test_a_failed_pull_keeps_the_node_closed(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Until a later round brings the image, or the deadline comes."""
    made = gating(nodes, jobs, FIRST)
    node = gated(nodes)
    agent = agents.serve(node.name, Fails())
    made.until(lambda status: status.get("failed") == 1, what="has failed")
    was_closed = node.has_taint(GATE)

    agent.says(Succeeds())
    made.edit({"pullPolicy": {"timeoutSeconds": 77}})
    node.until_untainted(GATE)

    assert was_closed


def test_a_node_that_is_warm_already_opens(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """As when its taint is put on by hand later; nobody but a person ever adds one."""
    made = gating(nodes, jobs, FIRST)
    (node,) = nodes()
    agents.serve(node.name)
    made.until_ready(nodes=1)
    before = node.taints()

    node.taint(GATE)
    node.until_untainted(GATE)

    assert [] == before == node.taints()


def test_an_unready_node_is_gated_until_its_image_is_there(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A new node is not Ready at first: skipped is not warm."""
    made = gating(nodes, jobs, FIRST)
    (node,) = nodes(taints=[taint(GATE)], is_ready=False)
    agents.serve(node.name)
    made.until(lambda status: status.get("prewarm", {}).get("nodes", {}).get("skipped") == 1, what="skips it")
    was_closed = node.has_taint(GATE)

    node.turn_ready()
    node.until_untainted(GATE)

    assert was_closed
    assert 1 == made.status["succeeded"]
