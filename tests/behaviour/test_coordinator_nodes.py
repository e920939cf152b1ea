"""Nodes that join, go, come back, change, are not well or can't have an agent: each is counted once, by what it is."""

import pytest

from tests.servers.fixtures_coordinator import LABEL, Jobs, Nodes
from tests.servers.jobs import counted, job, said, skips, totals
from tests.servers.nodes import taint
from tests.servers.objects import Json
from tests.servers.scripted_agents import Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

IMAGE = "registry.test/app:v1"
REPOSITORY = "registry.test/app"
LEAVING = ("ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted")


def test_a_new_node_has_its_node_image_at_once(nodes: Nodes) -> None:
    """With the Node's labels and a reference to it, before it is Ready and before its agent runs."""
    (node,) = nodes(labels={"zone": "a"}, is_ready=False)

    found = nodes.image(node).until_object(lambda _: True, what="is made", timeout_seconds=5)
    metadata = found["metadata"]

    assert node.read()["metadata"]["labels"] == metadata["labels"]
    assert [("v1", "Node", node.name, node.uid)] == [
        (owner["apiVersion"], owner["kind"], owner["name"], owner["uid"]) for owner in metadata["ownerReferences"]
    ]
    assert not found["spec"].get("images")


def test_a_node_that_joins_gets_what_a_never_job_wants(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Each new node is served as it comes, in the first write that its NodeImage has or soon after."""
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=5))

    for count in (1, 2, 3):
        (node,) = nodes()
        agents.serve(node.name)
        made.until_ready(nodes=count, timeout_seconds=10)

    assert (3, 0, 0, 0) == counted(made.status)


def test_a_running_job_serves_a_node_that_joins(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """An Always job that has not ended counts it too; after its end none is added."""
    (first,) = nodes()
    slow = agents.serve(first.name, Pulls())
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    made.until(lambda status: status.get("active") == 1, what="is active")

    (second,) = nodes()
    agents.serve(second.name)
    made.until(lambda status: (2, 1, 1, 0) == totals(status), what="counts the second")
    slow.says(Succeeds())
    status = made.ended()
    (third,) = nodes()
    late = agents.serve(third.name)
    jobs(job("registry.test/other:v1", selector={"names": [third.name]})).ended()

    assert (2, 0, 2, 0) == totals(status)
    assert status == made.status
    assert ["registry.test/other:v1"] == [begun.image for begun in late.begun]


def test_the_last_node_of_a_never_job_goes_and_the_job_says_so(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """It is not Ready with nothing."""
    (node,) = nodes()
    agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until_ready(nodes=1)

    node.delete()
    status = made.until(lambda status: said(status, "Stalled") == "True", what="is stalled")

    assert ((0, 0, 0, 0), "NoNodesSelected") == (counted(status), reason_of(status))
    assert "True" != said(status, "Ready")


def test_a_node_that_goes_leaves_the_counts_and_its_node_image_goes(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Also while it holds the only slot, which another gets then."""
    first, second = nodes(2)
    for node in (first, second):
        agents.serve(node.name, Pulls())
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: (2, 1, 0, 0) == totals(status), what="one is active")
    (gone,) = (node for node in (first, second) if node.name in agents.granted(made.uid))
    (left,) = (node for node in (first, second) if node is not gone)

    gone.delete()
    made.until(lambda status: (1, 1, 0, 0) == totals(status), what="the other is active")
    agents.serve(left.name)
    status = made.ended()
    nodes.image(gone).until_gone()

    assert (1, 0, 1, 0) == totals(status)


def test_a_node_that_comes_back_under_its_name_begins_anew(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """What the machine before it had is not believed of it: its NodeImage is another one."""
    (node,) = nodes()
    agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until_ready(nodes=1)
    earlier = nodes.image(node).read()["metadata"]["uid"]

    node.delete()
    agent = agents.serve(node.name, Pulls())
    again = nodes.named(node.name)
    cold = made.until(lambda status: (1, 1, 0, 0) == totals(status), what="the new one is active")
    agent.says(Succeeds())
    made.until_ready(nodes=1)
    found = nodes.image(again).read()["metadata"]

    assert (0, 0, 1, 0) == counted(cold)
    assert earlier != found["uid"]
    assert [again.uid] == [owner["uid"] for owner in found["ownerReferences"]]


def test_a_changed_label_takes_a_node_into_a_job_and_out(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The NodeImage follows with its labels."""
    first, second = nodes(2)
    for node in (first, second):
        agents.serve(node.name)
    first.label({"pool": "a"})
    made = jobs(job(IMAGE, kind="Never", selector={"matchLabels": {**nodes.selector["matchLabels"], "pool": "a"}}))
    made.until_ready(nodes=1)

    second.label({"pool": "a"})
    made.until_ready(nodes=2)
    first.label({"pool": None})
    status = made.until_ready(nodes=1)
    nodes.image(first).until_object(lambda found: "pool" not in found["metadata"]["labels"], what="its label has gone")
    image = nodes.image(second).until_object(
        lambda found: found["metadata"]["labels"].get("pool") == "a", what="it has the label"
    )

    assert 1 == status["desired"]
    assert second.read()["metadata"]["labels"] == image["metadata"]["labels"]


def test_a_node_that_is_not_ready_is_skipped_by_name_until_it_is(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """It holds up nobody and fails nothing; when it is Ready it has its turn."""
    well, unwell = nodes(2)
    unwell.turn_unready(status="Unknown")
    for node in (well, unwell):
        agents.serve(node.name)

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    status = made.until_ready(nodes=1)
    unwell.turn_ready()
    made.until_ready(nodes=2)

    assert (1, 0, 0, 1) == counted(status)
    assert {"NodeNotReady": [unwell.name]} == skips(status)
    assert (1, 0, 1, 0) == totals(status)


def test_a_node_that_turns_unready_frees_its_slot_at_once(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Dead nodes do not delay a job (8.2 number 4); back again it counts, and nothing is granted above the limit."""
    three = nodes(3)
    told = {node.name: agents.serve(node.name, Pulls()) for node in three}
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until(lambda status: (3, 1, 0, 0) == totals(status), what="one is active")
    (lost,) = (node for node in three if node.name in agents.granted(made.uid))

    lost.turn_unready(status="Unknown")
    made.until(lambda status: (2, 1, 0, 0) == totals(status), what="another is active", timeout_seconds=10)
    lost.turn_ready()
    both = made.until(lambda status: (3, 2, 0, 0) == totals(status), what="two are active")
    told[lost.name].says(Succeeds())
    made.until(lambda status: (3, 1, 1, 0) == totals(status), what="one is active again")
    for agent in told.values():
        agent.says(Succeeds())
    made.until_ready(nodes=3)

    assert 1 == both["prewarm"]["waiting"]


@pytest.mark.parametrize("key", LEAVING)
def test_a_node_that_is_about_to_go_is_skipped(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, key: str) -> None:
    """By the taint of what takes it away; when that goes again, the node is served."""
    staying, leaving = nodes(2)
    leaving.taint(key)
    for node in (staying, leaving):
        agents.serve(node.name)

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    status = made.until_ready(nodes=1)
    leaving.untaint(key)
    made.until_ready(nodes=2)

    assert {"NodeLeaving": [leaving.name]} == skips(status)
    assert (1, 0, 0, 1) == counted(status)


def test_a_node_that_is_being_deleted_is_not_asked_for_anything(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """While a finalizer keeps it there, it is leaving, and the job is complete without it."""
    (leaving,) = nodes()
    leaving.finalize("test.prewarm.internal/keep")
    leaving.delete()
    # Whoever has seen this one has seen the end of the other.
    (staying,) = nodes()
    nodes.until_seen()
    agents.serve(staying.name)
    idle = agents.serve(leaving.name)

    made = jobs(job(IMAGE, selector=nodes.selector))
    status = made.ended()
    leaving.finalize()

    assert {"NodeLeaving": [leaving.name]} == skips(status)
    assert (1, 0, 1, 0) == totals(status)
    assert [] == idle.begun


@pytest.mark.parametrize(
    ("labels", "cause"),
    [({"type": "virtual-kubelet"}, "a virtual node"), ({"kubernetes.io/os": "windows"}, "a windows node")],
    ids=["virtual-kubelet", "windows"],
)
def test_a_node_that_can_have_no_agent_is_skipped_with_its_cause(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, labels: dict[str, str], cause: str
) -> None:
    """Without a minute's wait, and it gets no NodeImage."""
    (other,) = nodes(labels=labels)
    (node,) = nodes()
    agents.serve(node.name)

    made = jobs(job(IMAGE, selector=nodes.selector))
    status = made.ended(timeout_seconds=20)
    (skipped,) = status["prewarm"]["skipped"]

    assert (1, 0, 1, 0) == totals(status)
    assert ("NoAgent", [other.name]) == (skipped["reason"], skipped["nodes"])
    assert f"no agent can run on {cause}" == skipped["message"]
    assert not has_node_image(nodes, other.name)


def has_node_image(nodes: Nodes, name: str) -> bool:
    """Tell whether the Node of this name has a NodeImage."""
    (node,) = (node for node in nodes.made if node.name == name)
    return nodes.image(node).find() is not None


def test_a_job_whose_nodes_are_all_skipped_is_stalled(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It is neither complete nor ready, and names the commonest cause; it goes on when one is well again."""
    three = nodes(3, is_ready=False)
    three[0].taint(LEAVING[0])
    agents.serve(three[1].name)

    made = jobs(job(IMAGE, selector=nodes.selector))
    stalled = made.until(lambda status: said(status, "Stalled") == "True", what="is stalled")
    three[1].turn_ready()
    status = made.ended()

    assert "NodeNotReady" == reason_of(stalled)
    assert (0, 0, 0, 3) == counted(stalled)
    assert {said(stalled, "Complete"), said(stalled, "Ready"), said(stalled, "Failed")} <= {"", "False"}
    assert (1, 0, 1, 0) == totals(status)


def reason_of(status: Json) -> str:
    """Return why a job is stalled."""
    return next(str(found["reason"]) for found in status["conditions"] if found["type"] == "Stalled")


def test_a_deleted_node_image_comes_back_with_what_is_wanted(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Whoever deleted it by mistake has nothing to mend."""
    (node,) = nodes()
    agent = agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until_ready(nodes=1)
    image = nodes.image(node)
    earlier = image.read()["metadata"]["uid"]

    image.delete()
    image.until_object(lambda found: found["metadata"]["uid"] != earlier, what="is made again")
    image.until(REPOSITORY, "v1", lambda found: found["phase"] == "Succeeded", what="is answered")
    made.until_ready(nodes=1)

    assert 2 == len(agent.begun)


def test_a_label_of_another_on_a_node_image_gives_way_to_the_nodes(nodes: Nodes) -> None:
    """A NodeImage has its Node's labels and no others, as OpenKruise keeps it."""
    (node,) = nodes()
    image = nodes.image(node)
    image.until_object(lambda _: True, what="is made")

    image.touch()
    found = image.until_object(lambda found: "touched" not in found["metadata"]["labels"], what="the label has gone")

    assert LABEL in found["metadata"]["labels"]


def test_tainted_nodes_are_served_as_in_openkruise(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A taint that keeps Pods off says nothing about images."""
    (node,) = nodes(taints=[taint("dedicated", value="db")])
    agents.serve(node.name)

    status = jobs(job(IMAGE, selector=nodes.selector)).ended()

    assert (1, 0, 1, 0) == totals(status)
