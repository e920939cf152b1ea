"""
What a whole cluster's figures are measured on: tests.servers.cluster's, with Prewarm as daemonset.yaml has it.

Its kubelets and containerds are real ones. Whatever is timed here is timed by watches, never by asking again and again.
"""

import argparse
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench.stage import scratch
from tests.servers import binaries, cri
from tests.servers.apiserver import ApiServer
from tests.servers.cluster import waiting
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.node import Node
from tests.servers.cluster.pods import PULLING, PodOnServer
from tests.servers.cluster.product import Product
from tests.servers.cluster.settings import REGISTRY
from tests.servers.images import Push, PushedImage
from tests.servers.jobs import JobOnServer
from tests.servers.layers import Layer
from tests.servers.processes import until


NAMESPACE: Final = "default"
REMOVE_SECONDS: Final = 60.0
COLD_SECONDS: Final = 120.0
STARTED_SECONDS: Final = 300.0
EVENT_SECONDS: Final = 30.0


class ClusterStage:
    """A cluster with Prewarm on every node, and a registry that the nodes reach through `cluster.network`."""

    def __init__(self, cluster: LabCluster, product: Product) -> None:
        self.cluster = cluster
        self.product = product
        self.push = Push(cluster.registry)

    @property
    def apiserver(self) -> ApiServer:
        """Whom everybody asks."""
        return self.cluster.apiserver

    def push_app(self, repository: str, *, layers: Sequence[Layer], tag: str = "v1") -> PushedImage:
        """Push an image whose Pods run, by the name that the nodes have for the registry."""
        own = (waiting.layer(), *layers)
        return self.push(repository, tag=tag, layers=own, entrypoint=waiting.ENTRYPOINT).at(REGISTRY)

    def node_with(self, kind: str) -> Node:
        """Return a node with the containerd binaries.OLDEST or binaries.NEWEST."""
        version = binaries.containerd(kind).version
        return next(node for node in self.cluster.nodes.values() if node.containerd_version == version)

    def job(self, name: str, *, kind: str = "ImagePullJob") -> JobOnServer:
        """Return a job by its name; nothing is there before it is created."""
        return JobOnServer(self.apiserver, NAMESPACE, name, kind=kind)

    def pod(self, name: str) -> PodOnServer:
        """Return a Pod by its name; nothing is there before it is created."""
        return PodOnServer(self.apiserver, name, namespace=NAMESPACE)

    def leave(self, name: str) -> None:
        """Take a node away for good, its disk too."""
        folder = self.cluster.nodes[name].folder
        self.cluster.leave(name)
        shutil.rmtree(folder)


def turns_wanted(words: Sequence[str], *, name: str, default: int, what: str) -> int:
    """Return what a bench's arguments say of --turns, which is how often it measures `what`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name.replace('-', '_')}")
    parser.add_argument("--turns", type=int, default=default, help=f"{what} (default {default})")
    turns: int = parser.parse_args(words).turns
    return turns


@contextlib.contextmanager
def cluster_stage(*, nodes: int = 3) -> Iterator[ClusterStage]:
    """Set the stage and clear it away at the end, also after SIGTERM."""
    if os.geteuid() != 0:
        sys.exit("A bench on a cluster mounts disks and runs containers, which needs root.")
    with scratch() as folder, LabCluster(folder / "c", nodes=nodes) as cluster:
        product = Product(cluster)
        product.install()
        yield ClusterStage(cluster, product)


def make_cold(node: Node, images: Sequence[PushedImage]) -> None:
    """
    Remove images from a node through CRI, as the kubelet does, and wait until their content is gone.

    The kubelet keeps a Pod's last container for up to a minute, whose snapshot would keep the layers.

    Raises:
        TimeoutError: something still holds it.
    """
    references = {image.reference for image in images}
    for container, reference in node.ctr.containers().items():
        if reference in references:
            cri.remove_container(node.endpoint, container, timeout_seconds=REMOVE_SECONDS)
    for image in images:
        cri.remove(node.endpoint, image.reference, timeout_seconds=REMOVE_SECONDS)
    digests = {image.digest for image in images}
    until(lambda: _is_collected(node, digests), what="the node is cold", timeout_seconds=COLD_SECONDS)
    os.sync()


def start_seconds(pod: PodOnServer, image: PushedImage, *, node: str) -> float:
    """Create a Pod, and return the seconds until a watcher hears that its container runs."""
    began = time.monotonic()
    pod.create(image.reference, node=node)
    pod.until_running(timeout_seconds=STARTED_SECONDS)
    return time.monotonic() - began


def has_pulled(pod: PodOnServer) -> bool:
    """Tell by the kubelet's own events whether a running Pod's image was pulled for it."""
    until(lambda: pod.notes("Started"), what=f"the events of Pod {pod.name}", timeout_seconds=EVENT_SECONDS)
    return bool(pod.notes(PULLING))


def _is_collected(node: Node, digests: set[str]) -> bool:
    """Have containerd collect its garbage (a synchronous delete of a lease does) and look."""
    lease = node.ctr.run("leases", "create").strip()
    node.ctr.run("leases", "delete", "--sync", lease)
    return not digests & node.ctr.blobs()
