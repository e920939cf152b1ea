"""
`night`: the API writes a node of a nightly refresh of twenty unchanged images on a thousand hollow nodes.

Twenty Never jobs of parallelism 1,000 have one schedule. Every write is counted, by the API server itself and whoever
made it: the coordinator's patches of NodeImages, the nodes' statuses, the jobs' statuses, events, Leases.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.api_writes import writes_of
from bench.coordinator_stage import LIFTED, CoordinatorStage, coordinator_stage, node_names
from bench.figure import conclude, limited, show
from daemon.api.times import parse_time
from tests.servers.jobs import JobOnServer, counted, job
from tests.servers.processes import until


NAME: Final = "night"
BOUND: Final = 4.0
NODES: Final = 1000
JOBS: Final = 20
# For the jobs to take the schedule and to come to rest before it fires.
AHEAD: Final = timedelta(seconds=30)
# The last status of a job comes within this time.
SETTLED_SECONDS: Final = 10.0
NIGHT_SECONDS: Final = 300.0


def main() -> int:
    """Measure one night."""
    with coordinator_stage() as place:
        jobs = _warm(place)
        show(f"== {NAME}: {JOBS} jobs on one schedule, {JOBS} unchanged images on {NODES} hollow nodes")
        with place.coordinator(), place.hollow():
            fire = _schedule(jobs)
            _wait(fire - datetime.now(UTC) - timedelta(seconds=5))
            before = writes_of(place.apiserver.text("/metrics"))
            _until_refreshed(jobs, fire=fire)
            took = (datetime.now(UTC) - fire).total_seconds()
            _wait(timedelta(seconds=SETTLED_SECONDS))
            made = writes_of(place.apiserver.text("/metrics")) - before
    for what, count in made.most_common():
        show(f"{what}: {count}, {count / NODES:.3f} a node")
    show(f"the last node was fresh after {took:.1f} s")
    return conclude([limited(NAME, made.total() / NODES, limit=BOUND, unit="writes/node")])


def _warm(place: CoordinatorStage) -> list[JobOnServer]:
    """Make the jobs and the Nodes, and have every image everywhere."""
    jobs = [place.job(f"night-{number}") for number in range(JOBS)]
    for number, wanted in enumerate(jobs):
        wanted.create(job(f"registry.example/night-{number}:1.0", kind="Never", parallelism=NODES))
    place.make_nodes(node_names(NODES))
    with place.coordinator(*LIFTED), place.hollow():
        for wanted in jobs:
            wanted.until_ready(nodes=NODES, timeout_seconds=NIGHT_SECONDS)
    return jobs


def _schedule(jobs: Sequence[JobOnServer]) -> datetime:
    """Give all jobs one schedule, and return when it fires."""
    fire = (datetime.now(UTC) + AHEAD).replace(second=0, microsecond=0) + timedelta(minutes=1)
    refresh = {"schedule": f"{fire.minute} {fire.hour} * * *", "timeZone": "Etc/UTC", "spreadSeconds": 0}
    for wanted in jobs:
        wanted.edit({"prewarm": {"refresh": refresh}})
    return fire


def _wait(left: timedelta) -> None:
    ends = time.monotonic() + left.total_seconds()
    until(lambda: time.monotonic() >= ends, what="the time is over", timeout_seconds=left.total_seconds() + 10)


def _until_refreshed(jobs: Sequence[JobOnServer], *, fire: datetime) -> None:
    for wanted in jobs:
        wanted.until(
            lambda status: _is_refreshed(status, fire=fire),
            what=f"refreshed at {fire}",
            timeout_seconds=NIGHT_SECONDS,
        )


def _is_refreshed(status: dict[str, object], *, fire: datetime) -> bool:
    prewarm = status.get("prewarm")
    last = prewarm.get("lastRefreshTime") if isinstance(prewarm, dict) else None
    is_begun = isinstance(last, str) and parse_time(last) >= fire
    return is_begun and counted(status) == (NODES, 0, 0, 0) and not status.get("active")


if __name__ == "__main__":
    sys.exit(main())
