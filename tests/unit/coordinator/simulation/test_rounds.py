"""A Never job is never final: its failed nodes get their rounds; in virtual time."""

from datetime import datetime, timedelta
from itertools import pairwise

from daemon.api.times import parse_time
from tests.unit.coordinator.simulation.agents import Pull, Pulls
from tests.unit.coordinator.simulation.apiserver import JOBS, Change
from tests.unit.coordinator.simulation.checks import check_quiet
from tests.unit.coordinator.simulation.cluster import Cluster, condition, counted, steady


DAY = 86_400.0


def until_then(at: datetime, *, reason: str = "RegistryUnavailable", seconds: float = 1.0) -> Pulls:
    """Let every pull fail that begins before a time."""
    return lambda _node, _key, now: Pull(seconds, reason if now < at else "")


def gaps(cluster: Cluster, node: str) -> list[float]:
    """Return how many minutes lay between a node's pulls, to a minute."""
    times = [at for _, _, at in cluster.agents[node].pulled]
    return [round((after - before) / timedelta(minutes=1)) for before, after in pairwise(times)]


def stall_in(change: Change) -> str:
    """Return the reason for which a job stands still, by what was written; "" for another object."""
    stall = condition(change.document.get("status", {}), "Stalled")
    return str(stall["reason"]) if change.resource == JOBS else ""


def test_rounds_come_after_a_minute_doubling_to_an_hour_and_never_stop() -> None:
    """A node that has no image is tried for ever."""
    cluster = Cluster(nodes=1, pulls=steady(1, reason="RegistryUnavailable"))
    cluster.lead()
    cluster.job("app", kind="Never")

    cluster.run(3 * DAY)

    assert [1, 2, 4, 8, 16, 32, *[60] * 60] == gaps(cluster, "n00")[:66]
    assert (0, 0, 1, 0) == counted(cluster.status("app"))


def test_what_a_person_must_mend_is_tried_hourly_and_told() -> None:
    """A permanent reason is asked again each hour, and the job is Stalled with that reason all the while."""
    cluster = Cluster(nodes=2, pulls=steady(1, reason="PlatformMismatch"))
    leader = cluster.lead()
    cluster.job("app", kind="Never", parallelism=2)
    cluster.run(60)
    said: set[str] = set()
    cluster.api.watches.append(lambda change: said.add(stall_in(change)))

    cluster.run(5 * 3600)

    assert [60] * 5 == gaps(cluster, "n00")
    assert {"PlatformMismatch"} == said - {""}
    assert ["Stalled"] == [event.reason for _, event in leader.told]


def test_a_success_begins_the_rounds_anew() -> None:
    """After a node was warm a later failure is tried again after a minute, not after an hour."""
    cluster = Cluster(nodes=1)
    cluster.pulls = until_then(cluster.at + timedelta(hours=3))
    cluster.lead()
    cluster.job("app", kind="Never", imagePullPolicy="Always")
    cluster.until(lambda: cluster.is_ready("app"), seconds=5 * 3600)
    before = len(cluster.agents["n00"].pulled)

    cluster.pulls = until_then(cluster.at + timedelta(hours=25))
    cluster.until(lambda: len(cluster.agents["n00"].pulled) > before + 3, seconds=2 * DAY)

    assert [1, 2, 4] == gaps(cluster, "n00")[before : before + 3]


def test_a_restart_goes_on_with_the_rounds_where_they_were() -> None:
    """The round stands in the entry: a new leader neither begins anew nor tries at once."""
    cluster = Cluster(nodes=1, pulls=steady(1, reason="RegistryUnavailable"))
    cluster.lead()
    cluster.job("app", kind="Never")
    cluster.run(20 * 60)

    for _ in range(10):
        cluster.lead()
        cluster.run(12 * 60)

    assert [1, 2, 4, 8, 16, 32, 60] == gaps(cluster, "n00")[:7]


def test_a_registry_that_is_away_for_two_minutes_at_a_refresh_costs_five() -> None:
    """Every node is warm five minutes after the refresh began, with the new image."""
    fire = datetime(2026, 1, 6, 2, tzinfo=parse_time("2026-01-06T02:00:00Z").tzinfo)
    cluster = Cluster(nodes=20)
    cluster.lead()
    refresh = {"refresh": {"schedule": "0 2 * * *"}}
    cluster.job("app", kind="Never", parallelism=10, imagePullPolicy="Always", prewarm=refresh)
    cluster.until(lambda: cluster.is_ready("app"))
    for agent in cluster.agents.values():
        agent.digest = "2"

    cluster.pulls = lambda _node, _key, at: Pull(
        5.0, "RegistryUnavailable" if fire <= at < fire + timedelta(minutes=2) else ""
    )
    cluster.run((fire + timedelta(minutes=5) - cluster.at) / timedelta(seconds=1))

    assert {"2"} == {image for agent in cluster.agents.values() for image in agent.images.values()}
    assert (20, 0, 0, 0) == counted(cluster.status("app"))


def test_one_failing_node_does_not_hold_up_the_others() -> None:
    """With one slot, a node that keeps failing comes after those that have had no turn."""
    cluster = Cluster(nodes=10, pulls=lambda node, _key, _at: Pull(2.0, "ImageNotFound" if node == "n05" else ""))
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=1)

    cluster.run(10 * 2.2 + 5)

    assert (9, 0, 1, 0) == counted(cluster.status("app"))
    assert ["n05"] == cluster.status("app")["failedNodes"]


def test_a_failed_round_writes_nothing_until_the_next() -> None:
    """Between two rounds nothing is written."""
    cluster = Cluster(nodes=3, pulls=steady(1, reason="RegistryUnavailable"))
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=3)
    cluster.run(64 * 60 + 200)

    check_quiet(cluster, seconds=60)
