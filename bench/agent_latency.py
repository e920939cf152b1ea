"""
`agent-latency`: from the write of a tag entry to a watcher seeing Succeeded, beyond a bare PullImage of the same image.

The image is unchanged and the entry says Always, so a pull asks the registry and fetches nothing: what is measured is
the way through API server, agent and runtime, and back. The two take turns on the same containerd.
"""

import statistics
import sys
import time

from bench import bare
from bench.agent_stage import AgentStage, agent_stage
from bench.figure import Figure, conclude, show, show_spread
from bench.stage import MB, layers
from bench.watcher import Watcher
from tests.servers.images import PushedImage
from tests.servers.nodeimages import NodeImageOnServer, entry


NAME = "agent-latency"
BOUND_SECONDS = 0.1
WARM_UP = 3
TURNS = 30
LAYERS = 4
LAYER_BYTES = 5 * MB
NODE = "latency"


def main() -> int:
    """Measure on the newest containerd: the way there and back is ours."""
    with agent_stage() as place:
        image = place.place.push("latency", layers=layers(LAYERS, size_bytes=LAYER_BYTES))
        show(f"== {NAME}, containerd {place.containerd.binaries.version}: an unchanged image under Always")
        with place.agent(NODE) as (_, node_image), Watcher(place.apiserver, NODE) as watcher:
            turns = [
                _turn(place, image, node_image, watcher, version=version) for version in range(1, WARM_UP + TURNS + 1)
            ]
        return conclude([_figure(turns[WARM_UP:])])


def _turn(
    place: AgentStage, image: PushedImage, node_image: NodeImageOnServer, watcher: Watcher, *, version: int
) -> tuple[float, float]:
    """Return the seconds of the bare pull and of the agent's way, in turns the one and the other first."""
    if version % 2:
        bare_seconds = bare.seconds(place.containerd.endpoint, [image.reference], folder=place.place.folder)
        return bare_seconds, _agent_seconds(image, node_image, watcher, version=version)
    agent_seconds = _agent_seconds(image, node_image, watcher, version=version)
    return bare.seconds(place.containerd.endpoint, [image.reference], folder=place.place.folder), agent_seconds


def _agent_seconds(image: PushedImage, node_image: NodeImageOnServer, watcher: Watcher, *, version: int) -> float:
    began = time.monotonic()
    node_image.want(image.key, entry(image.tag, version=version, policy="Always"))
    watcher.until(
        lambda seen: seen[-1].phase(image.key, image.tag, version=version) == "Succeeded",
        what=f"version {version} succeeded",
    )
    return watcher.sightings[-1].seconds - began


def _figure(turns: list[tuple[float, float]]) -> Figure:
    bares, agents = [turn[0] for turn in turns], [turn[1] for turn in turns]
    beyond = [ours - bare_seconds for bare_seconds, ours in turns]
    for label, samples in (("bare PullImage", bares), ("entry to status", agents), ("beyond it", beyond)):
        show_spread(label, samples, unit="s")
    return Figure(
        name=NAME,
        ours=statistics.median(beyond),
        reference=statistics.median(bares),
        ratio=statistics.median(agents) / statistics.median(bares),
        unit="s",
        bound=BOUND_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
