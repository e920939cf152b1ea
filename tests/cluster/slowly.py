"""An image on its way to nodes over a network that is as slow as a test needs, and what came of it."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.servers.cluster.cluster import LabCluster
from tests.servers.images import Blob, PushedImage
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.objects import Json
from tests.servers.processes import until


MIB: Final = 1 << 20
LAYERS: Final = (MIB, MIB, MIB)
# What lay in buffers of one layer on its way to one node when a pull was cut is sent once more.
BUFFERED_BYTES: Final = 128 << 10
# A busy machine can be slow, and nothing here is about how quick anything is.
PATIENT_SECONDS: Final = 150.0
_BRISK_SECONDS: Final = 10.0
_SLOW_SECONDS: Final = 600.0


class Slowly:
    """
    One job's image on its way to `nodes`.

    Args:
        cluster: where.
        image: of which the first layer is the program that all images here share, and the others its own.
        made: its job; nothing is there before `begin`.
        nodes: those that the job selects, by name.
    """

    def __init__(self, cluster: LabCluster, image: PushedImage, made: JobOnServer, *, nodes: Sequence[str]) -> None:
        self.image = image
        self.job = made
        self.nodes = {name: NodeImageOnServer(cluster.apiserver, name) for name in nodes}
        self._network = cluster.network

    @property
    def selector(self) -> Json:
        """What selects its nodes."""
        return {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [*self.nodes]}]}

    @property
    def layers(self) -> Sequence[Blob]:
        """Its own layers."""
        return self.image.layers[1:]

    @property
    def total_bytes(self) -> int:
        """What has to be sent until each node has each layer once."""
        return len(self.nodes) * sum(layer.size_bytes for layer in self.layers)

    @property
    def sent_bytes(self) -> int:
        """What the registry has sent of its layers."""
        return sum(self._network.traffic.bytes_of(layer.digest) for layer in self.layers)

    def begin(self, *, parallelism: int, share: float = 0.25) -> None:
        """Create the job, and return in the midst: a share has been sent, and the rest would take ten minutes."""
        self._network.limit(self.total_bytes / _BRISK_SECONDS)
        self.job.create(job(self.image.reference, parallelism=parallelism, selector=self.selector))
        pulling = min(parallelism, len(self.nodes))
        self.until_more(int(share * self.total_bytes * pulling / len(self.nodes)))
        self._network.limit(self.total_bytes / _SLOW_SECONDS)
        until(lambda: pulling == self.phases().count("Pulling"), what="all pull", timeout_seconds=PATIENT_SECONDS)

    def end(self) -> Json:
        """Let the network be quick, and return the job's status when it has ended."""
        self._network.clear()
        return self.job.ended(timeout_seconds=PATIENT_SECONDS)

    def until_more(self, more_bytes: int) -> None:
        """Wait until so many more bytes of its layers have been sent."""
        enough = self.sent_bytes + more_bytes
        until(lambda: self.sent_bytes >= enough, what=f"{enough} bytes are sent", timeout_seconds=PATIENT_SECONDS)

    def said(self, name: str) -> Json:
        """Return what a node says of it, {} where it says nothing."""
        return self.nodes[name].tag(self.image.key, self.image.tag)

    def until_said(
        self, name: str, condition: Callable[[Json], bool], *, timeout_seconds: float = PATIENT_SECONDS
    ) -> Json:
        """Return what a node says of it when that first fits."""
        key, tag = self.image.key, self.image.tag
        return self.nodes[name].until(key, tag, condition, what=f"fits on {name}", timeout_seconds=timeout_seconds)

    def phases(self) -> list[str]:
        """Return each node's phase, "" where it says nothing."""
        return [self.said(name).get("phase", "") for name in self.nodes]

    def versions(self) -> dict[str, int]:
        """Return what each node was asked for: another version is another pull."""
        entries = {name: node.read()["spec"]["images"].get(self.image.key, {}) for name, node in self.nodes.items()}
        return {name: entry["tags"][0]["version"] for name, entry in entries.items() if entry}

    def attempts(self) -> dict[str, tuple[str, int]]:
        """Return each node's phase and attempt."""
        return {name: (said["phase"], said["attempt"]) for name in self.nodes if (said := self.said(name))}

    def sent_again(self, *, lost_bytes: int) -> dict[str, int]:
        """Return the layers of which more was sent than each node once and what may have been lost of each."""
        enough = {layer.digest: len(self.nodes) * layer.size_bytes + lost_bytes for layer in self.layers}
        sent = {digest: self._network.traffic.bytes_of(digest) for digest in enough}
        return {digest: count for digest, count in sent.items() if count > enough[digest]}
