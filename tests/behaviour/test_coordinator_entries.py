"""What stands in a NodeImage for a job, how long, and under which name: the record that nodes and others go by."""

import datetime as dt

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import job, totals
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.objects import Json
from tests.servers.scripted_agents import Pulls, ScriptedAgents


pytestmark = pytest.mark.usefixtures("coordinator")

REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"
OTHER = "registry.test/other"


def age(node_image: NodeImageOnServer, repository: str, *, hours: int) -> None:
    """Make what a node says of a repository's first tag look as if it had ended so long ago."""
    (said,) = node_image.status["imageStatuses"][repository]["tags"]
    at = dt.datetime.now(tz=dt.UTC) - dt.timedelta(hours=hours)
    path = f"/status/imageStatuses/{repository.replace('/', '~1')}"
    ended = {"tags": [{**said, "completionTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}]}
    node_image.patch_status({"op": "replace", "path": path, "value": ended})


def images(node_image: NodeImageOnServer) -> Json:
    """Return the images of its spec."""
    found: Json = node_image.read()["spec"].get("images", {})
    return found


def test_an_entry_goes_when_its_life_has_ended_and_the_finished_job_stays(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """A NodeImage does not grow for ever; the job is not run again by that."""
    (node,) = nodes()
    agent = agents.serve(node.name)
    made = jobs(job(IMAGE, selector=nodes.selector))
    before = made.ended()

    age(nodes.image(node), REPOSITORY, hours=24)
    nodes.image(node).until_object(lambda found: not found["spec"].get("images"), what="the entry has gone")

    assert before == made.status
    assert 1 == len(agent.begun)


def test_an_entry_of_a_never_job_stays_whatever_its_life_says(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Its ttlSecondsAfterFinished is written for OpenKruise's manager; ours renews in place, at its own time."""
    (node,) = nodes()
    agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until_ready(nodes=1)
    passing = jobs(job(f"{OTHER}:v1", selector=nodes.selector))
    passing.ended()
    before = images(nodes.image(node))[REPOSITORY]

    age(nodes.image(node), REPOSITORY, hours=72)
    age(nodes.image(node), OTHER, hours=72)
    nodes.image(node).until_object(lambda found: OTHER not in found["spec"]["images"], what="the other's entry goes")

    assert before == images(nodes.image(node))[REPOSITORY]
    assert before["tags"][0]["pullPolicy"]["ttlSecondsAfterFinished"] > 0


def test_spellings_of_one_image_are_one_entry(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Docker Hub's long and short names, and no tag and latest, are one pull for two jobs."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    spellings = ("base", "docker.io/library/base:latest", "index.docker.io/library/base")

    for spelling in spellings:
        made = jobs(job(spelling, selector=nodes.selector))
        made.until(lambda status: status.get("active") == 1, what="is active")
    found = images(nodes.image(node))

    assert ["base"] == list(found)
    assert [("latest", 3)] == [(one["tag"], len(one["ownerReferences"])) for one in found["base"]["tags"]]
    assert 1 == len(agent.begun)


def test_sandbox_configurations_of_several_jobs_stand_together(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """A repository has one for all its tags: what each job asks for is in it (8.2 number 7)."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())

    for tag, labels in (("a", {"team": "a", "a": "1"}), ("b", {"b": "2"})):
        made = jobs(job(f"{REPOSITORY}:{tag}", selector=nodes.selector, sandboxConfig={"labels": labels}))
        made.until(lambda status: status.get("active") == 1, what="is active")

    assert {"team": "a", "a": "1", "b": "2"} == images(nodes.image(node))[REPOSITORY]["sandboxConfig"]["labels"]


def test_an_agent_of_openkruise_is_understood(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It says nothing of itself: what it says of the image is enough."""
    (node,) = nodes()
    agents.serve(node.name, is_ours=False)

    status = jobs(job(IMAGE, selector=nodes.selector)).ended()

    assert (1, 0, 1, 0) == totals(status)


def test_a_foreign_entry_of_the_same_image_is_joined_and_left_behind(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Somebody wrote the image in by hand: a job counts its answer, and is counted out again when it is deleted."""
    (node,) = nodes()
    agent = agents.serve(node.name)
    image = nodes.image(node)
    image.until_object(lambda _: True, what="is made")
    image.want(REPOSITORY, entry("v1", version=7))
    image.ended(REPOSITORY, "v1", version=7)

    made = jobs(job(IMAGE, selector=nodes.selector))
    status = made.ended()

    assert (1, 0, 1, 0) == totals(status)
    assert 1 == len(agent.begun)
