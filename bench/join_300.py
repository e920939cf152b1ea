"""
`join-300`: how long 300 Nodes that join at once wait for the first pull of a Never job, beyond the budget of writes.

From a Node's being Ready to its hollow agent's hearing of the entry; of that the time is taken off which the budget
makes unavoidable (100 writes a second after 200 at once). The figure is the 95th percentile.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from bench.budget import departures
from bench.coordinator_stage import NODES as NODES_PATH
from bench.coordinator_stage import CoordinatorStage, coordinator_stage, node
from bench.figure import conclude, limited, show, show_spread
from bench.hollow.senders import TIMEOUT_SECONDS
from daemon.cluster.transport import HttpApi
from tests.servers.jobs import job
from tests.servers.processes import until


NAME: Final = "join-300"
BOUND_SECONDS: Final = 2.0
NODES: Final = 300
TURNS: Final = 3
SHARE: Final = 0.95
# The coordinator's defaults.
RATE: Final = 100.0
BURST: Final = 200.0
REST_SECONDS: Final = 5.0


def main() -> int:
    """Measure several turns; the median of their 95th percentiles counts."""
    with coordinator_stage() as place:
        show(f"== {NAME}: {NODES} Nodes at once, the budget of writes at its default")
        place.job("join").create(job("registry.example/join:1.0", kind="Never", parallelism=NODES))
        found = [_turn(place, turn) for turn in range(TURNS)]
    show_spread("95th percentile, with the budget", [whole for whole, _ in found], unit="s")
    beyond = [beyond for _, beyond in found]
    show_spread("95th percentile, beyond the budget", beyond, unit="s")
    return conclude([limited(NAME, statistics.median(beyond), limit=BOUND_SECONDS, unit="s")])


def _turn(place: CoordinatorStage, turn: int) -> tuple[float, float]:
    """Return the 95th percentile of the whole wait and of that beyond the budget."""
    with place.coordinator(), place.hollow() as hollow:
        ends = time.monotonic() + REST_SECONDS
        until(lambda: time.monotonic() >= ends, what="the budget is at rest", timeout_seconds=2 * REST_SECONDS)
        ready = _join(place, [f"join-{turn}-{number}.example.internal" for number in range(NODES)])
        place.until_node_images(NODES, lambda found: found.get("status", {}).get("succeeded") == 1, what="are warm")
        hollow.stop()
        begun = {start.node: start.seconds for start in hollow.starts()}
    place.remove_nodes()
    place.remove_node_images()
    return (
        _percentile([begun[name] - at for name, at in ready.items()]),
        beyond_budget(list(ready.values()), list(begun.values())),
    )


def _join(place: CoordinatorStage, names: Sequence[str]) -> dict[str, float]:
    """Make Nodes and return when each was there."""
    ready: dict[str, float] = {}
    place.send_all([partial(_register, name=name, ready=ready) for name in names])
    return ready


def _register(api: HttpApi, *, name: str, ready: dict[str, float]) -> None:
    api.create(NODES_PATH, node(name, is_ready=True), timeout_seconds=TIMEOUT_SECONDS)
    ready[name] = time.monotonic()


def beyond_budget(ready: Sequence[float], begun: Sequence[float]) -> float:
    """Return the 95th percentile of the starts' delays, each against the earliest that its place in the row allows."""
    earliest = departures(ready, rate=RATE, burst=BURST)
    return _percentile([at - could for could, at in zip(earliest, sorted(begun), strict=True)])


def _percentile(samples: Sequence[float]) -> float:
    return sorted(samples)[int(SHARE * len(samples))]


if __name__ == "__main__":
    sys.exit(main())
