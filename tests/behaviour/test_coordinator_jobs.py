"""A job from its creation to its end: what its status says meanwhile and then, in OpenKruise's fields and words."""

import datetime as dt

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import condition, counted, failures, job, reason, said, totals
from tests.servers.nodes import NodeOnServer
from tests.servers.processes import until
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

IMAGE = "registry.test/app:v1"
REPOSITORY = "registry.test/app"


def names_of(nodes: list[NodeOnServer]) -> list[str]:
    """Return their names, sorted."""
    return sorted(node.name for node in nodes)


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_a_job_completes_when_every_node_has_the_image(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, version: str
) -> None:
    """Its numbers, times and message are OpenKruise's; the conditions say it in the field's words."""
    three = nodes(3)
    for node in three:
        agents.serve(node.name)

    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=3), version=version)
    status = made.ended()

    assert (3, 0, 3, 0) == totals(status)
    assert "job has completed" == status["message"]
    assert "failedNodes" not in status
    assert status["startTime"] <= status["completionTime"]
    assert ("True", "Finished") == (said(status, "Complete"), reason(status, "Complete"))
    assert ("True", "AllWarm") == (said(status, "Ready"), reason(status, "Ready"))
    assert "True" != said(status, "Failed")
    assert ((3, 0, 0, 0), "3/3") == (counted(status), status["prewarm"]["summary"])
    assert [{"digest": Succeeds().digest, "nodes": 3}] == status["prewarm"]["digests"]


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_an_entry_names_its_job_and_its_bounds(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, version: str) -> None:
    """A node's NodeImage has the owner with its uid, the times and bounds that OpenKruise derives, and ours."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    spec = job(
        IMAGE,
        selector=nodes.selector,
        imagePullPolicy="Always",
        pullPolicy={"timeoutSeconds": 7, "backoffLimit": 2},
        completionPolicy={"activeDeadlineSeconds": 900, "ttlSecondsAfterFinished": 100},
        sandboxConfig={"labels": {"a": "b"}, "annotations": {"c": "d"}},
        prewarm={"priority": 5, "minFree": "10%"},
    )

    made = jobs(spec, version=version)
    made.until(lambda status: status.get("active") == 1, what="one node is active")
    image = nodes.image(node).read()["spec"]["images"][REPOSITORY]
    (entry,) = image["tags"]
    (owner,) = entry["ownerReferences"]

    assert ("v1", "Always") == (entry["tag"], entry["imagePullPolicy"])
    assert entry["version"] > 0
    assert ("ImagePullJob", made.namespace, made.name, made.uid) == tuple(
        owner[key] for key in ("kind", "namespace", "name", "uid")
    )
    assert owner["apiVersion"].startswith("apps.kruise.io/")
    assert (7, 2, 900) == tuple(
        entry["pullPolicy"][key] for key in ("timeoutSeconds", "backoffLimit", "activeDeadlineSeconds")
    )
    assert 400 <= entry["pullPolicy"]["ttlSecondsAfterFinished"] < 700
    assert (5, "10%") == (entry["prewarm"]["priority"], entry["prewarm"]["minFree"])
    assert {"labels": {"a": "b"}, "annotations": {"c": "d"}} == image["sandboxConfig"]


def test_a_digest_stays_a_digest(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The entry's tag is the digest, and the job completes (openkruise/kruise#2534)."""
    digest = "sha256:" + "c" * 64
    (node,) = nodes()
    agent = agents.serve(node.name, Succeeds(digest))

    made = jobs(job(f"{REPOSITORY}@{digest}", selector=nodes.selector))
    status = made.ended()

    assert (1, 0, 1, 0) == totals(status)
    assert [f"{REPOSITORY}:{digest}"] == [begun.image for begun in agent.begun]


def test_a_running_job_tells_its_progress(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """In OpenKruise's words, with what waits, what pulls and its bytes beside them."""
    first, second, third = nodes(3)
    agents.serve(first.name)
    agents.serve(second.name, Pulls(10, 40))
    agents.serve(third.name, Pulls(20, 40))

    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=3))
    status = made.until(
        lambda status: (3, 2, 1, 0) == totals(status) and status["prewarm"].get("pulling") == 2,
        what="one has succeeded and two pull",
    )

    assert "job is running, progress 33.3%" == status["message"]
    assert (1, 0, 2, 0) == counted(status)
    assert {"done": 30, "total": 80} == status["prewarm"]["bytes"]
    assert "completionTime" not in status
    assert ("False", "InProgress") == (said(status, "Ready"), reason(status, "Ready"))


def test_a_failed_node_is_named_and_the_job_has_failed(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """The others go on; names are sorted, and each reason tells its nodes and words."""
    four = nodes(4)
    for node in four[:2]:
        agents.serve(node.name)
    for node in four[2:]:
        agents.serve(node.name, Fails("ImageNotFound", "no such tag"))

    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=1))
    status = made.ended()

    assert (4, 0, 2, 2) == totals(status)
    assert names_of(four[2:]) == status["failedNodes"]
    assert ("True", "NodesFailed") == (said(status, "Failed"), reason(status, "Failed"))
    assert "True" != said(status, "Complete")
    assert "True" != said(status, "Ready")
    assert (2, 0, 2, 0) == counted(status)
    assert {"ImageNotFound": names_of(four[2:])} == failures(status)
    assert "no such tag" in status["prewarm"]["failures"][0]["message"]


def test_a_job_past_its_deadline_has_failed_with_every_open_node(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """What has succeeded stays so; what pulls or waits is failed, once each (openkruise/kruise#1517)."""
    four = nodes(4)
    agents.serve(four[0].name)
    for node in four[1:]:
        agents.serve(node.name, Pulls())

    made = jobs(
        job(
            IMAGE,
            selector=nodes.selector,
            parallelism=2,
            pullPolicy={"timeoutSeconds": 4},
            completionPolicy={"activeDeadlineSeconds": 4},
        )
    )
    status = made.ended()
    lasted = dt.datetime.fromisoformat(status["completionTime"]) - dt.datetime.fromisoformat(status["startTime"])
    succeeded = [node for node in four if node.name not in status["failedNodes"]]

    assert 4 <= lasted.total_seconds() <= 8
    assert (4, 0, len(succeeded), 4 - len(succeeded)) == totals(status)
    assert set(names_of(succeeded)) <= {four[0].name}
    assert sorted(set(status["failedNodes"])) == status["failedNodes"]
    assert "job exceeds activeDeadlineSeconds" == status["message"]
    assert ("True", "DeadlineExceeded") == (said(status, "Failed"), reason(status, "Failed"))


@pytest.mark.parametrize("ttl_seconds", [0, 2])
def test_a_finished_job_goes_after_its_ttl(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, ttl_seconds: int) -> None:
    """Nobody has to tidy up after jobs that were made for one time."""
    (node,) = nodes()
    agents.serve(node.name)

    made = jobs(
        job(IMAGE, selector=nodes.selector, completionPolicy={"ttlSecondsAfterFinished": ttl_seconds}),
    )
    made.until_gone()

    assert made.find() is None


def test_a_job_without_nodes_is_complete_and_says_so(nodes: Nodes, jobs: Jobs) -> None:
    """It is no silent success: the reason is NoNodesSelected, and a Warning tells whoever looks (8.2 number 3)."""
    made = jobs(job(IMAGE, selector=nodes.selector))

    status = made.ended()
    told = made.until_event(lambda event: "NoNodesSelected" in event["reason"] + event["note"])

    assert (0, 0, 0, 0) == totals(status)
    assert ("True", "NoNodesSelected") == (said(status, "Complete"), reason(status, "Complete"))
    assert "Warning" == told["type"]


def test_a_never_job_without_nodes_is_stalled_until_one_joins(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """It never ends, so it waits for whoever mends its selector, or for a node."""
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    stalled = made.until(lambda status: said(status, "Stalled") == "True", what="is stalled")

    (node,) = nodes()
    agents.serve(node.name)
    status = made.until_ready(nodes=1)

    assert "NoNodesSelected" == reason(stalled, "Stalled")
    assert "True" != said(stalled, "Ready")
    assert "True" != said(status, "Stalled")
    assert "completionTime" not in status


def test_a_never_job_whose_nodes_need_a_person_is_stalled(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Nothing that it does by itself will mend an image that is not there; it tries on all the same."""
    (node,) = nodes()
    agents.serve(node.name, Fails("ImageNotFound"))

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    status = made.until(lambda status: said(status, "Stalled") == "True", what="is stalled")

    assert "ImageNotFound" == reason(status, "Stalled")
    assert [node.name] == status["failedNodes"]
    assert "retryTime" in status["prewarm"]["failures"][0]


def test_conditions_keep_the_time_of_their_last_change(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A condition that stands is not touched by later writes of the status; a changed one is newer."""
    first, second = nodes(2)
    agents.serve(first.name)
    slow = agents.serve(second.name, Pulls(1, 4))
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
    running = made.until(lambda status: (2, 1, 1, 0) == totals(status), what="one is there")

    slow.says(Pulls(3, 4))
    later = made.until(lambda status: status["prewarm"]["bytes"]["done"] == 3, what="has gone on")
    slow.says(Succeeds())
    status = made.ended()

    assert condition(running, "Ready") == {
        **condition(later, "Ready"),
        "message": condition(running, "Ready")["message"],
    }
    assert condition(running, "Ready")["lastTransitionTime"] <= condition(status, "Ready")["lastTransitionTime"]
    assert "True" == said(status, "Ready")


def test_a_deleted_jobs_entries_go_and_a_running_pull_with_them(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """Nothing else owns them; what another wants on the node stays."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    other = jobs(job("registry.test/other:v1", selector=nodes.selector))
    made = jobs(job(IMAGE, selector=nodes.selector))
    made.until(lambda status: status.get("active") == 1, what="one node is active")
    other.until(lambda status: status.get("active") == 1, what="one node is active")

    made.delete()
    found = nodes.image(node).until_object(
        lambda found: REPOSITORY not in found["spec"].get("images", {}), what=f"{REPOSITORY} has gone"
    )

    assert ["registry.test/other"] == list(found["spec"]["images"])


def test_openkruise_s_finalizer_is_taken_off_jobs_that_are_over(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """One that finished and one that is being deleted lose it, one that goes on keeps it; another's stays."""
    (node,) = nodes()
    agents.serve(node.name, of_images={"registry.test/slow:v1": Pulls()})
    done = jobs(job(IMAGE, selector=nodes.selector))
    done.ended()
    running, deleted = (jobs(job("registry.test/slow:v1", selector=nodes.selector)) for _ in range(2))
    finalizers = ["test.prewarm.internal/other", "apps.kruise.io/deletion-protection"]

    for one in (done, running, deleted):
        one.mark({"finalizers": finalizers if one is not deleted else finalizers[1:]})
    deleted.delete()
    deleted.until_gone()
    until(lambda: done.read()["metadata"]["finalizers"] == finalizers[:1], what="it is off", timeout_seconds=30)
    kept = running.read()["metadata"]["finalizers"]
    for one in (done, running):
        one.mark({"finalizers": None})

    assert finalizers == kept
