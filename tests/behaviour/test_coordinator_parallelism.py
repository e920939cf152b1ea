"""How many nodes pull for a job at once: never more than its parallelism, at any moment, whatever is edited."""

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import JobOnServer, counted, job, totals
from tests.servers.nodes import NodeOnServer
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgent, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

IMAGE = "registry.test/app:v1"


def served(agents: ScriptedAgents, nodes: list[NodeOnServer]) -> dict[str, ScriptedAgent]:
    """Put an agent on each node, which pulls until it is told to end, by the node's name."""
    return {node.name: agents.serve(node.name, Pulls()) for node in nodes}


def until_granted(agents: ScriptedAgents, made: JobOnServer, count: int) -> set[str]:
    """Return the nodes that have the job's open entries, once there are so many and its status says so."""
    made.until(lambda status: status.get("active") == count, what=f"{count} are active")
    uid = made.uid
    until(lambda: len(agents.granted(uid)) == count, what=f"{count} are granted", timeout_seconds=10)
    return agents.granted(uid)


def finish(agents: ScriptedAgents, made: JobOnServer, told: dict[str, ScriptedAgent]) -> None:
    """Let every pull of the job end well, those that begin later too."""
    for agent in told.values():
        agent.says(Succeeds())
    made.ended()


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 1), ({"parallelism": 2}, 2), ({"parallelism": "3"}, 3), ({"parallelism": 9}, 4)]
)
def test_so_many_nodes_pull_at_once(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, given: Json, expected: int
) -> None:
    """One where nothing is said, the number as a number or as text; never more until the job's end."""
    told = served(agents, nodes(4))

    made = jobs(job(IMAGE, selector=nodes.selector, **given))
    until_granted(agents, made, expected)
    waiting = made.status["prewarm"].get("waiting", 0)
    finish(agents, made, told)

    assert 4 - expected == waiting
    assert expected == agents.most_granted(made.uid)


@pytest.mark.parametrize(("percentage", "expected"), [("50%", 2), ("1%", 1), ("51%", 3), ("100%", 4)])
def test_a_percentage_is_of_the_nodes_that_count_rounded_up(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, percentage: str, expected: int
) -> None:
    """At least one; OpenKruise refuses percentages."""
    told = served(agents, nodes(4))

    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=percentage))
    until_granted(agents, made, expected)
    finish(agents, made, told)

    assert expected == agents.most_granted(made.uid)


@pytest.mark.parametrize("parallelism", [0, "0", "0%"])
def test_none_pauses_the_job_until_it_is_edited(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, parallelism: int | str
) -> None:
    """Every node waits and none has been asked for anything; a number lets it go on."""
    told = served(agents, nodes(2))

    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=parallelism))
    paused = made.until(lambda status: status.get("prewarm", {}).get("waiting") == 2, what="both wait")
    begun = agents.most_granted(made.uid)
    made.edit({"parallelism": 2})
    finish(agents, made, told)

    assert 0 == begun
    assert ((2, 0, 0, 0), (0, 0, 2, 0)) == (totals(paused), counted(paused))
    assert (2, 0, 2, 0) == totals(made.status)


def test_a_lower_number_lets_what_runs_go_on_and_grants_nothing_above_it(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Of three that pull none is stopped; the fourth gets its turn when fewer than one is left."""
    told = served(agents, nodes(4))
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=3))
    first = until_granted(agents, made, 3)
    (last,) = set(told) - first
    generation = made.edit({"parallelism": 1})["metadata"]["generation"]
    made.until(lambda status: status["observedGeneration"] == generation, what="has seen the edit")

    for left, name in zip((2, 1), sorted(first)[:2], strict=True):
        told[name].says(Succeeds())
        made.until(lambda status, left=left: status["active"] == left, what=f"{left} are left")  # type: ignore[misc]
    still_waits = last not in agents.granted(made.uid)
    told[sorted(first)[2]].says(Succeeds())
    then = until_granted(agents, made, 1)
    finish(agents, made, told)

    assert still_waits
    assert {last} == then


def test_a_failed_node_frees_its_slot(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """With one slot and a node that fails, the others have their turn all the same."""
    three = nodes(3)
    agents.serve(three[0].name, Fails())
    for node in three[1:]:
        agents.serve(node.name)

    made = jobs(job(IMAGE, selector=nodes.selector))
    status = made.ended()

    assert (3, 0, 2, 1) == totals(status)
    assert 1 == agents.most_granted(made.uid)


def test_tags_of_one_repository_have_their_own_slots(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A node that has another tag of the repository counts as open for each job (openkruise/kruise#1271)."""
    four = nodes(4)
    told = served(agents, four)

    made = [jobs(job(f"registry.test/app:{tag}", selector=nodes.selector, parallelism=2)) for tag in ("a", "b", "c")]
    for each in made:
        until_granted(agents, each, 2)
    for each in made:
        finish(agents, each, told)

    assert [2, 2, 2] == [agents.most_granted(each.uid) for each in made]


def test_twenty_jobs_at_once_keep_within_their_own_numbers(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Ten on one image, ten on images of their own: each ends, none of them exceeds one node."""
    for node in nodes(3):
        agents.serve(node.name)

    made = [jobs(job(IMAGE, selector=nodes.selector)) for _ in range(10)]
    made += [jobs(job(f"registry.test/app-{place}:v1", selector=nodes.selector)) for place in range(10)]
    ended = [each.ended() for each in made]

    assert [(3, 0, 3, 0)] * 20 == [totals(status) for status in ended]
    assert {1} == {agents.most_granted(each.uid) for each in made[10:]}
    # One that joins what has succeeded already has no open entry at any time.
    assert {0, 1} >= {agents.most_granted(each.uid) for each in made[:10]}
