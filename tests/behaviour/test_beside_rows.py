"""
Each combination of Prewarm and OpenKruise in one cluster, on CRDs like those of 1.6, 1.8 and 1.9.

A stand-in has OpenKruise's part: its manager, the Lease that it renews, and its webhooks over HTTPS. The agent of a
node is real, its runtime scripted. What changes from one to another is test_beside_changes.py's; two daemons on one
node are test_agent_other_daemon.py's.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from daemon.beside.verdict import Row
from tests.behaviour.openkruise.cluster import SHAPES, Cluster, Shape, install, remove
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import StartCoordinator
from tests.servers.objects import Json
from tests.servers.openkruise import crds as theirs
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.openkruise.manager_lease import ManagerLease
from tests.servers.openkruise.manager_objects import Release
from tests.servers.openkruise.webhook_rules import Gates
from tests.servers.openkruise.webhooks import Webhooks
from tests.servers.processes import until
from tests.servers.scripted_cri import ScriptedCri


IMAGE: Final = "registry.test/app:v1"
VERSIONS: Final = {"1.6": ("v1alpha1",), "1.8": ("v1alpha1",), "1.9": ("v1alpha1", "v1beta1")}
OF_THE_RELEASE: Final = {
    "1.6": SHAPES["like-1.6"],
    "1.8": Shape(crds=theirs.crds("1.8"), release=Release.V1_6),
    "1.9": SHAPES["like-1.9"],
}


@pytest.fixture(scope="module", params=list(OF_THE_RELEASE))
def release(request: pytest.FixtureRequest, apiserver: ApiServer) -> Iterator[str]:
    """Each release of OpenKruise in turn, by its CRDs; daemonset.yaml is there, but for its own."""
    name: str = request.param
    install(apiserver, OF_THE_RELEASE[name])
    yield name
    remove(apiserver, OF_THE_RELEASE[name])


@pytest.fixture(scope="module")
def deployed(apiserver: ApiServer, release: str) -> ApiServer:
    """The module's API server, with a release's CRDs."""
    assert release
    return apiserver


@pytest.fixture
def cluster(apiserver: ApiServer, release: str, namespace: str) -> Cluster:
    """The cluster in the version of the API that the release speaks."""
    return Cluster(apiserver, release=OF_THE_RELEASE[release].release, namespace=namespace)


@pytest.fixture
def node(cluster: Cluster, names: Names, tmp_path: Path) -> Iterator[str]:
    """A node with an agent of ours."""
    name = names("node")
    cluster.create_node(name)
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="pw-cri-")))
        runtime = running.enter_context(ScriptedCri(folder / "cri.sock"))
        agent = AgentProcess(cluster.apiserver, tmp_path / name, node_name=name, endpoint=runtime.endpoint)
        running.enter_context(agent)
        yield name
    cluster.delete_node(name)


@pytest.fixture
def webhooks(apiserver: ApiServer, release: str) -> Iterator[Webhooks]:
    """OpenKruise's webhooks with its gates as they are by default."""
    with Webhooks(apiserver, versions=VERSIONS[release], gates=Gates()) as webhooks:
        yield webhooks


@pytest.fixture
def lease(apiserver: ApiServer) -> Iterator[ManagerLease]:
    """The Lease of OpenKruise's manager, renewed."""
    with ManagerLease(apiserver) as lease:
        yield lease


def until_row(coordinator: CoordinatorProcess, row: Row) -> Json:
    """Return what a coordinator says of OpenKruise, once it is this."""
    found: Json = {}

    def is_seen() -> bool:
        found.update(coordinator.state()["beside"] or {})
        return found.get("row") == row

    try:
        until(is_seen, what=f"{coordinator.name} sees {row}", timeout_seconds=30)
    except TimeoutError as error:
        error.add_note(f"last: {found}")
        raise
    return found


def refused(cluster: Cluster, node: str) -> str:
    """Return the words with which a job is refused, "" where it is not."""
    try:
        cluster.create_job("refused", image=IMAGE, node=node)
    except ApiFailed as error:
        message: str = error.body["message"]
        return message
    return ""


def writers(cluster: Cluster, node: str) -> set[str]:
    """Return who has written into a NodeImage."""
    return {one["manager"].partition("/")[0] for one in cluster.read(node)["metadata"]["managedFields"]}


def test_ours_alone_leads_at_once(start_coordinator: StartCoordinator, cluster: Cluster, node: str) -> None:
    """Nothing is waited for where OpenKruise has left its CRDs and nothing else, and jobs are served."""
    coordinator = start_coordinator()
    coordinator.until_leading()

    cluster.create_job("j", image=IMAGE, node=node)
    status = cluster.completed("j")

    assert (1, 1, 0) == (status["desired"], status["succeeded"], status["failed"])
    assert (False, [], []) == (
        until_row(coordinator, Row.ALONE)["stands_aside"],
        coordinator.told("beside_openkruise"),
        coordinator.state()["beside"]["ways"],
    )


def test_its_manager_with_our_agent(
    start_coordinator: StartCoordinator,
    cluster: Cluster,
    release: str,
    node: str,
    webhooks: Webhooks,
    lease: ManagerLease,
) -> None:
    """Its manager serves the jobs through our agent, and our coordinator stands aside: it leads nothing and says so."""
    webhooks.gates = Gates(image_pull_job=True)
    coordinator = start_coordinator()
    client = manager_client(cluster.apiserver)
    with Manager(client, release=OF_THE_RELEASE[release].release) as manager:
        manager.start()
        cluster.create_job("j", image=IMAGE, node=node)
        status = cluster.completed("j")
        found = until_row(coordinator, Row.THEIR_MANAGER)
        manager.stop()
        cluster.delete_job("j")
        manager.reconcile_jobs()

    assert (1, 1, 0) == (status["desired"], status["succeeded"], status["failed"])
    assert {"kruise-manager", "prewarm-agent"} == writers(cluster, node)
    assert (True, 2) == (found["stands_aside"], len(found["ways"]))
    assert (False, 200, 1.0) == (
        coordinator.is_holder,
        coordinator.get("/readyz")[0],
        coordinator.metric("prewarm_coordinator_stands_aside", row="their-manager"),
    )
    lines = [line for line in coordinator.told("beside_openkruise") if line["row"] == Row.THEIR_MANAGER]
    assert [found["ways"]] == [line["ways"] for line in lines]


def test_its_manager_with_the_gate_off(
    start_coordinator: StartCoordinator, cluster: Cluster, names: Names, webhooks: Webhooks, lease: ManagerLease
) -> None:
    """Its default: it leads and refuses every job. Our coordinator stands aside, in the words of the refusal."""
    coordinator = start_coordinator()

    words = refused(cluster, names("node"))
    found = until_row(coordinator, Row.THEIR_MANAGER_REFUSES)

    gate = "feature-gate ImagePullJobGate is not enabled"
    assert [True, True] == [gate in words, gate in found["summary"]]
    assert (True, False, 2) == (found["stands_aside"], coordinator.is_holder, len(found["ways"]))
    assert "featureGates=ImagePullJobGate=true" in found["ways"][0]


def test_leftover_webhooks(
    start_coordinator: StartCoordinator, cluster: Cluster, node: str, webhooks: Webhooks
) -> None:
    """Nobody serves and no job can be written; ours leads, says so, and the first way out that it names is one."""
    webhooks.leave()
    coordinator = start_coordinator()
    coordinator.until_leading()

    words = refused(cluster, node)
    found = until_row(coordinator, Row.LEFTOVER_WEBHOOKS)
    program, *arguments = found["ways"][0].rpartition(": ")[2].split()
    cluster.apiserver.kubectl(*arguments)
    until(lambda: not refused(cluster, node), what="a job is taken", timeout_seconds=30)

    assert ("kubectl", False) == (program, found["stands_aside"])
    assert 'failed calling webhook "mimagepulljob.kb.io"' in words
    assert "mimagepulljob.kb.io" in found["summary"]
    assert 1 == cluster.completed("refused")["succeeded"]
