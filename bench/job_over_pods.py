"""
`job-over-pods`: twenty images on three nodes by one ImageListPullJob, beside a Job for each image and node.

The Jobs are kube-fledged's (fledged.py): their Pods run each image. Both bring what is there already (`job-over-pods`)
and what is not (`-cold`), under IfNotPresent, and take turns, each first in every other one. `-writes` are those that
the API server has answered from the first one until none comes any more, events aside, and what is written or asked
without work (api_writes.py).

In the Jobs' favour: all are posted at once, by eight clients, where kube-fledged has one that waits for its own limit
of requests; their init container's image is there; they have ended when the last Pod has, not its Job; and that
kube-fledged deletes each Job in the end is not counted. It would not make one at all where a Node's status names the
image, in which a kubelet names fifty at most.
"""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec

from bench.api_writes import for_work, told, writes_of
from bench.cluster_stage import NAMESPACE, ClusterStage, cluster_stage, make_cold, turns_wanted
from bench.figure import Figure, Judged, conclude, show, show_spread
from bench.fledged import LABEL, pull_job
from bench.stage import MB, layers
from bench.watcher import Sighting, Watcher
from tests.servers.cluster import echoing
from tests.servers.cluster.settings import REGISTRY
from tests.servers.jobs import image_list
from tests.servers.processes import until


Json = dict[str, Any]

NAME: Final = "job-over-pods"
IMAGES: Final = 20
IMAGE_BYTES: Final = 5 * MB
TURNS: Final = 3
BOUND_WARM: Final = 0.25
BOUND_COLD: Final = 1.0
BOUND_WRITES: Final = 0.25
ENDED_SECONDS: Final = 300.0
QUIET_SECONDS: Final = 3.0
CLIENTS: Final = 8
JOBS: Final = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS: Final = "/api/v1/pods"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one way took: seconds, and writes at the API server by kind."""

    seconds: float
    writes: Counter[str]


Bring = Callable[[str], Run]
"""Brings every image to every node, under a name of its own, and leaves no object behind."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Both ways at the same state of the nodes."""

    ours: Run
    theirs: Run


def main(words: Sequence[str] = ()) -> int:
    """Measure both ways, cold and warm."""
    turns = turns_wanted(words, name=NAME, default=TURNS, what="of both ways, cold and warm")
    with cluster_stage() as place:
        bench = JobOverPods(place)
        show(f"== {NAME}: {IMAGES} images of {IMAGE_BYTES / MB:.0f} MB on {len(place.cluster.nodes)} nodes")
        bench.warm_up()
        found = [bench.turn(number) for number in range(turns)]
    cold, warm = (list(column) for column in zip(*found, strict=True))
    return conclude(
        [
            _seconds(NAME, warm, bound=BOUND_WARM),
            _seconds(f"{NAME}-cold", cold, bound=BOUND_COLD),
            _writes(f"{NAME}-writes", warm, bound=BOUND_WRITES),
            _writes(f"{NAME}-writes-cold", cold, bound=None),
        ]
    )


class JobOverPods:
    """The two ways on one cluster."""

    def __init__(self, place: ClusterStage) -> None:
        self._place = place
        self._images = [
            place.push(f"app-{number}", tag="v1", layers=layers(1, size_bytes=IMAGE_BYTES, seed=number)).at(REGISTRY)
            for number in range(IMAGES)
        ]
        self._tools = place.push("tools", tag="1", layers=[echoing.layer()]).at(REGISTRY)

    def warm_up(self) -> None:
        """Bring everything once in both ways, uncounted: what a way needs for itself is there from now on."""
        self._theirs("warm-up-jobs")
        self._ours("warm-up-list")

    def turn(self, number: int) -> tuple[Turn, Turn]:
        """Measure cold and warm, each way first in every other turn."""
        return self._both(number, is_cold=True), self._both(number, is_cold=False)

    def _both(self, number: int, *, is_cold: bool) -> Turn:
        ways: dict[str, Bring] = {"ours": self._ours, "theirs": self._theirs}
        state = "cold" if is_cold else "warm"
        found = {}
        for who in sorted(ways, reverse=bool(number % 2)):
            if is_cold:
                self._make_cold()
            found[who] = run = ways[who](f"{state}-{who}-{number}")
            show(f"{state}, {who}: {run.seconds:.3f} s, {run.writes.total()} writes: {told(run.writes)}")
        return Turn(**found)

    def _ours(self, name: str) -> Run:
        made = self._place.job(name, kind="ImageListPullJob")
        spec = image_list(*(image.reference for image in self._images), parallelism="100%")

        def bring() -> None:
            made.create(spec)
            status = made.until(lambda now: "completionTime" in now, what="ended", timeout_seconds=ENDED_SECONDS)
            if status.get("succeeded") != len(self._images):
                raise RuntimeError(f"{name} has not brought everything: {status}")

        run = self._run(bring)
        made.delete()
        made.until_gone()
        self._until_quiet()
        return run

    def _theirs(self, name: str) -> Run:
        wanted = [(image, node) for image in self._images for node in self._place.cluster.nodes]
        jobs = [
            pull_job(image.reference, node=node, name=f"{name}-{number}", cache=name, tools=self._tools.reference)
            for number, (image, node) in enumerate(wanted)
        ]

        with Watcher(self._place.apiserver, collection=PODS) as watcher:

            def bring() -> None:
                self._all(lambda job: self._place.apiserver.request("POST", JOBS, job), jobs)
                watcher.until(
                    lambda seen: len(_ended(seen, cache=name)) == len(jobs),
                    what="every Job's Pod has ended",
                    timeout_seconds=ENDED_SECONDS,
                )

            run = self._run(bring)
            failed = [pod for pod, phase in _ended(watcher.sightings, cache=name).items() if phase != "Succeeded"]
        if failed:
            raise RuntimeError(f"Pods that have failed: {failed}")
        self._all(self._delete, jobs)
        until(lambda: not self._left(name), what="the Jobs' Pods are gone", timeout_seconds=ENDED_SECONDS)
        self._until_quiet()
        return run

    def _run(self, bring: Callable[[], None]) -> Run:
        before = self._counted()
        began = time.monotonic()
        bring()
        seconds = time.monotonic() - began
        self._until_quiet()
        return Run(seconds=seconds, writes=self._counted() - before)

    def _all(self, do: Callable[[Json], Any], jobs: Sequence[Json]) -> None:
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(do, jobs))

    def _delete(self, job: Json) -> None:
        path = f"{JOBS}/{job['metadata']['name']}"
        self._place.apiserver.request("DELETE", path, {"propagationPolicy": "Background"})

    def _left(self, cache: str) -> list[Json]:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={LABEL}%3D{cache}"
        found: list[Json] = self._place.apiserver.request("GET", path)["items"]
        return found

    def _counted(self) -> Counter[str]:
        return for_work(writes_of(self._place.apiserver.text("/metrics")))

    def _until_quiet(self) -> None:
        """Wait until nothing has been written for work for QUIET_SECONDS."""
        last, since = self._counted(), time.monotonic()

        def is_quiet() -> bool:
            nonlocal last, since
            now = self._counted()
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since >= QUIET_SECONDS

        until(is_quiet, what="no more writes", timeout_seconds=ENDED_SECONDS)

    def _make_cold(self) -> None:
        nodes = self._place.cluster.nodes.values()
        with ThreadPoolExecutor(len(nodes)) as threads:
            list(threads.map(lambda node: make_cold(node, self._images), nodes))


def _ended(sightings: Sequence[Sighting], *, cache: str) -> dict[str, str]:
    """Return the phase of each of a cache's Pods that has ended, by its name."""
    return {
        one.resource["metadata"]["name"]: one.resource["status"]["phase"]
        for one in sightings
        if one.resource["metadata"].get("labels", {}).get(LABEL) == cache
        and one.resource["status"].get("phase") in {"Succeeded", "Failed"}
    }


def _seconds(name: str, turns: Sequence[Turn], *, bound: float) -> Figure:
    show_spread(f"{name}: the list", [turn.ours.seconds for turn in turns], unit="s")
    show_spread(f"{name}: the Jobs", [turn.theirs.seconds for turn in turns], unit="s")
    return _beside(name, [(turn.ours.seconds, turn.theirs.seconds) for turn in turns], unit="s", bound=bound)


def _writes(name: str, turns: Sequence[Turn], *, bound: float | None) -> Figure:
    counts = [(float(turn.ours.writes.total()), float(turn.theirs.writes.total())) for turn in turns]
    return _beside(name, counts, unit="writes", bound=bound)


def _beside(name: str, pairs: Sequence[tuple[float, float]], *, unit: str, bound: float | None) -> Figure:
    """Make a figure of medians, whose ratio is the median of the turns' own."""
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return Figure(name=name, ours=ours, reference=theirs, unit=unit, ratio=ratio, bound=bound, judged=Judged.RATIO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
