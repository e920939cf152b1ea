"""
`job-latency`: from an ImagePullJob's POST to a watcher seeing its completionTime, beyond a bare PullImage, on one node.

The image is unchanged and the job says Always, so a pull asks the registry and fetches nothing: what is measured is the
way through API server, coordinator and agent to the runtime, and back. The two take turns on the same containerd.
"""

import statistics
import sys
import time
from typing import Final

from bench import bare
from bench.agent_stage import AgentStage, agent_stage
from bench.coordinator_stage import JOBS, NAMESPACE
from bench.figure import Figure, conclude, show, show_spread
from bench.stage import MB, layers
from bench.watcher import Sighting, Watcher
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.images import PushedImage
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodes import NodeOnServer


NAME: Final = "job-latency"
BOUND_SECONDS: Final = 0.25
WARM_UP: Final = 3
TURNS: Final = 30
LAYERS: Final = 4
LAYER_BYTES: Final = 5 * MB
NODE: Final = "latency"


def main() -> int:
    """Measure on the newest containerd: the way there and back is ours."""
    with agent_stage() as place:
        image = place.place.push("latency", layers=layers(LAYERS, size_bytes=LAYER_BYTES))
        show(f"== {NAME}, containerd {place.containerd.binaries.version}: a job for an unchanged image under Always")
        NodeOnServer(place.apiserver, NODE).create()
        with (
            place.agent(NODE),
            CoordinatorProcess(place.apiserver, place.place.folder / "coordinator") as coordinator,
        ):
            coordinator.until_leading()
            turns = _turns(place, image)
    return conclude([_figure(turns[WARM_UP:])])


def _turns(place: AgentStage, image: PushedImage) -> list[tuple[float, float]]:
    """Return the seconds of the bare pull and of the job, in turns the one and the other first."""
    _job(place, "first", image).ended()
    found = []
    with Watcher(place.apiserver, collection=JOBS) as watcher:
        for turn in range(WARM_UP + TURNS):
            if turn % 2:
                bare_seconds = bare.seconds(place.containerd.endpoint, [image.reference], folder=place.place.folder)
                found.append((bare_seconds, _job_seconds(place, image, watcher, turn=turn)))
            else:
                job_seconds = _job_seconds(place, image, watcher, turn=turn)
                bare_seconds = bare.seconds(place.containerd.endpoint, [image.reference], folder=place.place.folder)
                found.append((bare_seconds, job_seconds))
    return found


def _job(place: AgentStage, name: str, image: PushedImage) -> JobOnServer:
    made = JobOnServer(place.apiserver, NAMESPACE, name)
    made.create(job(image.reference, imagePullPolicy="Always"))
    return made


def _job_seconds(place: AgentStage, image: PushedImage, watcher: Watcher, *, turn: int) -> float:
    name = f"turn-{turn}"
    began = time.monotonic()
    made = _job(place, name, image)
    watcher.until(lambda seen: _has_ended(seen[-1], name), what=f"{name} has ended")
    seconds = watcher.sightings[-1].seconds - began
    made.delete()
    made.until_gone()
    return seconds


def _has_ended(seen: Sighting, name: str) -> bool:
    return name == seen.resource["metadata"]["name"] and "completionTime" in seen.resource.get("status", {})


def _figure(turns: list[tuple[float, float]]) -> Figure:
    bares, jobs = [turn[0] for turn in turns], [turn[1] for turn in turns]
    beyond = [ours - bare_seconds for bare_seconds, ours in turns]
    for label, samples in (("bare PullImage", bares), ("job to completionTime", jobs), ("beyond it", beyond)):
        show_spread(label, samples, unit="s")
    return Figure(
        name=NAME,
        ours=statistics.median(beyond),
        reference=statistics.median(bares),
        ratio=statistics.median(jobs) / statistics.median(bares),
        unit="s",
        bound=BOUND_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
