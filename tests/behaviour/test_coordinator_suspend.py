"""A suspended job: what it pulls is cancelled and kept, what others want goes on, and it goes on where it was."""

import pytest

from tests.behaviour.stuck import IN_FLIGHT_BYTES, StuckPull
from tests.servers.fixtures_coordinator import Jobs, JoinNode, Nodes
from tests.servers.images import Push
from tests.servers.jobs import job, reason, said, totals
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.scripted_agents import Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"
SUSPEND = {"prewarm": {"suspend": True}}
RESUME = {"prewarm": {"suspend": False}}


def is_suspended(said: Json) -> bool:
    """Tell whether a node says so of an entry."""
    return bool(said.get("reason") == "Suspended")


def test_a_suspended_job_cancels_its_pull_and_goes_on_from_what_was_fetched(
    join_node: JoinNode, push: Push, faults: FaultProxy, jobs: Jobs, nodes: Nodes
) -> None:
    """Resumed, it is the same version, and the runtime fetches the rest alone."""
    stuck = StuckPull(push, faults)
    node = join_node()
    made = jobs(job(stuck.image.reference, selector=nodes.selector))
    stuck.until_stuck()
    version = node.image.read()["spec"]["images"][stuck.image.key]["tags"][0]["version"]

    made.edit(SUSPEND)
    suspended = made.until(lambda status: said(status, "Suspended") == "True", what="is suspended")
    waiting = node.image.until(stuck.image.key, "latest", is_suspended, what="is suspended")
    made.edit(RESUME)
    status = made.ended()

    assert (1, 0, 0, 0) == totals(suspended)
    assert "Waiting" == waiting["phase"]
    assert (1, 0, 1, 0) == totals(status)
    assert "True" != said(status, "Suspended")
    assert version == node.image.read()["spec"]["images"][stuck.image.key]["tags"][0]["version"]
    assert IN_FLIGHT_BYTES >= stuck.sent_again_bytes
    assert stuck.image.digest == node.containerd.images()[stuck.image.reference]


def test_a_suspended_job_leaves_the_pull_to_its_other_owner(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The entry is suspended when all its owners are, and no longer than that."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    first = jobs(job(IMAGE, selector=nodes.selector))
    first.until(lambda status: status.get("active") == 1, what="is active")
    second = jobs(job(IMAGE, selector=nodes.selector))
    second.until(lambda status: status.get("active") == 1, what="is active")
    image = nodes.image(node)

    first.edit(SUSPEND)
    first.until(lambda status: said(status, "Suspended") == "True", what="is suspended")
    goes_on = image.tag(REPOSITORY, "v1")["phase"]
    second.edit(SUSPEND)
    waiting = image.until(REPOSITORY, "v1", lambda found: found["phase"] == "Waiting", what="waits")
    first.edit(RESUME)
    image.until(REPOSITORY, "v1", lambda found: found["phase"] == "Pulling", what="pulls again")
    agent.says(Succeeds())
    status = first.ended()

    assert "Pulling" == goes_on
    assert "Suspended" == waiting["reason"]
    assert (1, 0, 1, 0) == totals(status)
    assert 1 == len(agent.begun)


def test_a_job_that_is_suspended_from_the_start_asks_for_nothing(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Every node waits; resumed, each has its turn."""
    told = [agents.serve(node.name) for node in nodes(2)]
    made = jobs(job(IMAGE, selector=nodes.selector, prewarm={"suspend": True}))
    suspended = made.until(lambda status: said(status, "Suspended") == "True", what="is suspended")
    begun = [len(agent.begun) for agent in told]

    made.edit(RESUME)
    status = made.ended()

    assert [0, 0] == begun
    assert (2, 0, 0, 0) == totals(suspended)
    assert "True" != said(suspended, "Ready")
    assert (2, 0, 2, 0) == totals(status)


def test_a_suspended_grant_takes_no_slot_and_counts_again_when_it_is_resumed(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """After a resume the nodes that had a grant go on, and no more than the job's number run."""
    four = nodes(4)
    told = {node.name: agents.serve(node.name, Pulls()) for node in four}
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    made.until(lambda status: (4, 2, 0, 0) == totals(status), what="two are active")
    uid, first = made.uid, agents.granted(made.uid)

    made.edit(SUSPEND)
    suspended = made.until(
        lambda status: said(status, "Suspended") == "True" and status["active"] == 0, what="is suspended"
    )
    until(lambda: not agents.granted(uid), what="nothing is open", timeout_seconds=10)
    made.edit(RESUME)
    made.until(lambda status: (4, 2, 0, 0) == totals(status), what="two are active again")
    again = agents.granted(uid)
    for agent in told.values():
        agent.says(Succeeds())
    made.ended()

    assert (4, 0, 0, 0) == totals(suspended)
    assert first == again
    assert 2 == agents.most_granted(uid)
    assert [1, 1, 1, 1] == [len(agent.begun) for agent in told.values()]


def test_what_has_ended_stays_so_while_a_job_is_suspended(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A Never job whose nodes are all warm is Ready though it is suspended: the images are there."""
    (node,) = nodes()
    agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until_ready(nodes=1)

    made.edit(SUSPEND)
    status = made.until(lambda status: said(status, "Suspended") == "True", what="is suspended")

    assert (1, 0, 1, 0) == totals(status)
    assert ("True", "AllWarm") == (said(status, "Ready"), reason(status, "Ready"))
