"""What a running coordinator shows: health, metrics, state, its log, and the events of jobs; and on loose CRDs."""

from typing import Final

import pytest

from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import job
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents


IMAGE: Final = "registry.test/app:v1"
QUIET_LOOKS: Final = 3


@pytest.fixture
def label(namespace: str) -> str:
    """The beginning of the label of this test's jobs."""
    return f"{namespace}/"


def _of(name: str, shown: list[Json]) -> Json:
    return next((found for found in shown if found["name"] == name), {})


def test_a_leader_shows_its_jobs_with_their_nodes(
    coordinator: CoordinatorProcess, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, label: str
) -> None:
    """In /state and in /metrics the same figures, which go with the job."""
    three = nodes(3)
    agents.serve(three[0].name, Pulls())
    agents.serve(three[1].name, Pulls())

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=3))
    shown = coordinator.until_state(
        lambda state: _of(made.name, state["jobs"]).get("turns", {}).get("pulling") == 2, what="two nodes pull"
    )
    cold = coordinator.metric("prewarm_job_nodes", imagepulljob=f"{label}{made.name}", state="cold")
    made.delete()

    found = _of(made.name, shown["jobs"])
    assert (IMAGE, "active", 3, 3) == (found["image"], found["course"], found["limit"], found["holding"])
    assert {"warm": 0, "stale": 0, "cold": 3, "skipped": 0} == found["nodes"]
    assert 3 == cold
    assert 2 <= shown["cluster"]["agents_by_version"]["test"]
    assert three[2].name in shown["cluster"]["nodes_without_agent"]["first"]
    coordinator.until_state(lambda state: not _of(made.name, state["jobs"]), what="the job is gone")
    assert 0 == coordinator.metric("prewarm_job_nodes", imagepulljob=f"{label}{made.name}")


def test_a_stalled_job_is_told_everywhere(
    coordinator: CoordinatorProcess, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, label: str
) -> None:
    """A metric to alert on, an event for `kubectl describe`, a line of the log, all with the reason."""
    (node,) = nodes()
    agents.serve(node.name, Fails("ImageNotFound", "no such tag"))

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    event = made.until_event(lambda found: found["reason"] == "Stalled")
    name = f"{label}{made.name}"
    until(
        lambda: coordinator.metric("prewarm_job_stalled", imagepulljob=name, reason="ImageNotFound") == 1,
        what="the metric",
        timeout_seconds=10,
    )

    words = f"1 of 1 nodes failed: 1 ImageNotFound ({node.name}: no such tag)"
    assert ("Warning", f"ImageNotFound: {words}") == (event["type"], event["note"])
    assert f"job is stalled, progress 100.0%: ImageNotFound: {words}" == made.status["message"]
    assert [name] == [line["job"] for line in coordinator.told("job_stalled") if line["job"] == name]


def test_a_job_that_selects_nothing_is_a_warning(coordinator: CoordinatorProcess, jobs: Jobs, label: str) -> None:
    """OpenKruise's completes in silence (8.2 number 3)."""
    made = jobs(job(IMAGE, selector={"names": ["no-such-node"]}))
    status = made.ended()
    event = made.until_event(lambda found: found["reason"] == "NoNodesSelected")

    assert "job has completed, no node is selected" == status["message"]
    assert ("Warning", "prewarm.internal/coordinator") == (event["type"], event["reportingController"])
    ends = [line for line in coordinator.told("job_finished") if line["job"] == f"{label}{made.name}"]
    assert ["NoNodesSelected"] == [line["reason"] for line in ends]


def test_a_job_is_begun_and_finished_in_the_log(
    coordinator: CoordinatorProcess, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, label: str
) -> None:
    """Once each, with the counts."""
    (node,) = nodes()
    agents.serve(node.name)

    made = jobs(job(IMAGE, selector=nodes.selector))
    made.ended()
    until(lambda: bool(_lines(coordinator, "job_finished", f"{label}{made.name}")), what="the line", timeout_seconds=10)

    (end,) = _lines(coordinator, "job_finished", f"{label}{made.name}")
    assert ("Finished", 1, 1, 0) == (end["reason"], end["selected"], end["warm"], end["failed"])
    assert 1 == len(_lines(coordinator, "job_began", f"{label}{made.name}"))


def test_one_that_stands_by_is_ready_and_says_who_leads(
    coordinator: CoordinatorProcess, start_coordinator: StartCoordinator
) -> None:
    """It knows nothing of the cluster, and shows nothing of it."""
    standby = start_coordinator()
    standby.until_ready()
    state = standby.until_state(lambda found: bool(found["leader"]["identity"]), what="knows who leads")

    assert {"identity": coordinator.name, "is_self": False, "since": None} == state["leader"]
    assert (None, None) == (state["jobs"], state["cluster"])
    assert (0, 1) == tuple(each.metric("prewarm_coordinator_leader") for each in (standby, coordinator))
    assert "prewarm_jobs{" not in standby.get("/metrics")[1]
    assert (200, "ok\n") == standby.get("/healthz")


def test_a_job_on_which_nothing_moves_is_not_written(
    coordinator: CoordinatorProcess, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """However often its counts are looked at meanwhile, for other jobs too."""
    (node,) = nodes()
    agents.serve(node.name, Pulls(done=1, total=2))
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    made.until(lambda status: status.get("prewarm", {}).get("pulling") == 1, what="pulls")
    before = made.read()["metadata"]["resourceVersion"]

    for _ in range(QUIET_LOOKS):
        jobs(job(IMAGE, selector={"names": ["no-such-node"]})).ended()
        coordinator.until_counted_again()

    assert before == made.read()["metadata"]["resourceVersion"]


def _lines(coordinator: CoordinatorProcess, event: str, name: str) -> list[Json]:
    return [line for line in coordinator.told(event) if line["job"] == name]
