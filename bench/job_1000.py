"""
`job-1000` and `job-1000-50`: nodes a second of a job over a thousand hollow nodes, beside a bare sender's patches.

The budget of writes is lifted, so that what is measured is the coordinator: from the job's POST to its completionTime,
with one status a node and no events. The reference is what the senders of the hollow nodes reach with nothing else
running, before and after. A node takes two writes, so no coordinator can exceed 0.5.

With the default budget it is shown what another client feels of such a job: the slowest hundredth of its writes.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Final

from bench.coordinator_stage import LIFTED, CoordinatorStage, coordinator_stage, node_names
from bench.figure import Figure, conclude, over_rate, show, show_spread
from bench.other_client import OtherClient
from tests.servers.jobs import job


NAME: Final = "job-1000"
BOUND: Final = 0.3
NODES: Final = 1000
# The figure's suffix by the job's parallelism.
JOBS: Final = {NODES: "", 50: "-50"}
TURNS: Final = 3
REST_SECONDS: Final = 10.0
JOB_SECONDS: Final = 120.0


def main() -> int:
    """Measure both, and show the other client."""
    with coordinator_stage() as place:
        place.make_nodes(node_names(NODES))
        with place.coordinator(*LIFTED), place.hollow():
            place.until_reported(NODES)
        show(f"== {NAME}: a job over {NODES} hollow nodes, the budget of writes lifted")
        rates = place.rates()
        found = _lifted(place)
        rates += place.rates()
        show_spread("the senders alone", rates, unit="patches/s")
        _show_other_client(place)
    return conclude([_figure(parallelism, found[parallelism], rate=statistics.median(rates)) for parallelism in JOBS])


def _lifted(place: CoordinatorStage) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {parallelism: [] for parallelism in JOBS}
    with place.coordinator(*LIFTED), place.hollow():
        for turn in range(TURNS):
            for parallelism, rates in found.items():
                rates.append(NODES / _seconds(place, f"turn-{turn}-{parallelism}", parallelism=parallelism))
    return found


def _seconds(place: CoordinatorStage, name: str, *, parallelism: int) -> float:
    """Return how long a job takes from its POST to its completionTime."""
    wanted = place.job(name)
    began = time.monotonic()
    wanted.create(job(f"registry.example/{name}:1.0", parallelism=parallelism))
    status = wanted.ended(timeout_seconds=JOB_SECONDS)
    seconds = time.monotonic() - began
    if status.get("succeeded") != NODES:
        raise RuntimeError(f"{name} has not pulled on every node: {status}")
    return seconds


def _figure(parallelism: int, rates: Sequence[float], *, rate: float) -> Figure:
    name = f"{NAME}{JOBS[parallelism]}"
    show_spread(f"parallelism {parallelism}", rates, unit="nodes/s")
    return over_rate(name, statistics.median(rates), rate=rate, unit="nodes/s", least=BOUND)


def _show_other_client(place: CoordinatorStage) -> None:
    with place.coordinator(), place.hollow(), OtherClient(place.apiserver, place.folder / "other") as other:
        rest = other.slowest_ms(seconds=REST_SECONDS)
        began = time.monotonic()
        seconds = _seconds(place, "budgeted", parallelism=NODES)
        busy = other.slowest_ms(since=began)
    show(
        f"another client's writes, the budget at its default: p99 {busy:.1f} ms during a job of {seconds:.1f} s,"
        f" {rest:.1f} ms at rest: {busy / rest:.2f} times"
    )


if __name__ == "__main__":
    sys.exit(main())
