"""
Prewarm leaves real nodes as deploy/README.md and docs/agent.md say, in the middle of its work.

What is left on a node is looked at by containerd's own client, before anything of ours was there and after all went.
"""

import re
import time
from collections.abc import Iterator
from typing import Final

import pytest

from deploy.render import ROOT
from tests.behaviour.deploy_document import block, section, shell
from tests.cluster.conftest import PushApp
from tests.cluster.story import PATIENT_SECONDS, built
from tests.cluster.traces import Traces, has_pods, leased, traces
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import NAMESPACE, Product
from tests.servers.faults import Fault, Hang
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import PushedImage
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.processes import until


# Most of it is Kubernetes's own: it looks every ten to fifteen seconds whether a namespace is empty.
WITHIN_SECONDS: Final = 60.0
# A kubelet takes away the remains of dead Pods once a minute.
KUBELET_SECONDS: Final = 90.0
MIB: Final = 1 << 20
AGENT_DOCUMENT: Final = (ROOT / "docs/agent.md").read_text(encoding="utf-8")
DEBUG: Final = "kubectl debug node/"
DEBUGGERS: Final = "app.kubernetes.io/managed-by=kubectl-debug"
LEVEL: Final = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def bare(cluster: LabCluster) -> dict[str, Traces]:
    """What each node had before anything of ours came."""
    return found_on(cluster)


@pytest.fixture(scope="module")
def product(cluster: LabCluster, bare: dict[str, Traces]) -> Product:
    """Ours, which each test installs when it has use for it."""
    assert [*cluster.nodes] == [*bare]
    return Product(cluster)


@pytest.fixture
def half(cluster: LabCluster, push: PushApp, names: Names) -> Iterator[PushedImage]:
    """An image whose last layer stops half-way on every node, until the network is well."""
    image = built(push, names("half"), size_bytes=2 * MIB)
    cluster.network.add(Fault(Hang(after_bytes=MIB), reference=image.layers[-1].digest, times=None))
    yield image
    cluster.network.clear()


def found_on(cluster: LabCluster) -> dict[str, Traces]:
    """Look at every node."""
    return {name: traces(node) for name, node in cluster.nodes.items()}


def until_half(cluster: LabCluster, image: PushedImage) -> None:
    """Wait until every node has half of the layer that stops."""
    last, traffic = image.layers[-1].digest, cluster.network.traffic
    until(
        lambda: traffic.bytes_of(last) >= len(cluster.nodes) * MIB,
        what="halves are sent",
        timeout_seconds=PATIENT_SECONDS,
    )
    until(
        lambda: all(f"layer-{last}" in each.downloads for each in found_on(cluster).values()),
        what="every node has half of a layer",
        timeout_seconds=PATIENT_SECONDS,
    )


def on_each(cluster: LabCluster, *images: PushedImage) -> dict[str, list[str]]:
    """Return the names of these images for every node."""
    return {name: [image.reference for image in images] for name in cluster.nodes}


def until_leases(cluster: LabCluster, *images: PushedImage) -> None:
    """Wait until every node has a lease of ours for each of these images, and no other."""
    wanted = on_each(cluster, *images)
    until(lambda: wanted == leased(cluster), what=f"leases for {wanted}", timeout_seconds=PATIENT_SECONDS)


def until_no_pod_has_been(cluster: LabCluster) -> None:
    """Take away the Pods of our command, and wait until the kubelets have taken away all that Pods have left."""
    shell(f"kubectl delete pods --selector {DEBUGGERS}", cluster=cluster.apiserver)
    nodes = cluster.nodes.values()
    until(lambda: not any(map(has_pods, nodes)), what="no Pod has been", timeout_seconds=KUBELET_SECONDS)


def what_is_there(cluster: LabCluster, product: Product) -> str:
    """Return the names of the manifest's objects that the cluster has."""
    words = ("get", "--filename=-", "--ignore-not-found", "--output=name")
    return cluster.apiserver.kubectl(*words, stdin=product.manifest())


def uids_of(cluster: LabCluster, job: JobOnServer) -> dict[str, str]:
    """Return which job and which NodeImages these are."""
    images = {name: NodeImageOnServer(cluster.apiserver, name).read()["metadata"]["uid"] for name in cluster.nodes}
    return {job.name: job.uid, **images}


def warm(cluster: LabCluster, image: PushedImage) -> JobOnServer:
    """Create a job that keeps an image on every node."""
    made = JobOnServer(cluster.apiserver, "default", f"warm-{image.repository}")
    made.create(job(image.reference, kind="Never", parallelism=5))
    return made


def clean(node: str, *, cluster: LabCluster, product: Product) -> str:
    """Run the document's command on a node, by its own name and with our image, and return what it says."""
    text = AGENT_DOCUMENT.partition("\n## Leaving a node\n")[2].partition("\n## ")[0]
    command = re.sub(r"(?<=--image=)\S+", product.image, block(text, DEBUG).replace("worker-1", node))
    return shell(command, cluster=cluster.apiserver)


def test_of_all_nothing_is_left_on_the_nodes_but_images(
    cluster: LabCluster, product: Product, bare: dict[str, Traces], push: PushApp, names: Names, half: PushedImage
) -> None:
    """
    One image is there, one is withdrawn and one cut in the middle of its pulls; a lease that is left, clean takes off.

    Images are what containerd has more than before: without them, it has exactly what it had.
    """
    product.install()
    done, gone = built(push, names("done")), built(push, names("gone"), size_bytes=64 << 10)
    cluster.network.add(Fault(Hang(after_bytes=1024), reference=gone.layers[-1].digest, times=None))
    warm(cluster, done).until_ready(nodes=3, timeout_seconds=PATIENT_SECONDS)
    withdrawn = warm(cluster, gone)
    until_leases(cluster, gone)
    withdrawn.delete()
    until_leases(cluster)
    warm(cluster, half)
    until_half(cluster, half)
    until_leases(cluster, half)

    began_at = time.monotonic()
    product.remove()
    seconds = time.monotonic() - began_at
    for name in (name for name, images in leased(cluster).items() if images):
        clean(name, cluster=cluster, product=product)
    until_no_pod_has_been(cluster)
    kept = found_on(cluster)
    names_of_images = {name: {image.partition("@")[0] for image in each.images} for name, each in kept.items()}
    for node in cluster.nodes.values():
        node.ctr.run("images", "rm", "--sync", *kept[node.name].images)

    assert WITHIN_SECONDS >= seconds
    assert "" == what_is_there(cluster, product)
    assert [True] * 3 == [done.reference in found for found in names_of_images.values()]
    assert [set()] * 3 == [{gone.reference, half.reference} & found for found in names_of_images.values()]
    assert bare == {name: each.without_images(like=bare[name]) for name, each in kept.items()}
    assert bare == found_on(cluster)


def test_the_jobs_stay_when_the_software_goes_and_a_new_install_goes_on_with_them(
    cluster: LabCluster, product: Product, half: PushedImage
) -> None:
    """In the middle of pulls: what nodes hold of those is not downloaded again, but where clean has taken it."""
    product.install()
    job = warm(cluster, half)
    until_half(cluster, half)
    until_leases(cluster, half)
    uids = uids_of(cluster, job)
    layer = half.layers[-1]

    shell(block(section("Removing it"), "kubectl delete -f daemonset.yaml --selector"), cluster=cluster.apiserver)
    left = leased(cluster), uids_of(cluster, job)
    told = clean("node-1", cluster=cluster, product=product)
    cleaned = leased(cluster)
    cluster.network.clear()
    sent_before = cluster.network.traffic.bytes_of(layer.digest)
    product.install()
    job.until_ready(nodes=3, timeout_seconds=PATIENT_SECONDS)
    sent = cluster.network.traffic.bytes_of(layer.digest) - sent_before
    job.delete()

    assert (on_each(cluster, half), uids) == left
    assert "1 lease removed, " in told
    assert {**on_each(cluster, half), "node-1": []} == cleaned
    assert layer.size_bytes + 2 * (layer.size_bytes - MIB) == sent


def test_our_namespace_s_level_is_there_for_the_agents_alone(
    cluster: LabCluster, product: Product, names: Names
) -> None:
    """Under a stricter one they could not run, the coordinators could; a stranger's Pod is treated by its own's."""
    product.install()
    other = names("strict")
    relabel = f"kubectl label --overwrite namespace {{}} {LEVEL}={{}}"
    stranger = "kubectl debug node/node-2 --image=any --profile=sysadmin --namespace={} 2>&1"
    here = cluster.apiserver
    shell(f"kubectl create namespace {other}; {relabel.format(other, 'baseline')}", cluster=here)

    told = shell(relabel.format(NAMESPACE, "restricted") + " --dry-run=server 2>&1", cluster=here)
    refused = shell(f"! {stranger.format(other)}", cluster=here)
    shell(stranger.format(NAMESPACE), cluster=here)
    shell(f"kubectl delete pods --namespace={NAMESPACE} --selector={DEBUGGERS}", cluster=here)

    assert "violate the new PodSecurity enforce level" in told
    assert "prewarm-agent-" in told
    assert "prewarm-coordinator-" not in told
    assert 'violates PodSecurity "baseline:latest"' in refused
