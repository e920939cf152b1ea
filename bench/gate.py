"""
`gate`: from a new node's being warm to a waiting Pod's being bound to it, and how often that Pod starts without a pull.

A Pod waits that only the new node fits. The node joins with the startup taint, a gating job brings the image, and the
coordinator takes the taint off: warm is when a watcher hears of the agent's Succeeded, bound when one hears of the
Pod's nodeName. Each node is a machine of its own with an empty disk, and every third has containerd 2.x. The deadline
of the gate is far away, and its event must not be there.

`gate-deadline` is the other way out: a node that joins while the registry is dead opens all the same, so many seconds
after the deadline. The coordinator has one of thirty seconds for it.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from bench.cluster_stage import ClusterStage, cluster_stage, has_pulled, turns_wanted
from bench.figure import Figure, conclude, limited, show, show_spread
from bench.stage import MB, layers
from bench.watcher import Sighting, Watcher
from daemon.api.times import parse_time
from tests.servers.cluster.pods import PRESENT, is_running
from tests.servers.images import PushedImage
from tests.servers.jobs import job
from tests.servers.nodes import GATE
from tests.servers.processes import until


Json = dict[str, Any]

NAME: Final = "gate"
TURNS: Final = 50
BOUND_SECONDS: Final = 2.0
DEADLINE_SECONDS: Final = 30.0
BOUND_DEADLINE_SECONDS: Final = 2.0
LAYERS: Final = 2
LAYER_BYTES: Final = 10 * MB
JOIN_SECONDS: Final = 240.0
WATCH_SECONDS: Final = 300
PODS: Final = "/api/v1/pods"
NODES: Final = "/api/v1/nodes"


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """What one node's joining was like: seconds, and whether the waiting Pod found its image."""

    warm: float
    bound: float
    running: float
    is_present: bool


def main(words: Sequence[str] = ()) -> int:
    """Let nodes join, one after the other, and one with the registry dead."""
    turns = turns_wanted(words, name=NAME, default=TURNS, what="how many nodes join")
    with cluster_stage() as place:
        image = place.push_app("gated", layers=layers(LAYERS, size_bytes=LAYER_BYTES))
        _open_to(place, image)
        show(f"== {NAME}: {turns} nodes join one after the other, with an image of {image.layer_bytes / MB:.0f} MB")
        joins = [_join(place, image, f"gated-{turn}") for turn in range(turns)]
        beyond = _beyond_deadline(place, image)
    return conclude([*_figures(joins), limited(f"{NAME}-deadline", beyond, limit=BOUND_DEADLINE_SECONDS, unit="s")])


def _open_to(place: ClusterStage, image: PushedImage) -> None:
    """Have the gating job warm the nodes that are there, so that each new one is its only work."""
    gating = place.job("gating")
    gating.create(job(image.reference, kind="Never", parallelism="100%", prewarm={"gate": True}))
    gating.until_ready(nodes=len(place.cluster.nodes))


def _join(place: ClusterStage, image: PushedImage, name: str) -> Join:
    """Let a node join while a Pod waits for it, and take both away again."""
    pod = place.pod(f"waits-for-{name}")
    with (
        Watcher(place.apiserver, for_seconds=WATCH_SECONDS) as node_images,
        Watcher(place.apiserver, collection=PODS, for_seconds=WATCH_SECONDS) as pods,
    ):
        pod.create(image.reference, node=name)
        began = time.monotonic()
        place.cluster.join(name, taints=(f"{GATE}:NoSchedule",))
        wait: Json = {"timeout_seconds": JOIN_SECONDS}
        warm = node_images.first(name, lambda found: _is_warm(found, image), what="is warm", **wait)
        bound = pods.first(pod.name, _is_bound, what="is bound", **wait)
        running = pods.first(pod.name, is_running, what="runs", **wait)
    _check_it_was_warm(place, name, warm=warm, bound=bound)
    is_present = not has_pulled(pod) and any(PRESENT in note for note in pod.notes("Pulled"))
    pod.delete()
    place.leave(name)
    join = Join(
        warm=warm.seconds - began,
        # What is heard on two connections may be heard in another order, by milliseconds.
        bound=max(0.0, bound.seconds - warm.seconds),
        running=running.seconds - bound.seconds,
        is_present=is_present,
    )
    show(
        f"{name}: warm {join.warm:.3f} s after it was switched on, bound {join.bound:.3f} s later, running "
        f"{join.running:.3f} s later, {'no pull' if is_present else 'PULLED'}"
    )
    return join


def _check_it_was_warm(place: ClusterStage, name: str, *, warm: Sighting, bound: Sighting) -> None:
    """
    Make sure that the time from the one to the other is what is to be measured.

    Raises:
        RuntimeError: the Pod was bound before the node was warm, by the versions that etcd counts, or by the deadline.
    """
    versions = _version(warm.resource), _version(bound.resource)
    if versions[0] > versions[1]:
        raise RuntimeError(f"{name} took its Pod at {versions[1]}, before it was warm at {versions[0]}")
    if cold := _events(place, name, "GateOpenedCold"):
        raise RuntimeError(f"{name} was opened by the deadline, so nothing is shown: {cold[0]['note']}")


def _version(found: Json) -> int:
    return int(found["metadata"]["resourceVersion"])


def _beyond_deadline(place: ClusterStage, image: PushedImage) -> float:
    """Return how long after its deadline a node opens whose registry is dead."""
    _set_deadline(place)
    place.cluster.network.refuse()
    name = "deadline"
    pod = place.pod(f"waits-for-{name}")
    with Watcher(place.apiserver, collection=NODES) as nodes, Watcher(place.apiserver, collection=PODS) as pods:
        pod.create(image.reference, node=name)
        place.cluster.join(name, taints=(f"{GATE}:NoSchedule",))
        closed = nodes.first(name, _is_closed, what="is closed").resource
        opened = nodes.first(name, lambda found: not _is_closed(found), what="is open", timeout_seconds=JOIN_SECONDS)
        pods.first(pod.name, _is_bound, what="is bound")
    opened_at = datetime.now(UTC).timestamp() - (time.monotonic() - opened.seconds)
    until(lambda: _events(place, name, "GateOpenedCold"), what="GateOpenedCold", timeout_seconds=30)
    place.cluster.network.accept()
    return opened_at - _created_at(closed).timestamp() - DEADLINE_SECONDS


def _set_deadline(place: ClusterStage) -> None:
    """Give the coordinators another deadline, and wait until they all have it."""
    add = {
        "op": "add",
        "path": "/spec/template/spec/containers/0/args/-",
        "value": f"--gate-deadline={DEADLINE_SECONDS}",
    }
    path = "/apis/apps/v1/namespaces/prewarm-system/deployments/prewarm-coordinator"
    place.apiserver.request("PATCH", path, [add])
    place.product.until_up()


def _is_warm(node_image: Json, image: PushedImage) -> bool:
    statuses = node_image.get("status", {}).get("imageStatuses", {})
    return any(one["phase"] == "Succeeded" for one in statuses.get(image.key, {}).get("tags", []))


def _is_bound(pod: Json) -> bool:
    return bool(pod["spec"].get("nodeName"))


def _is_closed(node: Json) -> bool:
    return any(taint["key"] == GATE for taint in node["spec"].get("taints", []))


def _created_at(found: Json) -> datetime:
    return parse_time(found["metadata"]["creationTimestamp"])


def _events(place: ClusterStage, name: str, reason: str) -> list[Json]:
    found: list[Json] = place.apiserver.request("GET", "/apis/events.k8s.io/v1/events")["items"]
    return [one for one in found if one["reason"] == reason and one.get("regarding", {}).get("name") == name]


def _figures(joins: Sequence[Join]) -> list[Figure]:
    bound = [join.bound for join in joins]
    present = float(sum(join.is_present for join in joins))
    show_spread("from switched on to warm", [join.warm for join in joins], unit="s")
    show_spread("from warm to bound", bound, unit="s")
    show_spread("from bound to running", [join.running for join in joins], unit="s")
    worst = limited(f"{NAME}-worst", max(bound), limit=BOUND_SECONDS, unit="s")
    kept = Figure(
        name=f"{NAME}-without-pull",
        ours=present,
        reference=float(len(joins)),
        unit="starts",
        ratio=present / len(joins),
        bound=float(len(joins)),
        is_floor=True,
    )
    return [limited(NAME, statistics.median(bound), limit=BOUND_SECONDS, unit="s"), worst, kept]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
