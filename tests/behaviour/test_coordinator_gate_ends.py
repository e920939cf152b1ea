"""What opens a gate when the image does not come: the deadline, and nothing else; and what a restart loses."""

from collections.abc import Iterator, Sequence

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import job
from tests.servers.nodes import GATE, taint
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_agents import Pulls, ScriptedAgents, Succeeds


IMAGE = "registry.test/app:v1"
OTHER = "startup-taint.example.com/warm"


def events_about(apiserver: ApiServer, name: str) -> Sequence[Json]:
    """Return the events about a Node."""
    found = apiserver.request("GET", "/apis/events.k8s.io/v1/events")["items"]
    return [event for event in found if (event["regarding"]["kind"], event["regarding"]["name"]) == ("Node", name)]


def test_at_the_deadline_a_node_opens_cold_and_an_event_says_so(
    deployed: ApiServer, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """So long after the node's creation; the event names the job whose image is not there."""
    start_coordinator(options=["--gate-deadline", "6"]).until_leading()
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, prewarm={"gate": True}))
    (node,) = nodes(taints=[taint(GATE)])
    agents.serve(node.name, Pulls())
    made.until(lambda status: status.get("active") == 1, what="is active")
    was_closed = node.has_taint(GATE)

    node.until_untainted(GATE, timeout_seconds=20)
    until(lambda: events_about(deployed, node.name), what="an event about the Node", timeout_seconds=20)
    (told,) = events_about(deployed, node.name)

    assert was_closed
    assert ("GateOpenedCold", "Warning") == (told["reason"], told["type"])
    assert f"{made.namespace}/{made.name}" in told["note"]


def test_without_a_coordinator_a_node_stays_closed_and_the_next_one_opens_it(
    start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """What became warm while none ran is seen by the one that starts."""
    first = start_coordinator()
    first.until_leading()
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, prewarm={"gate": True}))
    (node,) = nodes(taints=[taint(GATE)])
    agent = agents.serve(node.name, Pulls())
    made.until(lambda status: status.get("active") == 1, what="is active")

    first.stop()
    agent.says(Succeeds())
    nodes.image(node).until("registry.test/app", "v1", lambda found: found["phase"] == "Succeeded", what="is there")
    was_closed = node.has_taint(GATE)
    start_coordinator().until_leading()
    node.until_untainted(GATE)

    assert was_closed


@pytest.fixture
def _other_may_go(deployed: ApiServer) -> Iterator[None]:
    """Name the other taint in the policy that binds the coordinator's rights: the two change together."""
    policy = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/prewarm-coordinator-nodes"
    variables = deployed.request("GET", policy)["spec"]["variables"]
    (place,) = (place for place, found in enumerate(variables) if found["name"] == "taint")

    def name(expression: str) -> None:
        step = {"op": "replace", "path": f"/spec/variables/{place}/expression", "value": expression}
        deployed.request("PATCH", policy, [step])

    name(f"'{OTHER}'")
    yield
    name(variables[place]["expression"])


@pytest.mark.usefixtures("_other_may_go")
def test_the_gate_may_be_another_taint(
    start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Only the one that is named is ever taken off."""
    start_coordinator(options=["--gate-taint", OTHER]).until_leading()
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, prewarm={"gate": True}))
    (node,) = nodes(taints=[taint(OTHER), taint(GATE)])
    agents.serve(node.name)

    node.until_untainted(OTHER)
    made.until_ready(nodes=1)

    assert [taint(GATE)] == node.taints()


def test_no_taint_is_taken_off_where_none_is_named(
    start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Whoever gates nodes by other means leaves it out."""
    start_coordinator(options=["--gate-taint", ""]).until_leading()
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, prewarm={"gate": True}))
    (node,) = nodes(taints=[taint(GATE)])
    agents.serve(node.name)

    made.until_ready(nodes=1)

    assert [taint(GATE)] == node.taints()
