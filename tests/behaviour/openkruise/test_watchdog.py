"""OpenKruise's watchdog writes whole statuses without our fields; the agent mends them, and does not fight."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from tests.behaviour.openkruise.cluster import Cluster, Json, Shape
from tests.behaviour.openkruise.conftest import StartAgent
from tests.servers.faults import Fault, Hang
from tests.servers.images import Push, PushedImage
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.openkruise.manager_pace import Limits
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


FAILED = "pulling exceeds the activeDeadlineSeconds"
# Ten seconds, less what a watchdog's pass and a test's look take.
MEND_AGAIN_SECONDS = 9.0


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A node with an image that it has, and another whose pull hangs."""

    node: str
    here: PushedImage
    open: PushedImage


@pytest.fixture
def impatient(cluster: Cluster, shape: Shape) -> Iterator[Manager]:
    """A manager whose watchdog gives no time at all."""
    limits = Limits(response_seconds=-1e9)
    with Manager(manager_client(cluster.apiserver), release=shape.release, limits=limits) as manager:
        yield manager


@pytest.fixture
def scene(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push, faults: FaultProxy
) -> Scene:
    """Granted by a patient manager and told by the agent."""
    here, held = push("here", tag="v1"), push("open", tag="v1", seed=1).at(faults.host)
    faults.add(Fault(Hang(), kind=Kind.BLOB))
    start_agent(node)
    manager.reconcile_node_images()
    manager.reconcile_node_images()
    cluster.create_job("here", image=here.reference, node=node)
    manager.reconcile_jobs()
    cluster.said(node, image=here.reference, phase="Succeeded")
    bounds = {"type": "Always", "activeDeadlineSeconds": 3600}
    cluster.create_job("open", image=held.reference, node=node, completionPolicy=bounds)
    manager.reconcile_jobs()
    cluster.said(node, image=held.reference, phase="Pulling")
    return Scene(node=node, here=here, open=held)


def told(cluster: Cluster, scene: Scene) -> Json:
    """Return what is said of the node, but for when."""
    status: Json = cluster.read(scene.node)["status"]
    status.get("prewarm", {}).get("agent", {}).pop("reportedAt", None)
    return status


def status_writes(manager: Manager, scene: Scene) -> int:
    """Count the statuses of the node that a manager wrote."""
    paths = [write.path for write in manager.writes if write.code == 200]
    return sum(1 for path in paths if path.endswith(f"nodeimages/{scene.node}/status"))


def test_what_a_whole_status_loses_is_said_again(cluster: Cluster, impatient: Manager, scene: Scene) -> None:
    """Conditions and all, of the image that is here too; on CRDs that know them."""
    before = told(cluster, scene)

    impatient.watchdog()
    assert 1 == status_writes(impatient, scene)
    cluster.said(scene.node, image=scene.open.reference, phase="Pulling")

    assert before == told(cluster, scene)


def test_a_failure_that_the_watchdog_wrote_gives_way_to_what_the_node_says(
    cluster: Cluster, manager: Manager, impatient: Manager, scene: Scene, faults: FaultProxy
) -> None:
    """The pull goes on, and its end is the job's."""
    impatient.watchdog()
    cluster.said(scene.node, image=scene.open.reference, phase="Pulling")

    faults.release()
    cluster.said(scene.node, image=scene.open.reference, phase="Succeeded")
    manager.start()

    assert (1, 0) == (cluster.completed("open")["succeeded"], cluster.completed("open")["failed"])


def test_a_watchdog_that_insists_is_answered_each_ten_seconds_at_most(
    cluster: Cluster, impatient: Manager, scene: Scene, faults: FaultProxy
) -> None:
    """The first time at once; whoever is right, the API server is not to suffer."""
    impatient.start()
    until(lambda: status_writes(impatient, scene) >= 2, what="a second failure", timeout_seconds=10)
    began = time.monotonic()

    until(lambda: status_writes(impatient, scene) >= 3, what="a third failure", timeout_seconds=30)
    took_seconds = time.monotonic() - began
    impatient.stop()

    assert took_seconds >= MEND_AGAIN_SECONDS
    faults.release()
    cluster.said(scene.node, image=scene.open.reference, phase="Succeeded")
