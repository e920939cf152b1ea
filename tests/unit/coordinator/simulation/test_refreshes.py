"""When a Never job's images are renewed, with how many writes, and what is told of it; in virtual time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from daemon.entries import place_in_spread
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies, granted_at, writes_of
from tests.unit.coordinator.simulation.cluster import Cluster, counted, steady, time_in, time_text


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TWO = datetime(2026, 1, 6, 2, tzinfo=UTC)
DAY = 86_400.0


def warm(
    refresh: dict[str, object] | None, *, nodes: int = 10, parallelism: int = 10, seconds: float = 3.0, jobs: int = 1
) -> Cluster:
    """Return a cluster in which every node is warm by jobs that are refreshed so."""
    cluster = Cluster(nodes=nodes, pulls=steady(seconds))
    Observer(cluster)
    cluster.lead()
    prewarm = {"refresh": refresh} if refresh else {}
    for number in range(jobs):
        image = f"registry.example.com/team/app-{number}:v1"
        cluster.job(
            f"app-{number}",
            kind="Never",
            image=image,
            parallelism=parallelism,
            imagePullPolicy="Always",
            prewarm=prewarm,
        )
    cluster.until(lambda: all(cluster.is_ready(f"app-{number}") for number in range(jobs)))
    return cluster


def go_to(cluster: Cluster, at: datetime) -> None:
    """Let time pass until a date."""
    cluster.run((at - cluster.at) / timedelta(seconds=1))


def starts(cluster: Cluster, *, since: datetime) -> dict[str, datetime]:
    """Return when each node first asked the registry since a date."""
    return {
        name: min(at for _, _, at in agent.pulled if at >= since)
        for name, agent in cluster.agents.items()
        if any(at >= since for _, _, at in agent.pulled)
    }


def told(cluster: Cluster) -> list[str]:
    """Return the reasons of the events of all leaders, in order."""
    return [event.reason for leader in cluster.leaders for _, event in leader.told]


def test_a_schedule_renews_every_node_at_its_place_in_the_spread() -> None:
    """Each node asks within seconds of the fire and its place, once."""
    cluster = warm({"schedule": "0 2 * * *", "spreadSeconds": 1800})

    go_to(cluster, TWO + timedelta(hours=1))

    late = {
        node: at - TWO - place_in_spread(node, spread_seconds=1800)
        for node, at in starts(cluster, since=TWO - timedelta(hours=1)).items()
    }
    assert 10 == len(late)
    assert all(timedelta() <= one <= timedelta(seconds=2) for one in late.values()), late
    assert [2] * 10 == [len(agent.pulled) for agent in cluster.agents.values()]
    check_quiet(cluster)


def test_a_schedule_means_its_time_zone() -> None:
    """Two o'clock in Berlin is one o'clock UTC in winter."""
    cluster = warm({"schedule": "0 2 * * *", "timeZone": "Europe/Berlin"})

    go_to(cluster, TWO)

    at = set(starts(cluster, since=NOON + timedelta(hours=1)).values())
    assert all(TWO - timedelta(hours=1) <= one < TWO - timedelta(minutes=59) for one in at), at


def test_a_refresh_keeps_to_the_parallelism() -> None:
    """With two slots of three seconds ten nodes take fifteen."""
    cluster = warm({"schedule": "0 2 * * *"}, parallelism=2)

    go_to(cluster, TWO + timedelta(hours=1))

    at = sorted(starts(cluster, since=TWO).values())
    assert all(after - before >= timedelta(seconds=2.9) for before, after in zip(at, at[2:], strict=False)), at
    assert 10 == len(at)


def test_a_refresh_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    """However its nodes are spread, and whoever leads meanwhile."""
    cluster = warm({"schedule": "0 2 * * *", "spreadSeconds": 1800}, parallelism=3)

    go_to(cluster, TWO + timedelta(minutes=10))
    during = cluster.status("app-0")["prewarm"]
    cluster.lead()
    go_to(cluster, TWO + timedelta(hours=1))
    after = cluster.status("app-0")["prewarm"]

    assert ["RefreshStarted", "RefreshFinished"] == told(cluster)
    assert (time_text(TWO)[:16], None) == (during["lastRefreshTime"][:16], during.get("nextRefreshTime"))
    assert during["lastRefreshTime"] == after["lastRefreshTime"]
    assert time_text(TWO + timedelta(days=1)) == after["nextRefreshTime"]


@pytest.mark.parametrize("spread_seconds", [0, 600])
def test_each_night_is_told_by_two_events(spread_seconds: int) -> None:
    """A week has seven refreshes, each told when it began and when it ended, in this order."""
    cluster = warm({"schedule": "0 2 * * *", "spreadSeconds": spread_seconds}, nodes=5)

    cluster.run(7.5 * DAY)

    assert ["RefreshStarted", "RefreshFinished"] * 7 == told(cluster)
    assert [8] * 5 == [len(agent.pulled) for agent in cluster.agents.values()]


def test_without_a_schedule_nodes_renew_each_24_hours_apart_from_each_other() -> None:
    """Between two renewals of a node lie 24 hours, give or take ten minutes."""
    cluster = warm(None, nodes=6)

    cluster.run(4 * DAY)

    for agent in cluster.agents.values():
        gaps = [after - before for before, after in pairwise([at for _, _, at in agent.pulled])]
        assert all(abs(gap - timedelta(hours=24)) <= timedelta(minutes=10, seconds=10) for gap in gaps), gaps
    assert time_in(cluster.status("app-0"), "prewarm", "nextRefreshTime") == min(
        granted_at(cluster, node, image="registry.example.com/team/app-0:v1")
        + timedelta(hours=24)
        + place_in_spread(node, spread_seconds=1200)
        - timedelta(minutes=10)
        for node in cluster.agents
    )


def test_at_renews_who_was_granted_before_it_and_no_other() -> None:
    """Setting `at` to now is how a person renews at once."""
    cluster = warm({"schedule": "0 2 * * *"})
    cluster.run(3600)
    edited_at = cluster.at

    cluster.edit("app-0", prewarm={"refresh": {"at": time_text(edited_at)}})
    cluster.run(60)

    assert 10 == len(starts(cluster, since=edited_at))
    assert [2] * 10 == [len(agent.pulled) for agent in cluster.agents.values()]
    assert ["RefreshStarted", "RefreshFinished"] == told(cluster)
    check_quiet(cluster)


def test_at_in_the_future_waits_for_it() -> None:
    """A maintenance window that is known beforehand."""
    cluster = warm({"schedule": "0 2 * * *", "at": "2026-01-05T18:00:00Z"})

    go_to(cluster, datetime(2026, 1, 5, 19, tzinfo=UTC))

    at = starts(cluster, since=NOON + timedelta(hours=1)).values()
    assert 10 == len(at)
    assert {"2026-01-05T18:00"} == {time_text(one)[:16] for one in at}


@pytest.mark.parametrize(("back_at", "is_renewed"), [(3, True), (5.9, True), (6.5, False)])
def test_a_fire_that_nobody_led_through_is_made_up_for_within_the_window(back_at: float, is_renewed: bool) -> None:  # noqa: FBT001 - a case
    """Within startingDeadlineSeconds of the fire a new leader begins the refresh; later it waits for the next one."""
    cluster = warm({"schedule": "0 2 * * *", "startingDeadlineSeconds": 4 * 3600})
    go_to(cluster, TWO - timedelta(hours=1))
    cluster.kill()

    go_to(cluster, TWO - timedelta(hours=2) + timedelta(hours=back_at))
    cluster.lead()
    cluster.run(600)

    assert (10 if is_renewed else 0) == len(starts(cluster, since=TWO))
    assert (10, 0, 0, 0) == counted(cluster.status("app-0"))
    assert (["RefreshStarted", "RefreshFinished"] if is_renewed else []) == told(cluster)
    check_quiet(cluster)


def test_no_node_begins_a_refresh_after_its_window() -> None:
    """What waits for a slot when startingDeadlineSeconds are over waits for the next fire, warm as it is."""
    cluster = warm({"schedule": "0 2 * * *", "startingDeadlineSeconds": 60}, parallelism=1, seconds=30.0)

    go_to(cluster, TWO + timedelta(hours=1))

    at = starts(cluster, since=TWO)
    assert 2 <= len(at) <= 3
    assert all(one <= TWO + timedelta(seconds=61) for one in at.values()), at
    assert (10, 0, 0, 0) == counted(cluster.status("app-0"))
    assert ["RefreshStarted", "RefreshFinished"] == told(cluster)
    check_quiet(cluster)


def test_rounds_of_a_refresh_stop_at_its_window_and_leave_the_node_stale() -> None:
    """A node that keeps its older image is not asked for all day; the next fire comes."""
    cluster = warm({"schedule": "0 2 * * *", "startingDeadlineSeconds": 600}, nodes=2)
    cluster.pulls = steady(1, reason="RegistryUnavailable")

    go_to(cluster, TWO + timedelta(hours=10))

    assert [(0, 2, 0, 0)] == [counted(cluster.status("app-0"))]
    assert all(at <= TWO + timedelta(seconds=611) for agent in cluster.agents.values() for _, _, at in agent.pulled)
    assert {5} == {len(agent.pulled) for agent in cluster.agents.values()}


def test_twenty_jobs_on_one_schedule_cost_one_write_a_node() -> None:
    """Whatever is due on a node within a minute goes in one patch, for all jobs and images."""
    cluster = warm({"schedule": "0 2 * * *", "spreadSeconds": 600}, nodes=8, parallelism=100, jobs=20)
    go_to(cluster, TWO - timedelta(minutes=1))
    before = len(writes_of(cluster))

    go_to(cluster, TWO + timedelta(minutes=30))

    writes = [write for write in writes_of(cluster)[before:] if "nodeimages" in write]
    assert 8 == len(writes) == len(set(writes)), len(writes)
    assert [2 * 20] * 8 == [len(agent.pulled) for agent in cluster.agents.values()]
    assert sorted(["RefreshStarted", "RefreshFinished"] * 20) == sorted(told(cluster))
    check_tallies(cluster)
    check_quiet(cluster)


def test_daily_renewals_within_a_minute_of_each_other_go_together() -> None:
    """A node whose jobs are due half a minute apart is written once; a node's own renewal is no refresh to tell of."""
    cluster = warm(None, nodes=1, jobs=1)
    cluster.run(30)
    cluster.job("late", kind="Never", imagePullPolicy="Always", image="registry.example.com/late:v1")
    cluster.until(lambda: cluster.is_ready("late"))
    before = len(writes_of(cluster))

    cluster.run(1.2 * DAY)

    writes = [write for write in writes_of(cluster)[before:] if "nodeimages" in write]
    assert 1 == len(writes)
    assert [] == told(cluster)


def test_a_node_that_joins_during_a_refresh_is_pulled_once() -> None:
    """What was just brought to a new node is not renewed by the fire before it."""
    cluster = warm({"schedule": "0 2 * * *", "spreadSeconds": 1800}, nodes=3)
    go_to(cluster, TWO + timedelta(minutes=5))

    cluster.join("new")
    go_to(cluster, TWO + timedelta(hours=2))

    assert 1 == len(cluster.agents["new"].pulled)


def test_a_moved_tag_is_on_every_node_after_the_night() -> None:
    """The tag moves in the evening; in the morning each node has the new image, and the status names one digest."""
    cluster = warm({"schedule": "0 2 * * *", "spreadSeconds": 600})
    for agent in cluster.agents.values():
        agent.digest = "2"
    before = cluster.status("app-0")["prewarm"]["digests"]

    go_to(cluster, TWO + timedelta(hours=1))

    after = cluster.status("app-0")["prewarm"]["digests"]
    assert {"2"} == {image for agent in cluster.agents.values() for image in agent.images.values()}
    assert [10] == [one["nodes"] for one in after]
    assert before != after
