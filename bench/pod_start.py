"""
`pod-start`: from a Pod's creation to its running, with an image of 240 MB: `ours` is warm, `reference` cold.

The image has six gzip layers of two thousand files each. Warm means that an ImagePullJob has brought it to the node;
cold, that nothing of it is there and the kubelet has it pulled. The two take turns on one node of the lab's cluster,
whose registry is on loopback: as fast as the machine, or (`pod-start-100MB`) with 100 MB/s for all.
"""

import statistics
import sys
from collections.abc import Sequence
from typing import Final

from bench.cluster_stage import ClusterStage, cluster_stage, has_pulled, make_cold, start_seconds, turns_wanted
from bench.figure import Figure, conclude, show, show_spread
from bench.stage import MB, suffix
from tests.servers import binaries
from tests.servers.cluster.node import Node
from tests.servers.images import PushedImage
from tests.servers.jobs import job
from tests.servers.layers import Compression, Layer


NAME: Final = "pod-start"
TURNS: Final = 7
SLOW_TURNS: Final = 3
LAYERS: Final = 6
LAYER_BYTES: Final = 40 * MB
FILES: Final = 2000
LINK_BYTES_PER_SECOND: Final = 100 * MB
WARMED_SECONDS: Final = 300.0

Turn = tuple[float, float]
"""Seconds cold and warm."""


def main(words: Sequence[str] = ()) -> int:
    """Measure on a node with the newest containerd, on one with the oldest, and over a link."""
    turns = turns_wanted(words, name=NAME, default=TURNS, what="cold and warm starts on each node")
    with cluster_stage() as place:
        image = place.push_app("start", layers=_layers())
        show(f"== {NAME}: an image of {image.layer_bytes / MB:.0f} MB in {LAYERS} layers, {LAYERS * FILES} files")
        figures = [_measured(place, image, kind, turns=turns) for kind in (binaries.NEWEST, binaries.OLDEST)]
        place.cluster.network.limit(LINK_BYTES_PER_SECOND)
        link = f"-{LINK_BYTES_PER_SECOND // MB}MB"
        figures.append(_measured(place, image, binaries.NEWEST, turns=min(turns, SLOW_TURNS), link=link))
    return conclude(figures)


def _layers() -> list[Layer]:
    return [
        Layer(size_bytes=LAYER_BYTES, seed=number, files=FILES, compression=Compression.GZIP)
        for number in range(LAYERS)
    ]


def _measured(place: ClusterStage, image: PushedImage, kind: str, *, turns: int, link: str = "") -> Figure:
    node = place.node_with(kind)
    label = f"containerd {node.containerd_version}{f', {link[1:]}/s' if link else ''}"
    found = [_turn(place, node, image, name=f"c{node.containerd_version[0]}{link.lower()}-{n}") for n in range(turns)]
    cold, warm = (list(column) for column in zip(*found, strict=True))
    show_spread(f"{label}: cold", cold, unit="s")
    show_spread(f"{label}: warm", warm, unit="s")
    ours, reference = statistics.median(warm), statistics.median(cold)
    name = f"{NAME}{link}{suffix(kind)}"
    return Figure(name=name, ours=ours, reference=reference, unit="s", ratio=ours / reference)


def _turn(place: ClusterStage, node: Node, image: PushedImage, *, name: str) -> Turn:
    """Start a Pod on the cold node, then one on the node that a job has warmed, and leave the node cold."""
    cold = _started(place, node, image, name=f"cold-{name}", is_warm=False)
    make_cold(node, [image])
    warming = place.job(f"warm-{name}")
    warming.create(job(image.reference, selector={"names": [node.name]}, pullPolicy={"timeoutSeconds": 300}))
    warming.until_ready(nodes=1, timeout_seconds=WARMED_SECONDS)
    warm = _started(place, node, image, name=f"warm-{name}", is_warm=True)
    warming.delete()
    warming.until_gone()
    make_cold(node, [image])
    return cold, warm


def _started(place: ClusterStage, node: Node, image: PushedImage, *, name: str, is_warm: bool) -> float:
    """
    Return the seconds of a Pod's start.

    Raises:
        RuntimeError: its node was warm or cold against what is to be measured.
    """
    pod = place.pod(name)
    before = place.cluster.network.traffic.blob_bytes()
    seconds = start_seconds(pod, image, node=node.name)
    fetched = place.cluster.network.traffic.blob_bytes() - before
    if has_pulled(pod) == is_warm or (fetched == 0) != is_warm or (not is_warm and fetched < LAYERS * LAYER_BYTES):
        raise RuntimeError(f"Pod {name} has fetched {fetched} bytes: {pod.notes('Pulled')}")
    pod.delete()
    return seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
