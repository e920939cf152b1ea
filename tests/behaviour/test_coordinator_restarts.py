"""A coordinator that ends and another that begins: nothing is lost, nothing is asked twice, and one alone acts."""

import pytest

from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import job, said, totals
from tests.servers.nodes import GATE, taint
from tests.servers.processes import until
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"


@pytest.fixture
def leader(start_coordinator: StartCoordinator) -> CoordinatorProcess:
    """A coordinator that leads."""
    leader = start_coordinator()
    leader.until_leading()
    return leader


def test_a_running_job_goes_on_with_the_grants_that_it_has(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """The next coordinator counts them before it gives any: the ceiling holds, and no pull begins anew."""
    told = [agents.serve(node.name, Pulls()) for node in nodes(5)]
    nodes.until_seen()
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    before = made.until(lambda status: (5, 2, 0, 0) == totals(status), what="two are active")

    leader.stop()
    start_coordinator().until_leading()
    for agent in told:
        agent.says(Succeeds())
    status = made.ended()

    assert before["startTime"] == status["startTime"]
    assert (5, 0, 5, 0) == totals(status)
    assert 2 == agents.most_granted(made.uid)
    assert [1] * 5 == [len(agent.begun) for agent in told]


def test_a_job_that_ended_meanwhile_is_told_so(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """And a finished one is not run again."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls(), of_images={"registry.test/done:v1": Succeeds()})
    nodes.until_seen()
    done = jobs(job("registry.test/done:v1", selector=nodes.selector))
    finished = done.ended()
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: status.get("active") == 1, what="is active")

    leader.stop()
    agent.says(Fails())
    nodes.image(node).until(REPOSITORY, "v1", lambda found: found["phase"] == "Failed", what="has failed")
    start_coordinator().until_leading()
    status = made.ended()

    assert (1, 0, 0, 1) == totals(status)
    assert finished == done.status
    assert 2 == len(agent.begun)


def test_what_was_deleted_meanwhile_is_tidied_up(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """A job's entries and a Node's NodeImage go with the next coordinator; a Node that came has its own."""
    staying, going = nodes(2)
    for node in (staying, going):
        agents.serve(node.name, Pulls())
    nodes.until_seen()
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    made.until(lambda status: (2, 2, 0, 0) == totals(status), what="both are active")

    leader.stop()
    made.delete()
    going.delete()
    (coming,) = nodes()
    start_coordinator().until_leading()
    nodes.image(going).until_gone()
    nodes.image(coming).until_object(lambda _: True, what="is made")
    found = nodes.image(staying).until_object(lambda found: not found["spec"].get("images"), what="has no entry left")

    assert found["metadata"]["name"] == staying.name


def test_a_suspended_job_stays_suspended(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Resumed while there was no coordinator, it goes on with the next one."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    nodes.until_seen()
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: status.get("active") == 1, what="is active")
    made.edit({"prewarm": {"suspend": True}})
    made.until(lambda status: said(status, "Suspended") == "True", what="is suspended")

    leader.stop()
    agent.says(Succeeds())
    made.edit({"prewarm": {"suspend": False}})
    start_coordinator().until_leading()
    status = made.ended()

    assert (1, 0, 1, 0) == totals(status)
    assert 1 == len(agent.begun)


def test_a_gate_stays_closed_over_a_restart(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """A new coordinator knows every job and NodeImage before it opens anything."""
    made = jobs(job(IMAGE, kind="Never", selector={"matchLabels": {"gated": "yes"}}, prewarm={"gate": True}))
    (cold,) = nodes(taints=[taint(GATE)], labels={"gated": "yes"})
    agents.serve(cold.name, Pulls())
    made.until(lambda status: status.get("active") == 1, what="is active")

    leader.stop()
    (free,) = nodes(taints=[taint(GATE)])
    start_coordinator().until_leading()
    free.until_untainted(GATE)

    assert cold.has_taint(GATE)


def test_a_standby_takes_over_at_once_when_the_leader_ends(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """The Lease is released, so nobody waits for it to run out; the standby was ready and did nothing."""
    standby = start_coordinator()
    standby.until_ready()
    (node,) = nodes()
    agents.serve(node.name)
    nodes.until_seen()
    jobs(job(IMAGE, selector=nodes.selector)).ended()
    was_idle = not standby.is_holder

    code = leader.stop()
    standby.until_leading(timeout_seconds=5)
    second = jobs(job("registry.test/other:v1", selector=nodes.selector))
    second.ended()

    assert (0, True) == (code, was_idle)


def test_a_standby_takes_over_from_a_leader_that_was_killed(
    leader: CoordinatorProcess, start_coordinator: StartCoordinator, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """When its Lease has run out; the running job goes on."""
    standby = start_coordinator()
    standby.until_ready()
    told = [agents.serve(node.name, Pulls()) for node in nodes(3)]
    nodes.until_seen()
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: (3, 1, 0, 0) == totals(status), what="one is active")

    leader.kill()
    until(lambda: standby.is_holder, what="the standby leads", timeout_seconds=25)
    for agent in told:
        agent.says(Succeeds())
    status = made.ended()

    assert (3, 0, 3, 0) == totals(status)
    assert [1, 1, 1] == [len(agent.begun) for agent in told]
    assert 1 == agents.most_granted(made.uid)
