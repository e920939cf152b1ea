"""What is on a node's containerd, whoever put it there: to compare what Prewarm leaves with what was before."""

import re
from typing import Final

import msgspec

from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.node import Node


OURS: Final = "prewarm-agent-"
# A kubelet removes a dead Pod's logs after all else that is left of it.
POD_LOGS: Final = "/var/log/pods"


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """What a containerd has, by names alone; `downloads` are those that are not finished."""

    images: frozenset[str]
    leases: frozenset[str]
    content: frozenset[str]
    downloads: frozenset[str]
    snapshots: frozenset[str]
    containers: frozenset[str]

    def without_images(self, *, like: "Traces") -> "Traces":
        """Return it with another's images, and with what lies on the other's disk for them."""
        return msgspec.structs.replace(self, images=like.images, content=like.content, snapshots=like.snapshots)


def traces(node: Node) -> Traces:
    """Look at a node with containerd's own client."""
    return Traces(
        images=frozenset(node.ctr.run("images", "ls", "--quiet").split()),
        leases=_first_words(node, "leases", "ls"),
        content=frozenset(node.ctr.blobs()),
        downloads=_first_words(node, "content", "active"),
        snapshots=_first_words(node, "snapshots", "ls"),
        containers=_first_words(node, "containers", "ls"),
    )


def leased(cluster: LabCluster) -> dict[str, list[str]]:
    """Return the images for which each node has a lease of ours."""
    return {name: _leased(node) for name, node in cluster.nodes.items()}


def has_pods(node: Node) -> bool:
    """Tell whether its kubelet still keeps anything of a Pod, a dead one too."""
    return any(node.machine.path(POD_LOGS).iterdir())


def _first_words(node: Node, *command: str) -> frozenset[str]:
    return frozenset(line.split()[0] for line in node.ctr.run(*command).splitlines()[1:] if line.strip())


def _leased(node: Node) -> list[str]:
    ours = [labels for lease, labels in node.ctr.leases().items() if lease.startswith(OURS)]
    return [image for labels in ours for image in re.findall(r"prewarm\.internal/image=([^,]+)", labels)]
