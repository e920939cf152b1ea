"""
`agent-writes`: how often an agent writes its status for one pull, and `agent-writes-20` for twenty granted at once.

Counted twice: by a watcher, as changes of the object that its spec's generation has no part in, and by the agent's own
counter of requests, which also knows of writes that changed nothing. The larger counts.
"""

import sys
from collections.abc import Sequence

from bench.agent_stage import AgentStage, agent_stage, writes
from bench.figure import conclude, limited, show, show_spread
from bench.stage import MB, layers
from bench.watcher import Sighting, Watcher
from tests.servers.agent import AgentProcess
from tests.servers.images import PushedImage
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until


NAME = "agent-writes"
BOUND_ONE = 1.0
BOUND_TWENTY = 3.0
TURNS = 5
IMAGES = 20
# A write that pacing still holds back comes within this time.
SETTLED_SECONDS = 3.0
NODE = "writes"


def main() -> int:
    """Measure one image and twenty, each several times; the worst counts."""
    with agent_stage() as place:
        images = [
            place.place.push(f"writes-{number}", layers=layers(1, size_bytes=MB, seed=number))
            for number in range(IMAGES)
        ]
        for image in images:
            place.containerd.pull(image.reference)
        show(f"== {NAME}: unchanged images under Always")
        one, twenty = _counts(place, images)
    show_spread("writes of one pull", one, unit="writes")
    show_spread(f"writes of {IMAGES} pulls", twenty, unit="writes")
    return conclude(
        [
            limited(NAME, max(one), limit=BOUND_ONE, unit="writes"),
            limited(f"{NAME}-{IMAGES}", max(twenty), limit=BOUND_TWENTY, unit="writes"),
        ]
    )


def _counts(place: AgentStage, images: Sequence[PushedImage]) -> tuple[list[float], list[float]]:
    with place.agent(NODE) as (agent, node_image), Watcher(place.apiserver, NODE) as watcher:
        one = [_count(agent, node_image, watcher, images[:1], version=turn) for turn in range(1, TURNS + 1)]
        twenty = [_count(agent, node_image, watcher, images, version=turn) for turn in range(TURNS + 1, 2 * TURNS + 1)]
    return one, twenty


def _count(
    agent: AgentProcess,
    node_image: NodeImageOnServer,
    watcher: Watcher,
    images: Sequence[PushedImage],
    *,
    version: int,
) -> float:
    """Grant images in one patch and return how often the status was written until nothing more came."""
    seen, counted = len(watcher.sightings), writes(agent)
    node_image.want_all({image.key: {"tags": [entry(image.tag, version=version, policy="Always")]} for image in images})
    watcher.until(lambda sightings: _is_done(sightings[-1], images, version=version), what=f"version {version} ended")
    _settle(watcher)
    changes = len(watcher.sightings) - seen - 1
    return float(max(changes, writes(agent) - counted))


def _is_done(sighting: Sighting, images: Sequence[PushedImage], *, version: int) -> bool:
    return all(sighting.phase(image.key, image.tag, version=version) == "Succeeded" for image in images)


def _settle(watcher: Watcher) -> None:
    """Wait until nothing has been seen for SETTLED_SECONDS."""
    until(
        lambda: watcher.is_quiet_for(SETTLED_SECONDS),
        what="no more writes",
        timeout_seconds=20 * SETTLED_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
