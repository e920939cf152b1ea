"""ImageListPullJobs on a real API server, by the account and under the policies of daemonset.yaml."""

from collections.abc import Iterator
from typing import Final, Protocol

import pytest

from daemon.coordinator.lists.names import job_name
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import JobOnServer, condition, image_list, job, reason, said
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

ONE, TWO, THREE = (f"registry.test/{name}:v1" for name in ("one", "two", "three"))
TWENTY: Final = tuple(f"registry.test/app-{number:02}:v1" for number in range(20))


class Lists(Protocol):
    """Creates an ImageListPullJob in the test's namespace."""

    def __call__(self, spec: Json, *, version: str = ...) -> JobOnServer:
        """Create it; it is deleted at the end of the test."""
        ...


@pytest.fixture
def lists(deployed: ApiServer, namespace: str, names: Names, nodes: Nodes) -> Iterator[Lists]:
    """Create lists, once the coordinator has seen the test's Nodes."""
    made: list[JobOnServer] = []

    def create(spec: Json, *, version: str = "v1beta1") -> JobOnServer:
        nodes.until_seen()
        found = JobOnServer(deployed, namespace, names("list"), version=version, kind="ImageListPullJob")
        found.create(spec)
        made.append(found)
        return found

    yield create
    for each in made:
        each.delete()


def counts(status: Json) -> tuple[int, int, int, int]:
    """Return OpenKruise's four numbers of a list: desired, active, completed, succeeded."""
    return status["desired"], status["active"], status["completed"], status["succeeded"]


def uids(made: JobOnServer) -> dict[str, str]:
    """Return the uids of a list's jobs, by image."""
    return {image: child["metadata"]["uid"] for image, child in made.children().items()}


def test_a_list_of_twenty_is_one_write_of_each_node_image(
    nodes: Nodes, agents: ScriptedAgents, lists: Lists, coordinator: CoordinatorProcess
) -> None:
    """Each image has a job that is called by it; all are granted at once, and the list says when all is done."""

    def finished() -> list[Json]:
        return [line for line in coordinator.told("list_finished") if line["list"].endswith(made.name)]

    three = nodes(3)
    for node in three:
        agents.serve(node.name)
    nodes.until_seen()
    before = [nodes.image(node).read()["metadata"]["generation"] for node in three]

    made = lists(image_list(*TWENTY, selector=nodes.selector, parallelism=3), version="v1alpha1")
    status = made.ended()
    after = [nodes.image(node).read()["metadata"]["generation"] for node in three]
    found = made.children()
    until(finished, what="the line of its end", timeout_seconds=10)

    assert [generation + 1 for generation in before] == after
    assert {image: job_name(made.name, image=image) for image in TWENTY} == {
        image: child["metadata"]["name"] for image, child in found.items()
    }
    assert (20, 0, 20, 20) == counts(status)
    assert "60/60" == status["prewarm"]["summary"]
    assert ("True", "Finished") == (said(status, "Complete"), reason(status, "Complete"))
    assert "True" == said(status, "Ready")
    made.until_event(lambda event: event["reason"] == "Successful create ImagePullJob" and event["type"] == "Normal")
    assert [(made.name, 20)] == [(line["list"].partition("/")[2], line["succeeded"]) for line in finished()]


def test_an_edit_keeps_what_is_unchanged(nodes: Nodes, agents: ScriptedAgents, lists: Lists) -> None:
    """An image that is added to a finished list is pulled alone, a removed one loses its job, a policy changes jobs."""
    (node,) = nodes()
    agent = agents.serve(node.name)
    made = lists(image_list(ONE, TWO, selector=nodes.selector))
    made.ended()
    first = uids(made)

    made.edit({"images": [THREE, TWO, ONE]})
    added = made.ended()
    second = uids(made)
    begun = [one.image for one in agent.begun]
    made.edit({"images": [THREE, TWO], "imagePullPolicy": "Always"})
    edited = made.ended()

    assert first == {image: second[image] for image in first}
    assert [THREE] == begun[2:]
    assert (3, 0, 3, 3) == counts(added)
    assert {image: second[image] for image in (TWO, THREE)} == uids(made)
    assert {"Always"} == {child["spec"]["imagePullPolicy"] for child in made.children().values()}
    assert (2, 0, 2, 2) == counts(edited)
    nodes.image(node).until_object(
        lambda found: "registry.test/one" not in found["spec"]["images"], what="the removed image is not wanted"
    )
    made.until_event(lambda event: event["reason"] == "Successful delete ImagePullJob")


def test_suspending_a_list_reruns_nothing_that_has_finished(nodes: Nodes, agents: ScriptedAgents, lists: Lists) -> None:
    """What runs is suspended and goes on; of what has finished nothing changes."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls(), of_images={ONE: Succeeds()})
    made = lists(image_list(ONE, TWO, selector=nodes.selector))
    made.until(lambda status: status.get("completed") == 1 and status["active"] == 1, what="one is done, one runs")
    finished = made.children()[ONE]

    made.edit({"prewarm": {"suspend": True}})
    suspended = made.until(lambda status: said(status, "Suspended") == "True", what="is suspended")
    until(lambda: _suspends(made.children()[TWO]), what="so is its job", timeout_seconds=20)
    agent.says(Succeeds())
    made.edit({"prewarm": {"suspend": False}})
    status = made.ended()

    assert "completionTime" not in suspended
    assert finished == made.children()[ONE]
    assert (2, 0, 2, 2) == counts(status)


def _suspends(child: Json) -> bool:
    return bool(child["spec"].get("prewarm", {}).get("suspend"))


def test_failed_images_are_named_in_the_list_s_order_and_said_once(
    nodes: Nodes, agents: ScriptedAgents, lists: Lists, coordinator: CoordinatorProcess
) -> None:
    """With their reasons; however often it is looked at, nothing is written again (8.2 number 6)."""
    two = nodes(2)
    refused = {THREE: Fails("ImageNotFound", "no such tag"), ONE: Fails("Unauthorized", "no credentials")}
    for node in two:
        agents.serve(node.name, of_images=refused)
    made = lists(image_list(THREE, TWO, ONE, selector=nodes.selector, parallelism=2))
    status = made.ended()
    coordinator.until_quiet()
    version, writes = made.read()["metadata"]["resourceVersion"], _writes(coordinator)

    coordinator.until_counted_again()
    coordinator.until_counted_again()

    names = ", ".join(sorted(node.name for node in two))
    assert [
        {
            "imagePullJob": job_name(made.name, image=THREE),
            "name": THREE,
            "message": f"2 of 2 nodes failed: 2 ImageNotFound ({names}: no such tag)",
        },
        {
            "imagePullJob": job_name(made.name, image=ONE),
            "name": ONE,
            "message": f"2 of 2 nodes failed: 2 Unauthorized ({names}: no credentials)",
        },
    ] == status["failedImageStatuses"]
    assert (3, 0, 3, 1) == counts(status)
    assert ("True", "NodesFailed") == (said(status, "Failed"), reason(status, "Failed"))
    assert ["ImageNotFound", "Unauthorized"] == [group["reason"] for group in status["prewarm"]["failures"]]
    assert (version, writes) == (made.read()["metadata"]["resourceVersion"], _writes(coordinator))


def _writes(coordinator: CoordinatorProcess) -> float:
    classes = ("list", "status", "grant", "withdrawal")
    return sum(coordinator.metric("prewarm_coordinator_writes_total", **{"class": each}) for each in classes)


def test_a_running_list_tells_its_progress(nodes: Nodes, agents: ScriptedAgents, lists: Lists) -> None:
    """Bytes of all its pulls together, and once some have ended when all will have."""
    first, second = nodes(2)
    agents.serve(first.name, of_images={TWO: Pulls(10, 40)})
    agents.serve(second.name, of_images={TWO: Pulls(20, 40)})

    made = lists(image_list(ONE, TWO, selector=nodes.selector, parallelism=2))
    status = made.until(
        lambda status: (
            status.get("succeeded") == 1 and "eta" in status["prewarm"] and status["prewarm"]["pulling"] == 2
        ),
        what="one image is everywhere and one is pulled",
    )

    assert (2, 1, 1, 1) == counts(status)
    assert ("2/4", {"done": 30, "total": 80}) == (status["prewarm"]["summary"], status["prewarm"]["bytes"])
    assert "1 of 2 images is on every node" == condition(status, "Ready")["message"]


def test_list_parallelism_bounds_the_nodes_of_all_images_together(
    nodes: Nodes, agents: ScriptedAgents, lists: Lists
) -> None:
    """One node has all its images on their way, and no other any; the next begins when that has ended."""
    told = {node.name: agents.serve(node.name, Pulls()) for node in nodes(3)}
    spec = image_list(ONE, TWO, THREE, selector=nodes.selector, parallelism=3, prewarm={"listParallelism": 1})
    made = lists(spec)
    made.until(lambda status: status.get("active") == 3, what="all images are pulled")
    first = [agents.granted(uid) for uid in uids(made).values()]

    for agent in told.values():
        agent.says(Succeeds())
    status = made.ended()

    assert [1, 1, 1] == [len(granted) for granted in first]
    assert 1 == len(set.union(*first))
    assert [1, 1, 1] == [agents.most_granted(uid) for uid in uids(made).values()]
    assert (3, 0, 3, 3) == counts(status)


def test_a_list_s_jobs_stay_as_long_as_it_and_go_with_it(
    deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, lists: Lists
) -> None:
    """What ends first is not deleted and pulled again (8.2 number 6); no garbage collector runs here."""
    (node,) = nodes()
    agent = agents.serve(node.name, of_images={TWO: Pulls()})
    made = lists(image_list(ONE, TWO, selector=nodes.selector, completionPolicy={"ttlSecondsAfterFinished": 1}))
    made.until(lambda status: status.get("completed") == 1, what="one has ended")
    there = made.children()

    agent.says(Succeeds(), image=TWO)
    made.until_gone(timeout_seconds=30)

    assert {ONE, TWO} == set(there)
    assert [] == [one for one in there.values() if "ttlSecondsAfterFinished" in one["spec"]["completionPolicy"]]
    assert 1 == len(agent.begun_of(ONE))
    for child in there.values():
        JobOnServer(deployed, made.namespace, child["metadata"]["name"]).until_gone(timeout_seconds=20)


def test_jobs_that_are_orphaned_stay(deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, lists: Lists) -> None:
    """With `kubectl delete --cascade=orphan`, whose garbage collector is played here, each goes on by itself."""
    (node,) = nodes()
    agents.serve(node.name)
    made = lists(image_list(ONE, TWO, kind="Never", selector=nodes.selector))
    made.until(lambda status: said(status, "Ready") == "True", what="is ready")
    there = made.children()

    deployed.kubectl("delete", "imagelistpulljob", made.name, "-n", made.namespace, "--cascade=orphan", "--wait=false")
    jobs = [JobOnServer(deployed, made.namespace, child["metadata"]["name"]) for child in there.values()]
    for each in jobs:
        path = f"/apis/apps.kruise.io/v1beta1/namespaces/{made.namespace}/imagepulljobs/{each.name}"
        deployed.request("PATCH", path, {"metadata": {"ownerReferences": None}})
    path = f"/apis/apps.kruise.io/v1beta1/namespaces/{made.namespace}/imagelistpulljobs/{made.name}"
    deployed.request("PATCH", path, {"metadata": {"finalizers": None}})
    made.until_gone()
    other = lists(image_list(THREE, selector=nodes.selector))
    other.ended()

    assert [True, True] == [each.find() is not None for each in jobs]
    for each in jobs:
        each.delete()


def test_a_name_that_is_taken_is_said_and_free_again_used(
    nodes: Nodes, agents: ScriptedAgents, lists: Lists, jobs: Jobs
) -> None:
    """The other images go on meanwhile."""
    (node,) = nodes()
    agents.serve(node.name)
    made = lists(image_list(ONE, selector=nodes.selector))
    made.ended()
    taken = jobs(job("registry.test/else:v1", selector=nodes.selector), name=job_name(made.name, image=TWO))

    made.edit({"images": [THREE, TWO, ONE]})
    status = made.until(lambda status: said(status, "Stalled") == "True", what="is stalled")
    warning = made.until_event(lambda event: event["reason"] == "FailedCreate")
    taken.delete()
    mended = made.ended()

    assert "JobsRefused" == reason(status, "Stalled")
    assert "is there already and belongs to no ImageListPullJob" in warning["note"]
    assert [TWO] == [one["name"] for one in status["failedImageStatuses"]]
    assert 2 == status["succeeded"]
    assert (3, 0, 3, 3) == counts(mended)
