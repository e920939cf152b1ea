"""
`list-20`: a list of twenty unchanged images on three nodes, from its POST to its completionTime, beyond bare pulls.

That is twenty PullImages with two clients a node. `list-20-writes` is the writes of a NodeImage, spec and status.

The images are unchanged and the list says Always, so each pull asks the registry and fetches nothing. The bare clients
pull on all three containerds at once, as the agents do; the slowest node counts. The two take turns.
"""

import contextlib
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bench import bare
from bench.agent_stage import AgentStage, agent_stage
from bench.api_writes import writes_of
from bench.coordinator_stage import NAMESPACE
from bench.figure import Figure, conclude, limited, show, show_spread
from bench.stage import MB, layers
from bench.watcher import NODE_IMAGES, Sighting, Watcher
from tests.servers import binaries
from tests.servers.containerd import Containerd
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.images import PushedImage
from tests.servers.nodes import NodeOnServer
from tests.servers.objects import ObjectOnServer
from tests.servers.processes import until


NAME: Final = "list-20"
BOUND_SECONDS: Final = 1.5
BOUND_WRITES: Final = 5.0
IMAGES: Final = 20
PARALLELISM: Final = 3
SLOTS: Final = 2
WARM_UP: Final = 1
TURNS: Final = 7
NODES: Final = ("list-a", "list-b", "list-c")
LISTS: Final = f"/apis/apps.kruise.io/v1beta1/namespaces/{NAMESPACE}/imagelistpulljobs"
# A write that pacing still holds back comes within this time.
SETTLED_SECONDS: Final = 3.0


def main() -> int:
    """Measure on three of the newest containerd."""
    with agent_stage() as place:
        images = [
            place.place.push(f"list-{number}", layers=layers(1, size_bytes=MB, seed=number)) for number in range(IMAGES)
        ]
        nodes = {name: place.place.containerd(binaries.NEWEST, folder=name) for name in NODES}
        show(f"== {NAME}: {IMAGES} unchanged images under Always on {len(NODES)} nodes, parallelism {PARALLELISM}")
        with (
            _agents(place, nodes),
            CoordinatorProcess(place.apiserver, place.place.folder / "coordinator") as coordinator,
        ):
            coordinator.until_leading()
            turns = _turns(place, images, nodes)
    return conclude(_figures(turns[WARM_UP:]))


Turn = tuple[float, float, int]
"""Seconds of the bare pulls and of the list, and the most writes of a NodeImage."""


@contextlib.contextmanager
def _agents(place: AgentStage, nodes: dict[str, Containerd]) -> Iterator[None]:
    with contextlib.ExitStack() as running:
        for name, containerd in nodes.items():
            NodeOnServer(place.apiserver, name).create()
            running.enter_context(place.agent(name, containerd=containerd))
        yield


def _turns(place: AgentStage, images: Sequence[PushedImage], nodes: dict[str, Containerd]) -> list[Turn]:
    """Measure the bare pulls and the list, in turns the one and the other first."""
    _bare_seconds(place, images, nodes)
    found = []
    with Watcher(place.apiserver, collection=NODE_IMAGES) as watcher:
        for turn in range(WARM_UP + TURNS):
            if turn % 2:
                bare_seconds = _bare_seconds(place, images, nodes)
                found.append((bare_seconds, *_list(place, images, watcher, name=f"turn-{turn}")))
            else:
                listed = _list(place, images, watcher, name=f"turn-{turn}")
                found.append((_bare_seconds(place, images, nodes), *listed))
    return found


def _bare_seconds(place: AgentStage, images: Sequence[PushedImage], nodes: dict[str, Containerd]) -> float:
    """Pull every image on each node at once, two at a time a node, and return what the slowest node took."""
    references = [image.reference for image in images]
    with ThreadPoolExecutor(len(nodes)) as threads:
        ends = [
            threads.submit(bare.seconds, containerd.endpoint, references, folder=place.place.folder, clients=SLOTS)
            for containerd in nodes.values()
        ]
        return max(end.result() for end in ends)


def _list(place: AgentStage, images: Sequence[PushedImage], watcher: Watcher, *, name: str) -> tuple[float, int]:
    """Return the seconds that a list takes, and the most writes that a NodeImage has had for it."""
    made = ObjectOnServer(place.apiserver, LISTS, name)
    seen, before = len(watcher.sightings), _writes(place)
    began = time.monotonic()
    made.create(_manifest([image.reference for image in images]))
    status = made.until(lambda found: "completionTime" in found.get("status", {}), what="has ended").get("status", {})
    seconds = time.monotonic() - began
    if status.get("succeeded") != IMAGES:
        raise RuntimeError(f"{name} has not pulled everything: {status}")
    until(lambda: watcher.is_quiet_for(SETTLED_SECONDS), what="no more writes", timeout_seconds=20 * SETTLED_SECONDS)
    told = Counter(one.resource["metadata"]["name"] for one in watcher.sightings[seen:])
    show(f"{name}: {seconds:.3f} s, writes: {_told(_writes(place) - before)}")
    made.delete()
    made.until_gone()
    watcher.until(_is_empty, what="no node wants anything any more")
    return seconds, max(told.values())


def _writes(place: AgentStage) -> Counter[str]:
    return writes_of(place.apiserver.text("/metrics"))


def _told(writes: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(writes.items()))


def _is_empty(sightings: Sequence[Sighting]) -> bool:
    """Tell whether the newest state of each NodeImage wants nothing."""
    newest: dict[str, Any] = {one.resource["metadata"]["name"]: one.resource for one in sightings}
    return all(not found.get("spec", {}).get("images") for found in newest.values())


def _manifest(images: Sequence[str]) -> dict[str, Any]:
    return {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "ImageListPullJob",
        "spec": {
            "images": list(images),
            "imagePullPolicy": "Always",
            "parallelism": PARALLELISM,
            "completionPolicy": {"type": "Always"},
        },
    }


def _figures(turns: Sequence[Turn]) -> list[Figure]:
    bare_seconds, seconds, writes = (list(column) for column in zip(*turns, strict=True))
    show_spread(f"{IMAGES} bare pulls a node", bare_seconds, unit="s")
    show_spread("the list", seconds, unit="s")
    beyond = statistics.median(ours - peer for peer, ours, _ in turns)
    peer = statistics.median(bare_seconds)
    figure = Figure(
        name=NAME, ours=beyond, reference=peer, unit="s", ratio=statistics.median(seconds) / peer, bound=BOUND_SECONDS
    )
    return [figure, limited(f"{NAME}-writes", float(max(writes)), limit=BOUND_WRITES, unit="writes")]


if __name__ == "__main__":
    sys.exit(main())
