"""
A week of 5,000 nodes and a year of 50, in virtual time: nothing creeps and nothing is forgotten.

Together they take a little more than a minute, which is printed; the shorter stories of the same simulation are
tests/unit/coordinator/simulation's.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.coordinator.simulation.agents import Key, Pull
from tests.unit.coordinator.simulation.apiserver import NODES
from tests.unit.coordinator.simulation.checks import check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import Cluster, counted


DAY = 86_400.0
SUNDAY = datetime(2026, 3, 29, tzinfo=UTC)


def nightly(cluster: Cluster, *, parallelism: int | str) -> None:
    """Make two jobs that renew at two in the night in Berlin, the nodes within ten minutes of each other."""
    refresh = {"schedule": "0 2 * * *", "timeZone": "Europe/Berlin", "spreadSeconds": 600}
    refresh |= {"startingDeadlineSeconds": 14_400}
    for name in ("base", "app"):
        cluster.job(
            name,
            kind="Never",
            image=f"registry.example.com/{name}:v1",
            parallelism=parallelism,
            imagePullPolicy="Always",
            prewarm={"refresh": refresh},
        )


def some_fail(node: str, key: Key, at: datetime) -> Pull:
    """Let one pull in fifty fail, by chance that is the same in each run."""
    drawn = hash((node, key, at)) % 1000
    return Pull(0.2 + drawn % 7 / 10, "RegistryUnavailable" if drawn < 20 else "")


def seen_out(cluster: Cluster, *, days: int, churn: int) -> int:
    """Let days pass, on each of which some nodes go and others join; return how many requests there were."""
    leader = cluster.leader
    assert leader is not None
    requests = 0
    for day in range(days):
        for number in range(churn):
            names = [node["metadata"]["name"] for node in cluster.api.objects(NODES)]
            cluster.part(cluster.chance.choice(names))
            cluster.join(f"joined-{day}-{number}")
            cluster.run(DAY / churn)
        requests += len(leader.sent_requests)
        leader.sent_requests.clear()
    # It began at midnight: now no refresh is under way.
    cluster.run(DAY / 2)
    return requests


def check_all_is_well(cluster: Cluster, *, nodes: int) -> None:
    """Every node is warm, the counts are right, and nothing is left to write."""
    assert (nodes, 0, 0, 0) == counted(cluster.status("base")) == counted(cluster.status("app"))
    check_tallies(cluster)
    check_quiet(cluster)
    assert [] == writes_of(cluster)


@pytest.mark.timeout(300)
def test_a_week_of_5000_nodes_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Every node is warm by every morning, whatever failed, joined or left."""
    began = time.process_time()
    week = Cluster(1, start=SUNDAY - timedelta(days=5), pulls=some_fail, rate=200.0)
    for number in range(5000):
        week.join(f"n{number:04}")
    week.lead()
    nightly(week, parallelism=1000)
    week.until(lambda: week.is_ready("base") and week.is_ready("app"))

    requests = seen_out(week, days=7, churn=20)

    with capsys.disabled():
        sys.stdout.write(f"\na week of 5,000 nodes: {time.process_time() - began:.1f} s of CPU, {requests} requests\n")
    check_all_is_well(week, nodes=5000)


@pytest.mark.timeout(300)
def test_a_year_of_50_nodes_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Through both changes of the clocks."""
    began = time.process_time()
    year = Cluster(2, start=SUNDAY, pulls=some_fail)
    for number in range(50):
        year.join(f"n{number:02}")
    year.lead()
    nightly(year, parallelism="20%")

    requests = seen_out(year, days=365, churn=1)

    with capsys.disabled():
        sys.stdout.write(f"\na year of 50 nodes: {time.process_time() - began:.1f} s of CPU, {requests} requests\n")
    check_all_is_well(year, nodes=50)
