"""Several jobs on one image: one entry, one pull where one is enough, and each job counts for itself."""

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import job, said, totals
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.objects import Json
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"


def entry_of(node_image: NodeImageOnServer) -> Json:
    """Return the one entry of the image."""
    (found,) = node_image.read()["spec"]["images"][REPOSITORY]["tags"]
    entry: Json = found
    return entry


def owners(found: Json) -> set[str]:
    """Return the uids of an entry's owners."""
    return {owner["uid"] for owner in found.get("ownerReferences", [])}


def test_a_second_job_joins_a_running_pull(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Neither waits for the other or for minutes (openkruise/kruise#1528); it is one entry and one pull."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    first = jobs(job(IMAGE, selector=nodes.selector))
    first.until(lambda status: status.get("active") == 1, what="is active")

    second = jobs(job(IMAGE, selector=nodes.selector))
    second.until(lambda status: status.get("active") == 1, what="is active", timeout_seconds=5)
    shared = entry_of(nodes.image(node))
    agent.says(Succeeds())
    ended = [first.ended(), second.ended()]

    assert {first.uid, second.uid} == owners(shared)
    assert [(1, 0, 1, 0)] * 2 == [totals(status) for status in ended]
    assert 1 == len(agent.begun)


def test_an_image_that_is_there_is_not_pulled_for_a_second_job(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Under IfNotPresent it joins what has succeeded, and is complete (8.2 number 8)."""
    (node,) = nodes()
    agent = agents.serve(node.name)
    first = jobs(job(IMAGE, selector=nodes.selector))
    earlier = first.ended()

    second = jobs(job(IMAGE, selector=nodes.selector))
    status = second.ended()

    assert (1, 0, 1, 0) == totals(status)
    assert 1 == len(agent.begun)
    assert totals(earlier) == totals(first.status)


def test_a_second_job_under_always_asks_anew_and_leaves_the_first_ones_end(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """A new version is pulled for it; the first, of two nodes, keeps what has ended there (8.2 number 8)."""
    quick, slow = nodes(2)
    agent = agents.serve(quick.name)
    slow_agent = agents.serve(slow.name, Pulls())
    first = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    first.until(lambda status: (2, 1, 1, 0) == totals(status), what="one of two is there")

    agent.says(Pulls())
    second = jobs(job(IMAGE, selector={"names": [quick.name]}, imagePullPolicy="Always"))
    second.until(lambda status: (1, 1, 0, 0) == totals(status), what="is active")
    meanwhile = totals(first.status)
    agent.says(Succeeds("sha256:" + "d" * 64))
    ended = second.ended()
    slow_agent.says(Succeeds())
    first.ended()

    assert (2, 1, 1, 0) == meanwhile
    assert (1, 0, 1, 0) == totals(ended)
    assert 2 == len(agent.begun)
    assert 1 == len(slow_agent.begun)
    assert agent.begun[0].version < agent.begun[1].version


def test_a_second_job_gives_a_failed_image_a_new_try(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It is not failed by what failed before it came, and the first stays failed."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails())
    first = jobs(job(IMAGE, selector=nodes.selector))
    first.ended()

    agent.says(Succeeds())
    second = jobs(job(IMAGE, selector=nodes.selector))
    status = second.ended()

    assert (1, 0, 1, 0) == totals(status)
    assert "True" == said(status, "Complete")
    assert (1, 0, 0, 1) == totals(first.status)


def test_the_largest_bounds_of_all_owners_hold(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A second job's timeout and retries are not lost (openkruise/kruise#2221), and Always holds where one says so."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    first = jobs(job(IMAGE, selector=nodes.selector, pullPolicy={"timeoutSeconds": 60, "backoffLimit": 5}))
    first.until(lambda status: status.get("active") == 1, what="is active")

    second = jobs(
        job(
            IMAGE,
            selector=nodes.selector,
            imagePullPolicy="Always",
            pullPolicy={"timeoutSeconds": 600, "backoffLimit": 1},
            prewarm={"priority": 3},
        )
    )
    second.until(lambda status: status.get("active") == 1, what="is active")
    found = entry_of(nodes.image(node))

    assert (600, 5) == (found["pullPolicy"]["timeoutSeconds"], found["pullPolicy"]["backoffLimit"])
    assert "Always" == found["imagePullPolicy"]
    assert 3 == found["prewarm"]["priority"]


def test_the_end_of_one_owner_leaves_the_entry_to_the_other(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A deleted job takes its name from the entry, and the pull goes on at the same version."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    first = jobs(job(IMAGE, selector=nodes.selector))
    first.until(lambda status: status.get("active") == 1, what="is active")
    second = jobs(job(IMAGE, selector=nodes.selector))
    second.until(lambda status: status.get("active") == 1, what="is active")
    version = entry_of(nodes.image(node))["version"]
    uid = second.uid

    first.delete()
    found = nodes.image(node).until_object(
        lambda found: owners(found["spec"]["images"][REPOSITORY]["tags"][0]) == {uid}, what="one owner is left"
    )
    agent.says(Succeeds())
    second.ended()

    assert version == found["spec"]["images"][REPOSITORY]["tags"][0]["version"]
    assert 1 == len(agent.begun)


def test_what_others_wrote_into_a_node_image_stays(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """An entry that no job owns is nobody's to change, in another repository or beside ours in the same one."""
    (node,) = nodes()
    agents.serve(node.name)
    image = nodes.image(node)
    image.until_object(lambda _: True, what="is made")
    theirs, beside = entry("v9"), entry("v0")
    image.want_all({"registry.test/theirs": {"tags": [theirs]}, REPOSITORY: {"tags": [beside]}})

    made = jobs(job(IMAGE, selector=nodes.selector))
    made.ended()
    with_ours = image.read()["spec"]["images"]
    made.delete()
    found = image.until_object(
        lambda found: len(found["spec"]["images"][REPOSITORY]["tags"]) == 1, what="ours has gone"
    )["spec"]["images"]

    assert [theirs] == with_ours["registry.test/theirs"]["tags"] == found["registry.test/theirs"]["tags"]
    assert ["v0", "v1"] == [one["tag"] for one in with_ours[REPOSITORY]["tags"]]
    assert [beside] == found[REPOSITORY]["tags"]
