"""
`agent-memory`: the anonymous memory of an agent at rest, and what a thousand pulls add to it.

Taken from /proc/PID/status (RssAnon, which a container's limit counts beside the page cache; VmRSS too), in a Python
that holds the base dependencies alone, as the node image does. With two pulls means: two images of a slow registry are
on their way. Growth is the rest after 1,000 pulls less the rest after 100.
"""

import statistics
import sys

from bench.agent_stage import AgentStage, agent_stage
from bench.figure import conclude, limited, show, show_spread
from bench.memory import Sample, at_rest, status_of
from bench.stage import MB, layers
from tests.servers.images import PushedImage
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until


NAME = "agent-memory"
BOUND_MIB = 30.0
BOUND_RSS_MIB = 57.0
BOUND_GROWTH_MIB = 1.0
RUNS = 3
IMAGES = 20
FEW_ROUNDS = 5
MANY_ROUNDS = 50
SLOW_BYTES_PER_SECOND = 2 * MB
SLOW_LAYER_BYTES = 20 * MB


def main() -> int:
    """Measure at rest, with two pulls, and after many."""
    with agent_stage() as place:
        images = [
            place.place.push(f"memory-{number}", layers=layers(1, size_bytes=MB, seed=number))
            for number in range(IMAGES)
        ]
        show(f"== {NAME}: idle, with two pulls, after {FEW_ROUNDS * IMAGES} and {MANY_ROUNDS * IMAGES} pulls")
        idle = [_idle(place, f"idle-{run}") for run in range(RUNS)]
        pulling = _with_two_pulls(place)
        few, many = _after_pulls(place, images)
    for name in ("RssAnon", "VmRSS"):
        show_spread(f"idle {name}", [sample[name] for sample in idle], unit="MiB")
        show(f"with two pulls {name}: {pulling[name]:.3f} MiB")
        show(f"after {FEW_ROUNDS * IMAGES} pulls {name}: {few[name]:.3f} MiB")
        show(f"after {MANY_ROUNDS * IMAGES} pulls {name}: {many[name]:.3f} MiB")
    return conclude(
        [
            limited(NAME, statistics.median(one["RssAnon"] for one in idle), limit=BOUND_MIB, unit="MiB"),
            limited(f"{NAME}-rss", statistics.median(one["VmRSS"] for one in idle), limit=BOUND_RSS_MIB, unit="MiB"),
            limited(f"{NAME}-growth", many["RssAnon"] - few["RssAnon"], limit=BOUND_GROWTH_MIB, unit="MiB"),
        ]
    )


def _idle(place: AgentStage, node: str) -> Sample:
    with place.agent(node) as (agent, _):
        return at_rest(agent.process.pid)


def _with_two_pulls(place: AgentStage) -> Sample:
    proxy = place.place.proxy()
    proxy.limit(SLOW_BYTES_PER_SECOND)
    pushed = [place.place.push(f"slow-{n}", layers=layers(2, size_bytes=SLOW_LAYER_BYTES, seed=n)) for n in range(2)]
    slow = [image.at(proxy.host) for image in pushed]
    with place.agent("pulling") as (agent, node_image):
        node_image.want_all({image.key: {"tags": [entry(image.tag)]} for image in slow})
        until(lambda: _are_moving(node_image, slow), what="both move", timeout_seconds=60)
        return status_of(agent.process.pid)


def _are_moving(node_image: NodeImageOnServer, images: list[PushedImage]) -> bool:
    return all(node_image.tag(image.key, image.tag).get("progress", 0) for image in images)


def _after_pulls(place: AgentStage, images: list[PushedImage]) -> tuple[Sample, Sample]:
    with place.agent("many") as (agent, node_image):
        _pull(node_image, images, versions=range(1, FEW_ROUNDS + 1))
        few = at_rest(agent.process.pid)
        _pull(node_image, images, versions=range(FEW_ROUNDS + 1, MANY_ROUNDS + 1))
        return few, at_rest(agent.process.pid)


def _pull(node_image: NodeImageOnServer, images: list[PushedImage], *, versions: range) -> None:
    """Have each image pulled once a version; it is unchanged after the first."""
    for version in versions:
        node_image.want_all(
            {image.key: {"tags": [entry(image.tag, version=version, policy="Always")]} for image in images}
        )
        until(
            lambda: _succeeded(node_image.status, version=version) == len(images),  # noqa: B023 - called within the turn
            what=f"version {version} of all images succeeded",
            timeout_seconds=60,
        )


def _succeeded(status: dict[str, object], *, version: int) -> int:
    statuses = status.get("imageStatuses", {})
    tags = [tag for one in statuses.values() for tag in one["tags"]] if isinstance(statuses, dict) else []
    return sum(1 for tag in tags if (tag["phase"], tag.get("version")) == ("Succeeded", version))


if __name__ == "__main__":
    sys.exit(main())
