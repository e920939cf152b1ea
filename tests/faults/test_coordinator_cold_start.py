"""A coordinator that starts before our kinds or its rights are there: it says so, and goes on when they come."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import job, said, totals
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_agents import ScriptedAgents


IMAGE = "registry.test/app:v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
WIDE = f"{RBAC}/clusterrolebindings/prewarm-coordinator"
LEASE = f"{RBAC}/namespaces/prewarm-system/rolebindings/prewarm-coordinator"


@contextlib.contextmanager
def without(apiserver: ApiServer, binding: str) -> Iterator[None]:
    """Take the rights that a binding gives for a while."""
    found = apiserver.request("GET", binding)
    apiserver.request("DELETE", binding)
    until(lambda: not may_ask(apiserver, binding), what="the rights are gone", timeout_seconds=30)
    try:
        yield
    finally:
        body: Json = {key: found[key] for key in ("roleRef", "subjects")}
        collection, _, name = binding.rpartition("/")
        apiserver.request("POST", collection, {**body, "metadata": {"name": name}})


def may_ask(apiserver: ApiServer, binding: str) -> bool:
    """Tell whether the coordinator's account has what a binding gives."""
    lease = {"verb": "get", "group": "coordination.k8s.io", "resource": "leases", "name": "prewarm-coordinator"}
    wide = {"verb": "list", "group": "apps.kruise.io", "resource": "imagepulljobs"}
    attributes = {**lease, "namespace": "prewarm-system"} if binding == LEASE else wide
    user = "system:serviceaccount:prewarm-system:prewarm-coordinator"
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    answer = apiserver.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    allowed: bool = answer["status"]["allowed"]
    return allowed


def until_told(process: CoordinatorProcess, *words: str) -> str:
    """Return what /readyz says once it is 503 with these words; /healthz has to be content."""
    until(
        lambda: (answer := process.get("/readyz"))[0] == 503 and all(word in answer[1] for word in words),
        what=f"/readyz says {' '.join(words)}",
        timeout_seconds=60,
    )
    assert 200 == process.get("/healthz")[0]
    return process.get("/readyz")[1]


def completes(nodes: Nodes, jobs: Jobs, *, count: int) -> Json:
    """Have a job done on every Node."""
    status = jobs(job(IMAGE, selector=nodes.selector, parallelism=count)).ended(timeout_seconds=120)
    assert (count, 0, count, 0) == totals(status)
    assert "True" == said(status, "Complete")
    return status


def test_a_coordinator_waits_for_its_kinds_and_survives_their_loss(
    deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, start_coordinator: StartCoordinator
) -> None:
    """Started before the CRDs are there it leads and waits; taken away and brought back, they are served again."""
    three = nodes(3)
    crds.remove(deployed, crds.ours())
    process = start_coordinator("one")
    until(lambda: process.is_holder, what="it holds the Lease", timeout_seconds=60)
    until_told(process, "imagepulljobs", "NotFound")

    crds.install(deployed, crds.ours())
    for node in three:
        agents.serve(node.name)
    completes(nodes, jobs, count=3)
    process.until_ready()

    crds.remove(deployed, crds.ours())
    until_told(process, "NotFound")
    crds.install(deployed, crds.ours())
    completes(nodes, jobs, count=3)
    process.until_ready()
    told = [line["event"] for line in process.lines()]

    assert 1 == told.count("leadership_won")
    assert 2 <= told.count("watch_works_again") + told.count("term_began")
    assert "thread_died" not in told


@pytest.mark.parametrize(
    ("binding", "words", "event"),
    [(WIDE, ("Denied", "imagepulljobs"), "watch_failed"), (LEASE, ("Denied", "leases"), "lease_failed")],
    ids=["its wide rights", "the Lease"],
)
def test_a_coordinator_without_its_rights_says_which_and_waits_for_them(
    deployed: ApiServer,
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    start_coordinator: StartCoordinator,
    binding: str,
    words: tuple[str, ...],
    event: str,
) -> None:
    """/readyz and the log name the right that is missing; nobody has to restart it when it is given."""
    for node in nodes(3):
        agents.serve(node.name)
    with without(deployed, binding):
        process = start_coordinator("one")
        until_told(process, *words)
        told = process.told(event)

    process.until_leading(timeout_seconds=90)
    completes(nodes, jobs, count=3)

    assert any(words[1] in line["resource"] and line["error"] == "Denied" for line in told)
    assert 4 >= len(told)
