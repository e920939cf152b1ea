"""
Nodes that do not answer: without an agent, with one that has died, with OpenKruise's.

They are skipped by name after their time and never fail a job. These tests wait that time out.
"""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import counted, job, reason, said, skips, totals
from tests.servers.scripted_agents import Pulls, ScriptedAgent, ScriptedAgents, Succeeds


pytestmark = [pytest.mark.usefixtures("coordinator"), pytest.mark.timeout(400)]

IMAGE = "registry.test/app:v1"
REPOSITORY = "registry.test/app"


@contextlib.contextmanager
def reporting(agent: ScriptedAgent) -> Iterator[None]:
    """Let an agent report every half a minute meanwhile, as it does while it pulls."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(30):
            agent.report()

    thread = threading.Thread(target=report)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_a_node_without_an_agent_is_skipped_after_a_minute(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """
    It holds a slot so long and no longer; the job is complete without it.

    One whose nodes have none at all is stalled, and goes on when an agent comes: the entry is still there.
    """
    served, bare = nodes(2)
    agents.serve(served.name)
    mixed = jobs(job(IMAGE, selector=nodes.selector))
    alone = jobs(job("registry.test/alone:v1", kind="Never", selector={"names": [bare.name]}))

    status = mixed.ended(timeout_seconds=90)
    stalled = alone.until(lambda status: said(status, "Stalled") == "True", what="is stalled")
    entries = nodes.image(bare).read()
    agents.serve(bare.name)
    back = alone.until_ready(nodes=1)

    assert (1, 0, 1, 0) == totals(status)
    assert (1, 0, 0, 1) == counted(status)
    assert {"NoAgent": [bare.name]} == skips(status)
    assert "True" == said(status, "Complete")
    assert "NoAgent" == reason(stalled, "Stalled")
    assert {} == entries.get("status", {}).get("imageStatuses", {})
    assert (1, 0, 1, 0) == totals(back)


def test_an_agent_that_has_fallen_silent_is_skipped_after_three_minutes(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """
    Its node's status says so, nobody waits for it any more, and its next report brings it back.

    An agent that reports is waited for as long as it takes (openkruise/kruise#1406).
    """
    alive, dead = nodes(2)
    living, silent = agents.serve(alive.name, Pulls()), agents.serve(dead.name, Pulls())
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=2))
    made.until(lambda status: (2, 2, 0, 0) == totals(status), what="both are active")

    silent.stop()
    with reporting(living):
        status = made.until(
            lambda status: counted(status)[3] == 1,
            what="the silent one is skipped",
            timeout_seconds=240,
        )
    said_of = nodes.image(dead).until(REPOSITORY, "v1", lambda found: found["phase"] == "Failed", what="is given up")
    silent.says(Succeeds())
    silent.start()
    living.says(Succeeds())
    back = made.until_ready(nodes=2)

    assert {"AgentSilent": [dead.name]} == skips(status)
    assert (1, 1, 0, 0) == totals(status)
    assert "AgentSilent" == said_of["reason"]
    assert "failedNodes" not in status
    assert (2, 0, 2, 0) == totals(back)
