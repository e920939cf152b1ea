"""Whatever can be edited in a job is honoured: while it runs, and when it has finished."""

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import condition, counted, job, reason, said, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.objects import Json
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"


def until_entry(node_image: NodeImageOnServer, fits: dict[str, object], *, repository: str = REPOSITORY) -> Json:
    """Return a repository's first entry once each of these fields, such as pullPolicy.timeoutSeconds, is as given."""

    def entry_of(found: Json) -> Json:
        entry: Json = found["spec"].get("images", {}).get(repository, {"tags": [{}]})["tags"][0]
        return entry

    def is_so(found: Json) -> bool:
        return all(value == _at(entry_of(found), path) for path, value in fits.items())

    return entry_of(node_image.until_object(is_so, what=f"{repository} has {fits}", timeout_seconds=30))


def _at(value: Json, path: str) -> object:
    found: object = value
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def test_timeouts_retries_and_priority_reach_a_running_pull(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The entry has them at the same version, so that nothing starts anew (openkruise/kruise#2221)."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    made = jobs(job(IMAGE, selector=nodes.selector, pullPolicy={"timeoutSeconds": 60, "backoffLimit": 1}))
    made.until(lambda status: status.get("active") == 1, what="is active")
    before = until_entry(nodes.image(node), {"pullPolicy.timeoutSeconds": 60})

    made.edit({"pullPolicy": {"timeoutSeconds": 900, "backoffLimit": 4}, "prewarm": {"priority": 9}})
    after = until_entry(
        nodes.image(node),
        {"pullPolicy.timeoutSeconds": 900, "pullPolicy.backoffLimit": 4, "prewarm.priority": 9},
    )
    agent.says(Succeeds())
    made.ended()

    assert (before["version"], before["createdAt"]) == (after["version"], after["createdAt"])
    assert 1 == len(agent.begun)


def test_the_sandbox_configuration_reaches_the_node(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A node that is served already has the new one too."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    made = jobs(job(IMAGE, selector=nodes.selector, sandboxConfig={"labels": {"a": "1"}}))
    made.until(lambda status: status.get("active") == 1, what="is active")

    made.edit({"sandboxConfig": {"labels": {"a": "2"}, "annotations": {"b": "3"}}})
    found = nodes.image(node).until_object(
        lambda found: found["spec"]["images"][REPOSITORY]["sandboxConfig"]["labels"] == {"a": "2"}, what="has the new"
    )

    assert {"b": "3"} == found["spec"]["images"][REPOSITORY]["sandboxConfig"]["annotations"]


def test_another_image_takes_the_place_of_a_running_one(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The old entry goes, so its pull ends; the new one is counted from its beginning."""
    (node,) = nodes()
    agents.serve(node.name, Pulls(), of_images={"registry.test/new:v2": Succeeds()})
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: status.get("active") == 1, what="is active")

    made.edit({"image": "registry.test/new:v2"})
    status = made.ended()
    found = nodes.image(node).until_object(
        lambda found: REPOSITORY not in found["spec"]["images"], what="the old entry has gone"
    )

    assert (1, 0, 1, 0) == totals(status)
    assert ["registry.test/new"] == list(found["spec"]["images"])


def test_another_image_of_a_never_job_is_pulled_on_every_node(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It was warm with the old one and is cold with the new one until that is there."""
    told = [agents.serve(node.name) for node in nodes(2)]
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=2))
    made.until_ready(nodes=2)
    for agent in told:
        agent.says(Pulls())

    made.edit({"image": f"{REPOSITORY}:v2"})
    pulling = made.until(lambda status: (2, 2, 0, 0) == totals(status), what="pulls the new one")
    for agent in told:
        agent.says(Succeeds())
    made.until(
        lambda status: status["observedGeneration"] == 2 and said(status, "Ready") == "True", what="has the new one"
    )

    assert "True" != said(pulling, "Ready")
    assert ((0, 0, 2, 0), []) == (counted(pulling), pulling["prewarm"].get("digests", []))
    assert [["v1", "v2"]] * 2 == [[begun.image.rpartition(":")[2] for begun in agent.begun] for agent in told]


def test_a_finished_job_runs_again_when_it_is_edited(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A new generation is a new run with times and counts of its own (openkruise/kruise#1386)."""
    (node,) = nodes()
    agent = agents.serve(node.name)
    made = jobs(job(IMAGE, selector=nodes.selector))
    first = made.ended()

    made.edit({"image": f"{REPOSITORY}:v2"})
    second = made.ended()

    assert first["completionTime"] < second["startTime"] <= second["completionTime"]
    assert (1, 0, 1, 0) == totals(second)
    assert [1, 2] == [first["observedGeneration"], second["observedGeneration"]]
    assert [IMAGE, f"{REPOSITORY}:v2"] == [begun.image for begun in agent.begun]


def test_a_failed_job_runs_again_when_it_is_edited(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It was failed, and is complete when what was wrong has been mended."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("Unauthorized"))
    made = jobs(job(IMAGE, selector=nodes.selector))
    first = made.ended()

    agent.says(Succeeds())
    made.edit({"pullPolicy": {"timeoutSeconds": 77}})
    second = made.ended()

    assert ("True", "True") == (said(first, "Failed"), said(second, "Complete"))
    assert "True" != said(second, "Failed")
    assert (1, 0, 1, 0) == totals(second)
    assert "failedNodes" not in second
    assert 2 == len(agent.begun)


def test_a_finished_jobs_new_run_asks_every_node_again(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Also for the same image under IfNotPresent: whether it is there is the node's to say (openkruise/kruise#1419)."""
    told = [agents.serve(node.name) for node in nodes(2)]
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    made.ended()
    for agent in told:
        agent.forget(IMAGE)

    made.edit({"parallelism": 1})
    status = made.ended()

    assert (2, 0, 2, 0) == totals(status)
    assert [2, 2] == [len(agent.begun) for agent in told]


def test_a_failed_node_of_a_never_job_is_tried_at_once_after_an_edit(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """It does not wait for its next round."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("PlatformMismatch"))
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until(lambda status: totals(status) == (1, 0, 0, 1), what="has failed")

    agent.says(Succeeds())
    made.edit({"pullPolicy": {"timeoutSeconds": 77}})
    status = made.until_ready(nodes=1, timeout_seconds=30)

    assert (1, 0, 1, 0) == totals(status)


def test_a_running_jobs_status_tells_which_spec_it_answers(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The field observedGeneration follows the edits, in the status and in each condition that it has."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: status.get("observedGeneration") == 1, what="answers the first")

    made.edit({"parallelism": 3})
    status = made.until(lambda status: status["observedGeneration"] == 2, what="answers the second")

    assert 2 == condition(status, "Ready").get("observedGeneration", 2)


def test_a_finished_job_that_never_ends_from_now_on_goes_on(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Its type may be edited: what was complete is Ready, and serves the nodes that join."""
    (first,) = nodes()
    agents.serve(first.name)
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.ended()

    made.edit({"completionPolicy": {"type": "Never"}})
    made.until(lambda status: "completionTime" not in status and said(status, "Ready") == "True", what="goes on")
    (second,) = nodes()
    agents.serve(second.name)
    status = made.until_ready(nodes=2)

    assert "True" != said(status, "Complete")
    assert (2, 0, 2, 0) == totals(status)


def test_a_job_that_ends_from_now_on_ends(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """And the other way round, with a node whose last round failed."""
    good, bad = nodes(2)
    agents.serve(good.name)
    agents.serve(bad.name, Fails())
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=2))
    made.until(lambda status: (2, 0, 1, 1) == totals(status), what="has had its first round")

    made.edit({"completionPolicy": {"type": "Always"}})
    status = made.ended()

    assert (2, 0, 1, 1) == totals(status)
    assert "True" == said(status, "Failed")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"schedule": "0 2 * * *", "timeZone": "Mars/Base"}, "timeZone"),
        ({"schedule": "99 2 * * *"}, "schedule"),
    ],
    ids=["zone", "schedule"],
)
def test_a_spec_that_cannot_be_used_is_stalled_and_names_the_field(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, wrong: Json, field: str
) -> None:
    """What a schema cannot check is told in the status; mended, the job goes on, and others went on meanwhile."""
    (node,) = nodes()
    agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, prewarm={"refresh": wrong}))
    stalled = made.until(lambda status: said(status, "Stalled") == "True", what="is stalled")
    other = jobs(job("registry.test/other:v1", selector=nodes.selector))
    other.ended()

    made.edit({"prewarm": {"refresh": None}})
    status = made.until(lambda status: said(status, "Stalled") == "False", what="goes on")

    assert field in condition(stalled, "Stalled")["message"]
    assert "InvalidSpec" == reason(stalled, "Stalled")
    assert (1, 0, 1, 0) == totals(status)
