"""
The whole story on real nodes: the article's job, the night after it, and nodes that come, stay closed, open and go.

Nothing is faked: daemonset.yaml as it is, the scheduler, the controllers and the garbage collector of Kubernetes, and
kubelets whose own words say whether they pulled.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

import pytest

from tests.cluster.conftest import PushApp
from tests.cluster.ours import COMPONENT, Ours
from tests.cluster.story import (
    PATIENT_SECONDS,
    Apply,
    Join,
    MakePod,
    apply,
    built,
    cordoned,
    drain,
    is_placed,
    is_unschedulable,
    join,
    kept,
    network,
    node_of,
    opened_cold,
    pods,
    renew,
    until_pulled,
)
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.pods import PRESENT, PULLING, image_id
from tests.servers.cluster.product import NAMESPACE, Product
from tests.servers.faults import Fault, Hang
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import counted, said, skips, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.nodes import GATE, NodeOnServer
from tests.servers.processes import until
from tests.servers.traffic import Kind


# The overlay without a Deployment has some of this too: test_daemonset_only.py.
__all__ = ["PATIENT_SECONDS", "Apply", "apply", "join", "kept", "network", "pods"]

COORDINATOR: Final = "prewarm-coordinator"
DEPLOYMENT: Final = f"deployment/{COORDINATOR}"
GATE_DEADLINE_SECONDS: Final = 15

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def ours(cluster: LabCluster) -> Ours:
    """Prewarm's own Pods."""
    return Ours(cluster)


@pytest.fixture
def short_deadline(cluster: LabCluster, product: Product) -> Iterator[None]:
    """Have the coordinators open a node so long after its creation, as a person would set it."""
    change = ("set", "env", "--namespace", NAMESPACE, DEPLOYMENT)
    cluster.apiserver.kubectl(*change, f"PREWARM_GATE_DEADLINE={GATE_DEADLINE_SECONDS}")
    product.until_up()
    yield
    cluster.apiserver.kubectl(*change, "PREWARM_GATE_DEADLINE-")
    product.until_up()


def coordinators(ours: Ours) -> dict[str, str]:
    """Return the node of each coordinator's Pod."""
    return {
        name: node_of(pod) for name, pod in ours.pods().items() if COORDINATOR == pod["metadata"]["labels"][COMPONENT]
    }


def leaving_coordinators(cluster: LabCluster) -> list[str]:
    """Return the names of the coordinator's Pods that are being deleted."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/name%3Dprewarm-coordinator"
    found = cluster.apiserver.request("GET", path)["items"]
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" in pod["metadata"]]


def status_in_the_coordinators_pod(cluster: LabCluster) -> dict[str, list[str]]:
    """
    Return the rows of `prewarm status -A` by the job's name, as the documents have it asked.

    kubectl takes any of the Deployment's Pods: after another test's rollout one may still be on its way out.
    """
    until(lambda: not leaving_coordinators(cluster), what="no coordinator is leaving", timeout_seconds=60)
    words = ("exec", "--namespace", NAMESPACE, DEPLOYMENT, "--", "prewarm", "status", "-A")
    heading, *rows = (line.split() for line in cluster.apiserver.kubectl(*words).splitlines())
    assert ["NAMESPACE", "NAME", "READY", "PULLING"] == heading[:4]
    return {row[1]: row[2:] for row in rows}


def test_the_job_warms_every_node_and_pods_start_without_a_pull(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, pods: MakePod
) -> None:
    """Each node has the image, the job says so, and each kubelet finds it on its machine."""
    image = built(push, names("base"))

    job = apply(image)
    cluster.apiserver.kubectl("wait", "--for=condition=Ready", "imagepulljob/base-image-job", "--timeout=60s")
    status = job.status
    started = {name: pods(image, node=name) for name in cluster.nodes}
    told = {name: until_pulled(pod) for name, pod in started.items()}

    assert dict.fromkeys(cluster.nodes, image.digest) == kept(cluster, image)
    assert (3, 0, 3, 0) == totals(status)
    assert (3, 0, 0, 0) == counted(status)
    assert all(PRESENT in word for word in told.values()), told
    assert [] == [note for pod in started.values() for note in pod.notes(PULLING)]
    assert dict.fromkeys(cluster.nodes, image.reference_by_digest) == {
        name: image_id(pod.read()) for name, pod in started.items()
    }


def test_after_a_renewal_pods_run_what_the_tag_has_become(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, pods: MakePod
) -> None:
    """With Always the kubelet asks the registry for the tag and has all of it; with IfNotPresent it asks nothing."""
    old = built(push, names("base"))
    job = apply(old)
    warm = job.until_ready(nodes=3)

    new = built(push, old.repository)
    before = kept(cluster, old)
    renew(cluster, job, after=warm)
    job.until(
        lambda status: (
            [(new.digest, 3)] == [(one["digest"], one["nodes"]) for one in status["prewarm"].get("digests", [])]
        ),
        what="every node has the new image",
    )
    renewed = kept(cluster, new)
    downloaded = cluster.network.traffic.blob_bytes()
    asking = [pods(new, node=name, policy="Always") for name in cluster.nodes]
    content = [pods(new, node=name) for name in cluster.nodes]
    told = [until_pulled(pod) for pod in content]
    ran = {image_id(pod.until_running(timeout_seconds=PATIENT_SECONDS)) for pod in (*asking, *content)}

    assert dict.fromkeys(cluster.nodes, old.digest) == before
    assert dict.fromkeys(cluster.nodes, new.digest) == renewed
    assert {new.reference_by_digest} == ran
    assert all(PRESENT in word for word in told), told
    assert 3 * new.layers[1].size_bytes == cluster.network.traffic.bytes_of(new.layers[1].digest)
    assert downloaded == cluster.network.traffic.blob_bytes()


@pytest.mark.usefixtures("network")
def test_a_waiting_pod_starts_on_a_new_node_once_its_image_is_there(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, join: Join, pods: MakePod
) -> None:
    """No other node fits it. The agent starts on the closed node; the Pod only when it opens, and pulls nothing."""
    image = built(push, names("base"), size_bytes=64 << 10)
    job = apply(image)
    job.edit({"prewarm": {"gate": True}})
    job.until_ready(nodes=3)
    name = names("node")
    pod = pods(image, node=name)
    pod.until(is_unschedulable, what="has no node")
    layer = image.layers[1].digest
    cluster.network.add(Fault(Hang(after_bytes=1024), kind=Kind.BLOB, reference=layer))
    before = cluster.network.traffic.bytes_of(layer)

    join(name)
    until(
        lambda: cluster.network.traffic.bytes_of(layer) > before,
        what="the new node pulls",
        timeout_seconds=PATIENT_SECONDS,
    )
    node = NodeOnServer(cluster.apiserver, name)
    was_ready, was_closed = said(node.read()["status"], "Ready"), node.has_taint(GATE)
    waited = node_of(pod.read()) == ""
    cluster.network.clear()
    job.until_ready(nodes=4, timeout_seconds=PATIENT_SECONDS)
    node.until_untainted(GATE)
    told = until_pulled(pod)

    assert ("True", True, True) == (was_ready, was_closed, waited)
    assert (name, image.reference_by_digest) == (node_of(pod.read()), image_id(pod.read()))
    assert PRESENT in told
    assert [] == pod.notes(PULLING)


def test_where_every_node_is_closed_the_coordinators_start_and_open_one(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, join: Join, pods: MakePod, ours: Ours
) -> None:
    """Both are gone, and the closed node is the only one left for them."""
    image = built(push, names("base"))
    job = apply(image)
    job.edit({"prewarm": {"gate": True}})
    job.until_ready(nodes=3)
    name = names("node")
    pod = pods(image, node=name)

    with cordoned(cluster, *cluster.nodes):
        cluster.apiserver.kubectl("delete", "pods", "--namespace", NAMESPACE, f"--selector={COMPONENT}={COORDINATOR}")
        join(name)
        told = until_pulled(pod)
        led = ours.until_led()
        started = coordinators(ours)

    assert name == started[led]
    assert not NodeOnServer(cluster.apiserver, name).has_taint(GATE)
    assert PRESENT in told
    assert [] == pod.notes(PULLING)


@pytest.mark.usefixtures("short_deadline", "network")
def test_with_the_registry_dead_a_new_node_opens_at_the_deadline(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, join: Join, pods: MakePod
) -> None:
    """Not even the agent can start there. The node takes Pods all the same, and gets well when the registry does."""
    image = built(push, names("base"))
    job = apply(image)
    job.edit({"prewarm": {"gate": True}})
    job.until_ready(nodes=3)
    name = names("node")
    pod = pods(image, node=name)

    cluster.network.refuse()
    try:
        join(name)
        created = NodeOnServer(cluster.apiserver, name).read()
        placed = pod.until(is_placed, what="is placed", timeout_seconds=PATIENT_SECONDS)
        (told,) = until(lambda: opened_cold(cluster, name), what="an event about the node", timeout_seconds=60)
    finally:
        cluster.network.accept()
    pod.until_running(timeout_seconds=PATIENT_SECONDS)
    job.until_ready(nodes=4, timeout_seconds=PATIENT_SECONDS)

    begun = dt.datetime.fromisoformat(created["metadata"]["creationTimestamp"])
    assert GATE in [taint["key"] for taint in created["spec"]["taints"]]
    assert GATE_DEADLINE_SECONDS <= (dt.datetime.fromisoformat(told["eventTime"]) - begun).total_seconds()
    assert "default/base-image-job" in told["note"]
    assert name == node_of(placed)


def test_a_drain_moves_the_coordinator_and_the_node_keeps_getting_its_images(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, ours: Ours, product: Product
) -> None:
    """The one that led goes, another leads, and a cordoned node counts as before: its agent is there."""
    led = ours.until_led(timeout_seconds=PATIENT_SECONDS)
    name = coordinators(ours)[led]

    with cordoned(cluster, name):
        drain(cluster, name)
        leads = ours.until_led(but=led, timeout_seconds=PATIENT_SECONDS)
        product.until_up()
        moved = coordinators(ours)
        image = built(push, names("base"))
        status = apply(image).until_ready(nodes=3, timeout_seconds=PATIENT_SECONDS)
        there = kept(cluster, image)

    assert leads in moved
    assert (2, False, False) == (len(moved), led in moved, name in moved.values())
    assert (3, 0, 0, 0) == counted(status)
    assert image.digest == there[name]


def test_a_node_that_leaves_is_skipped_and_its_nodeimage_goes_with_it(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, join: Join, product: Product, ours: Ours
) -> None:
    """The autoscaler's word is enough to leave it out; and Kubernetes itself removes what was the node's."""
    job = apply(built(push, names("base")))
    name = names("node")
    join(name, closed=False)
    job.until_ready(nodes=4, timeout_seconds=PATIENT_SECONDS)
    scale = ("scale", "--namespace", NAMESPACE, DEPLOYMENT)

    cluster.apiserver.kubectl("cordon", name)
    NodeOnServer(cluster.apiserver, name).taint("ToBeDeletedByClusterAutoscaler")
    skipped = job.until(lambda status: "NodeLeaving" in skips(status), what="leaves the node out")
    try:
        cluster.apiserver.kubectl(*scale, "--replicas=0")
        until(lambda: not coordinators(ours), what="no coordinator", timeout_seconds=PATIENT_SECONDS)
        cluster.leave(name)
        NodeImageOnServer(cluster.apiserver, name).until_gone()
    finally:
        cluster.apiserver.kubectl(*scale, "--replicas=2")
        product.until_up()
    left = job.until(lambda status: counted(status) == (3, 0, 0, 0), what="counts three", timeout_seconds=60)

    assert {"NodeLeaving": [name]} == skips(skipped)
    assert 3 == skipped["desired"]
    assert (3, 0, 0, 1) == counted(skipped)
    assert (3, 0, 3, 0) == totals(left)


@pytest.mark.usefixtures("network")
def test_status_is_told_in_the_coordinators_pod(cluster: LabCluster, push: PushApp, names: Names, apply: Apply) -> None:
    """By kubectl exec, with its own account: who pulls while it lasts, and that all is well."""
    image = built(push, names("base"), size_bytes=256 << 10)
    cluster.network.limit(1024)
    job = apply(image)
    job.until(lambda status: status.get("prewarm", {}).get("pulling") == 3, what="is pulled on every node")

    meanwhile = status_in_the_coordinators_pod(cluster)[job.name]
    cluster.network.clear()
    job.until_ready(nodes=3)
    afterwards = status_in_the_coordinators_pod(cluster)[job.name]

    assert ["0/3", "3", "0", "0", "3"] == meanwhile[:5]
    assert ["3/3", "0", "0", "0", "0"] == afterwards[:5]
