"""
`pod-memory`: the memory and processor time of Prewarm's Pods at rest and with two pulls, beside what they ask for.

It is what the kernel counts for each container, the most of each second: the agents of three nodes, and both
coordinators. Every Pod starts on a node that has just been switched on, as far as memory goes: none of its files is in
the page cache, so that they are counted as its own. `ours` is the highest working set, `reference` the request in
deploy/base, which is to cover it; `-limit` likewise with two thirds of the limit. `-cpu` is the processor time at rest,
in thousandths of a core.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from bench.cgroup import ContainerCgroup, Sample, forget_pages
from bench.cluster_stage import ClusterStage, cluster_stage
from bench.figure import Figure, conclude, limited, show
from bench.stage import MB, layers
from tests.servers.cluster.product import NAMESPACE
from tests.servers.jobs import image_list
from tests.servers.processes import until


Json = dict[str, Any]

NAME: Final = "pod-memory"
REST_SECONDS: Final = 600.0
PULLING_SECONDS: Final = 60.0
IMAGES: Final = 2
LAYER_BYTES: Final = 60 * MB
# So that two images for each of three nodes take two minutes.
LINK_BYTES_PER_SECOND: Final = 6 * MB
PARTS: Final = ("agent", "coordinator")
SAMPLE_SECONDS: Final = 1.0
GONE_SECONDS: Final = 120.0
# A request is what is needed, a tenth more, and the next 8 MiB; a limit half as much again as what is needed.
REQUEST_MARGIN: Final = 1.1
LIMIT_MARGIN: Final = 1.5
STEP_MIB: Final = 8
CPU_STEP: Final = 5
WORKLOADS: Final = {
    "agent": f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/prewarm-agent",
    "coordinator": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/prewarm-coordinator",
}


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What the containers of one part have used in one phase: the most of each, in MiB and thousandths of a core."""

    working_set_mib: float
    anon_mib: float
    cpu: float


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a part asks for in deploy/base, in MiB and thousandths of a core."""

    request_mib: float
    limit_mib: float
    cpu: float


def main(words: Sequence[str] = ()) -> int:
    """Measure at rest and with two pulls on every node."""
    parser = argparse.ArgumentParser(prog="python -m bench.pod_memory")
    text = f"how long it is at rest (default {REST_SECONDS:g}); with pulls a minute at most"
    parser.add_argument("--seconds", type=float, default=REST_SECONDS, help=text)
    seconds: float = parser.parse_args(words).seconds
    with cluster_stage() as place:
        asked = {part: _asked(place, part) for part in PARTS}
        _start_without_pages(place)
        show(f"== {NAME}: {seconds:g} s at rest, then two pulls on each of {len(place.cluster.nodes)} nodes")
        rest = _used(place, seconds=seconds)
        pulling = _with_two_pulls(place, seconds=min(seconds, PULLING_SECONDS))
    return conclude([figure for part in PARTS for figure in _figures(part, rest[part], pulling[part], asked[part])])


def _start_without_pages(place: ClusterStage) -> None:
    """Start every Pod of ours anew, with none of its files in memory."""
    replicas = place.apiserver.request("GET", WORKLOADS["coordinator"])["spec"]["replicas"]
    _patch(place, agent={"template": {"spec": {"nodeSelector": {"bench": "nowhere"}}}}, coordinator={"replicas": 0})
    until(lambda: not _pods(place), what="no Pod of ours runs", timeout_seconds=GONE_SECONDS)
    for node in place.cluster.nodes.values():
        forget_pages(node.machine.path(node.disk))
    restored = {"template": {"spec": {"nodeSelector": {"bench": None}}}}
    _patch(place, agent=restored, coordinator={"replicas": replicas})
    place.product.until_up()


def _patch(place: ClusterStage, **specs: Json) -> None:
    for part, spec in specs.items():
        place.apiserver.request("PATCH", WORKLOADS[part], {"spec": spec})


def _pods(place: ClusterStage) -> list[Json]:
    found: list[Json] = place.apiserver.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    return found


def _with_two_pulls(place: ClusterStage, *, seconds: float) -> dict[str, Use]:
    images = [place.push_app(f"slow-{n}", layers=layers(2, size_bytes=LAYER_BYTES, seed=n)) for n in range(IMAGES)]
    place.cluster.network.limit(LINK_BYTES_PER_SECOND)
    made = place.job("two-pulls", kind="ImageListPullJob")
    made.create(image_list(*(image.reference for image in images), parallelism="100%"))
    count = IMAGES * len(place.cluster.nodes)
    until(lambda: _moving(place) == count, what=f"{count} pulls are on their way", timeout_seconds=GONE_SECONDS)
    used = _used(place, seconds=seconds)
    if _moving(place) != count:
        raise RuntimeError(f"{_moving(place)} of {count} pulls are left, so nothing is shown")
    made.delete()
    place.cluster.network.clear()
    return used


def _moving(place: ClusterStage) -> int:
    """Count the tags that are pulled now, as the nodes say."""
    found: list[Json] = place.apiserver.request("GET", "/apis/apps.kruise.io/v1beta1/nodeimages")["items"]
    statuses = [one for item in found for one in item.get("status", {}).get("imageStatuses", {}).values()]
    return sum(tag["phase"] == "Pulling" for one in statuses for tag in one["tags"])


def _used(place: ClusterStage, *, seconds: float) -> dict[str, Use]:
    """Sample all containers each second for so long, and show each."""
    cgroups = {pod["metadata"]["name"]: _cgroup(place, pod) for pod in _pods(place)}
    samples: dict[str, list[Sample]] = {name: [] for name in cgroups}
    began = time.monotonic()

    def is_over() -> bool:
        passed = time.monotonic() - began
        if passed >= len(samples[next(iter(samples))]) * SAMPLE_SECONDS:
            for name, cgroup in cgroups.items():
                samples[name].append(cgroup.sample())
        return passed >= seconds

    until(is_over, what="the time is over", timeout_seconds=seconds + 60)
    uses = {name: _use(found, seconds=time.monotonic() - began) for name, found in samples.items()}
    for name, use in sorted(uses.items()):
        show(f"{name}: working set {use.working_set_mib:.1f} MiB, anon {use.anon_mib:.1f} MiB, cpu {use.cpu:.1f}m")
    return {part: _most([use for name, use in uses.items() if f"-{part}-" in name]) for part in PARTS}


def _cgroup(place: ClusterStage, pod: Json) -> ContainerCgroup:
    container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    folder = place.cluster.control.cgroups.folder
    return ContainerCgroup.below(folder("memory"), container, cpu=folder("cpuacct"))


def _use(samples: Sequence[Sample], *, seconds: float) -> Use:
    return Use(
        working_set_mib=max(one.working_set_mib for one in samples),
        anon_mib=max(one.anon_mib for one in samples),
        cpu=1000 * (samples[-1].cpu_seconds - samples[0].cpu_seconds) / seconds,
    )


def _most(uses: Sequence[Use]) -> Use:
    def most(of: Callable[[Use], float]) -> float:
        return max(of(use) for use in uses)

    return Use(
        working_set_mib=most(lambda use: use.working_set_mib),
        anon_mib=most(lambda use: use.anon_mib),
        cpu=most(lambda use: use.cpu),
    )


def _asked(place: ClusterStage, part: str) -> Asked:
    container = place.apiserver.request("GET", WORKLOADS[part])["spec"]["template"]["spec"]["containers"][0]
    return asked_of(container["resources"])


def asked_of(resources: Json) -> Asked:
    """Read a container's resources, as deploy/base writes them: Mi and m."""
    request, limit = resources["requests"], resources["limits"]
    return Asked(
        request_mib=_number(request["memory"], unit="Mi"),
        limit_mib=_number(limit["memory"], unit="Mi"),
        cpu=_number(request["cpu"], unit="m"),
    )


def follows(rest: Use, pulling: Use) -> Asked:
    """Return what follows for a part: memory from the most that it has used, processor time from the rest."""
    most = max(rest.working_set_mib, pulling.working_set_mib)
    return Asked(
        request_mib=_up(REQUEST_MARGIN * most, step=STEP_MIB),
        limit_mib=_up(LIMIT_MARGIN * most, step=STEP_MIB),
        cpu=_up(rest.cpu, step=CPU_STEP),
    )


def _number(quantity: str, *, unit: str) -> float:
    if not quantity.endswith(unit):
        raise ValueError(f"{quantity} is not in {unit}")
    return float(quantity.removesuffix(unit))


def _up(value: float, *, step: int) -> float:
    return float(math.ceil(value / step) * step)


def _figures(part: str, rest: Use, pulling: Use, asked: Asked) -> list[Figure]:
    needed = follows(rest, pulling)
    for phase, use in (("at rest", rest), ("with two pulls", pulling)):
        memory = f"working set {use.working_set_mib:.1f} MiB, anon {use.anon_mib:.1f} MiB"
        show(f"{part} {phase}: {memory}, cpu {use.cpu:.1f}m")
    for what, one in (("asks for", asked), ("should ask for", needed)):
        memory = f"request {one.request_mib:g}Mi, limit {one.limit_mib:g}Mi"
        show(f"{part} {what}: memory {memory}, cpu {one.cpu:g}m{' or more' if one is needed else ''}")
    name = NAME if part == "agent" else f"{NAME}-{part}"
    most = max(rest.working_set_mib, pulling.working_set_mib)
    return [
        limited(name, most, limit=asked.request_mib, unit="MiB"),
        limited(f"{name}-limit", most, limit=asked.limit_mib * 2 / 3, unit="MiB"),
        limited(f"{name}-cpu", rest.cpu, limit=asked.cpu, unit="m"),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
