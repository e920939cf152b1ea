"""Both daemons on one node of a cluster with OpenKruise's manager, on whichever CRDs are there."""

from tests.behaviour.openkruise.cluster import DEADLINE_SECONDS, Cluster, Shape
from tests.behaviour.openkruise.conftest import StartAgent
from tests.servers.containerd import Containerd
from tests.servers.images import Push
from tests.servers.openkruise.daemon import Daemon
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


def test_a_job_completes_with_both_daemons_on_its_node(
    cluster: Cluster,
    shape: Shape,
    manager: Manager,
    node: str,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
) -> None:
    """Each layer travels once, and our agent tells of the other also where the CRDs drop its condition."""
    image = push("shared", tag="v1", layers=[1 << 20] * 2).at(faults.host)
    faults.limit(1_000_000)
    agent = start_agent(node)
    manager.start()
    client = manager_client(cluster.apiserver, user_agent="kruise-daemon/v1.9.0")
    with Daemon(client, node=node, endpoint=containerd.endpoint, release=shape.release) as daemon:
        cluster.create_job("j", image=image.reference, node=node)
        status = cluster.completed("j")
        until(
            lambda: daemon.phase(image.key, image.tag) == "Succeeded" and agent.metric("prewarm_other_daemon") == 1,
            what="both see the image, and ours the other",
            timeout_seconds=DEADLINE_SECONDS,
        )
        events = cluster.apiserver.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"]

    asked = [len(faults.traffic.requests(Kind.BLOB, reference=layer.digest, method="GET")) for layer in image.layers]
    assert (1, 1, 0) == (status["desired"], status["succeeded"], status["failed"])
    assert [1] * len(image.layers) == asked
    assert "OtherDaemon" in [one["reason"] for one in events if one["regarding"]["name"] == node]
