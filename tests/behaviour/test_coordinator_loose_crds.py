"""A coordinator on OpenKruise's CRDs, which drop our fields: jobs work, and no status is written twice for that."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.deployment import deploy
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import Nodes
from tests.servers.jobs import JobOnServer, image_list, job, totals
from tests.servers.objects import Json
from tests.servers.openkruise.crds import crds as theirs
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents


Create = Callable[[Json], JobOnServer]

IMAGE: Final = "registry.test/app:v1"
QUIET_LOOKS: Final = 3


@pytest.fixture(scope="module")
def deployed(apiserver: ApiServer) -> Iterator[ApiServer]:
    """The module's API server with daemonset.yaml applied, and OpenKruise's CRDs in place of ours."""
    deploy(apiserver)
    crds.remove(apiserver, crds.ours())
    crds.install(apiserver, theirs("1.9"))
    yield apiserver
    crds.remove(apiserver, theirs("1.9"))


@pytest.fixture
def create(deployed: ApiServer, namespace: str, names: Names) -> Iterator[Create]:
    """Create jobs; they are deleted at the end of the test."""
    made: list[JobOnServer] = []

    def create(spec: Json) -> JobOnServer:
        made.append(JobOnServer(deployed, namespace, names("job")))
        made[-1].create(spec)
        return made[-1]

    yield create
    for each in made:
        each.delete()


def test_a_job_ends_with_openkruise_s_fields(
    coordinator: CoordinatorProcess, nodes: Nodes, agents: ScriptedAgents, create: Create
) -> None:
    """Times, counts, names and message, and nothing else; /state has the conditions all the same."""
    first, second = nodes(2)
    agents.serve(first.name)
    agents.serve(second.name, Fails("ImageNotFound", "no such tag"))

    made = create(job(IMAGE, selector=nodes.selector, parallelism=2))
    status = made.until(lambda found: "completionTime" in found, what="has ended")

    assert (2, 0, 1, 1) == totals(status)
    assert ["job has completed", [second.name]] == [status["message"], status["failedNodes"]]
    assert not {"conditions", "prewarm", "observedGeneration"} & status.keys()
    shown = coordinator.until_state(
        lambda state: any(found["name"] == made.name and found["conditions"] for found in state["jobs"]),
        what="shows the job's conditions",
    )
    (found,) = [each for each in shown["jobs"] if each["name"] == made.name]
    assert {"Failed": "NodesFailed"} == found["conditions"]


def test_a_status_that_was_pruned_is_not_written_again(
    coordinator: CoordinatorProcess, nodes: Nodes, agents: ScriptedAgents, create: Create
) -> None:
    """Neither while a pull goes on nor while a job stands still, however often it is looked at."""
    first, second = nodes(2)
    agents.serve(first.name, Pulls(done=1, total=2))
    agents.serve(second.name)
    made = create(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=2))
    made.until(lambda status: totals(status) == (2, 1, 1, 0), what="one is pulled, one pulls")
    coordinator.until_state(
        lambda state: any(found["name"] == made.name and found["turns"]["pulling"] for found in state["jobs"]),
        what="sees it pull",
    )
    coordinator.until_counted_again()
    version, writes = made.read()["metadata"]["resourceVersion"], _status_writes(coordinator)

    for _ in range(QUIET_LOOKS):
        coordinator.until_counted_again()

    assert version == made.read()["metadata"]["resourceVersion"]
    assert writes == _status_writes(coordinator)


def test_a_standstill_is_told_once(coordinator: CoordinatorProcess, create: Create) -> None:
    """The condition is dropped, and yet it is known that it was said."""
    made = create(job(IMAGE, kind="Never", selector={"names": ["no-such-node"]}))
    made.until_event(lambda event: event["reason"] == "Stalled")

    made.edit({"selector": {"names": ["no-such-node", "nor-such"]}})
    coordinator.until_counted_again()
    coordinator.until_counted_again()

    assert "job is stalled: NoNodesSelected: no node is selected" == made.status["message"]
    assert 1 == len([event for event in made.events() if event["reason"] == "Stalled"])


def test_a_list_is_written_as_often_as_it_changes(
    deployed: ApiServer,
    coordinator: CoordinatorProcess,
    nodes: Nodes,
    agents: ScriptedAgents,
    namespace: str,
    names: Names,
) -> None:
    """Its jobs lack what was pruned of it, its status our fields; why an image failed stands in one of OpenKruise's."""
    (node,) = nodes()
    agents.serve(node.name, of_images={IMAGE: Fails("ImageNotFound", "no such tag")})
    made = JobOnServer(deployed, namespace, names("list"), kind="ImageListPullJob")
    made.create(image_list(IMAGE, "registry.test/other:v1", selector=nodes.selector, prewarm={"priority": 3}))
    status = made.until(lambda found: "completionTime" in found, what="has ended")
    coordinator.until_quiet()
    version, writes = made.read()["metadata"]["resourceVersion"], _status_writes(coordinator)
    jobs = coordinator.metric("prewarm_coordinator_writes_total", **{"class": "list"})

    coordinator.until_counted_again()

    (failed,) = status["failedImageStatuses"]
    assert f"1 of 1 nodes failed: 1 PullFailed ({node.name}: no such tag)" == failed["message"]
    assert (2, 0, 2, 1) == tuple(status[count] for count in ("desired", "active", "completed", "succeeded"))
    assert not {"conditions", "prewarm", "observedGeneration"} & status.keys()
    assert (version, writes) == (made.read()["metadata"]["resourceVersion"], _status_writes(coordinator))
    assert 2 == jobs == coordinator.metric("prewarm_coordinator_writes_total", **{"class": "list"})
    made.delete()


def _status_writes(coordinator: CoordinatorProcess) -> float:
    return coordinator.metric("prewarm_coordinator_writes_total", **{"class": "status"})
