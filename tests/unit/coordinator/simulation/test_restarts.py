"""A leader that dies at any moment: the next one reaches the same end, within the ceiling, and repeats nothing."""

from functools import partial

import pytest

from tests.unit.coordinator.simulation.agents import Pull
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies
from tests.unit.coordinator.simulation.cluster import IMAGE, Cluster, counted, key_of
from tests.unit.coordinator.simulation.coordinator import VirtualCoordinator
from tests.unit.coordinator.simulation.story import Story
from tests.unit.coordinator.simulation.weather import Weather


SLOW = Weather(latency=(0.05, 0.2), lag=(0.05, 0.3))


def begun(seed: int = 0) -> Cluster:
    """Return a cluster with a job of each kind on two images, one node of which fails."""
    cluster = Cluster(
        seed,
        nodes=6,
        weather=SLOW,
        pulls=lambda node, _key, _at: Pull(3.0, "ImageNotFound" if node == "n03" else ""),
    )
    Observer(cluster)
    cluster.lead()
    cluster.job("always", parallelism=2)
    cluster.job("never", kind="Never", parallelism=2, image="registry.example.com/other:v1")
    return cluster


def is_over(cluster: Cluster) -> bool:
    """Tell whether both jobs have come as far as they can."""
    return cluster.has_ended("always") and counted(cluster.status("never")) == (5, 0, 1, 0)


def has_lived(cluster: Cluster, leader: VirtualCoordinator, since: float, writes: int) -> bool:
    """Tell whether a leader has sent so many requests, or has led for twenty seconds."""
    return len(leader.sent_requests) >= writes or cluster.timeline.seconds > since + 20


def are_over(cluster: Cluster, numbers: tuple[int, ...]) -> bool:
    """Tell whether these jobs have ended or are ready."""
    return all(cluster.has_ended(f"job-{number}") or cluster.is_ready(f"job-{number}") for number in numbers)


@pytest.mark.parametrize("writes", range(27))
def test_a_leader_killed_between_any_two_writes_is_followed_by_one_that_ends_the_same(writes: int) -> None:
    """Whatever was written, each node is asked once for each job, and the counts are the same."""
    cluster = begun()
    leader = cluster.leader
    assert leader is not None
    cluster.until(lambda: len(leader.sent_requests) >= writes, seconds=30)

    cluster.lead()
    cluster.until(lambda: is_over(cluster), seconds=300)

    status = cluster.status("always")
    assert (6, 0, 5, 1) == tuple(status[name] for name in ("desired", "active", "succeeded", "failed"))
    assert [1] * 6 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]
    check_tallies(cluster)


@pytest.mark.parametrize("writes", [7, 19])
def test_a_leader_killed_again_and_again_ends_the_same(writes: int) -> None:
    """A coordinator that lives for a few writes gets on by those."""
    cluster = begun()

    for _ in range(40):
        leader = cluster.leader
        assert leader is not None
        if is_over(cluster):
            break
        cluster.until(partial(has_lived, cluster, leader, cluster.timeline.seconds, writes), seconds=100)
        cluster.lead()

    assert is_over(cluster)
    assert [1] * 6 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]


@pytest.mark.parametrize("seed", range(6))
def test_whoever_leads_the_end_is_the_same(seed: int) -> None:
    """One story told with a leader that lives, and with leaders that die each minute: entries and owners are alike."""
    ends = []
    for dies in (False, True):
        cluster = Cluster(seed, nodes=5, weather=SLOW)
        Observer(cluster)
        cluster.lead()
        for number in range(6):
            kind = "Never" if number % 2 else "Always"
            cluster.job(
                f"job-{number}", kind=kind, parallelism=1 + number % 3, image=f"registry.example.com/{number % 2}:v1"
            )
            if dies:
                cluster.lead()
            cluster.run(20)
        cluster.edit("job-1", image="registry.example.com/9:v1")
        cluster.delete("job-3")
        cluster.part("n02")
        if dies:
            cluster.lead()
        cluster.until(partial(are_over, cluster, (0, 1, 2, 4, 5)), seconds=600)
        cluster.run(5)
        ends.append(Story.entries_in(cluster))

    assert ends[0] == ends[1]


def test_nothing_that_had_ended_is_pulled_again_by_a_restart() -> None:
    """Ten restarts of a cluster at rest cost no pull and no write."""
    cluster = Cluster(nodes=5)
    cluster.lead()
    cluster.job("ends", imagePullPolicy="Always", parallelism=5)
    cluster.job("stays", kind="Never", imagePullPolicy="Always", parallelism=5)
    cluster.job("fails", kind="Never", image="registry.example.com/none:v1", parallelism=5, prewarm={"priority": 3})
    cluster.until(lambda: cluster.has_ended("ends") and cluster.is_ready("stays"))
    cluster.run(30)
    before = [len(agent.pulled) for agent in cluster.agents.values()]

    for _ in range(10):
        check_quiet(cluster, seconds=5)

    assert before == [len(agent.pulled) for agent in cluster.agents.values()]


def test_a_suspended_job_stays_suspended_over_a_restart() -> None:
    """Its grants hold no slot and are not taken back."""
    cluster = Cluster(nodes=4, pulls=lambda _node, _key, _at: Pull(100.0))
    Observer(cluster)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=2)
    cluster.run(5)
    cluster.edit("app", prewarm={"suspend": True})
    cluster.run(5)

    check_quiet(cluster)
    cluster.edit("app", prewarm={"suspend": False})
    cluster.until(lambda: cluster.is_ready("app"), seconds=600)

    check_tallies(cluster)


def test_a_frozen_leader_that_wakes_takes_in_what_it_missed_before_it_writes() -> None:
    """Ten minutes without a turn: then one look at everything, and no grant above the ceiling."""
    cluster = begun()
    leader = cluster.leader
    assert leader is not None
    cluster.run(4)

    leader.is_frozen = True
    cluster.run(600)
    leader.thaw()
    cluster.until(lambda: is_over(cluster), seconds=300)

    assert [1] * 6 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]


def test_a_node_that_is_kept_warm_while_another_job_joins_stays_ended_for_the_first() -> None:
    """An image that was removed is pulled again; another's turn meanwhile opens nothing again for who had ended."""
    cluster = Cluster(nodes=1, pulls=lambda _node, _key, _at: Pull(20.0))
    observer = Observer(cluster)
    cluster.lead()
    first = cluster.job("first", kind="Never", parallelism=1)
    cluster.until(lambda: cluster.is_ready("first"))

    cluster.agents["n00"].evict(key_of(IMAGE))
    cluster.run(5)
    cluster.job("second", imagePullPolicy="Always")
    cluster.run(2)

    ended = (cluster.entry("n00") or {})["prewarm"]["ended"]
    assert [{"uid": first, "phase": "Succeeded"}] == ended
    assert {"first", "second"} == {owner["name"] for owner in (cluster.entry("n00") or {})["ownerReferences"]}
    cluster.until(lambda: cluster.has_ended("second"), seconds=100)
    assert 1 == observer.most[first]


def test_an_image_removed_under_a_finished_jobs_entry_is_brought_back_until_that_expires() -> None:
    """The entry stands as long as it should, also while the node pulls again."""
    cluster = Cluster(nodes=1, pulls=lambda _node, _key, _at: Pull(20.0))
    cluster.lead()
    cluster.job("app")
    cluster.until(lambda: cluster.has_ended("app"))
    cluster.run(30)

    cluster.agents["n00"].evict(key_of(IMAGE))
    cluster.run(5)
    during = cluster.entry("n00")
    cluster.run(30)

    assert during is not None
    assert "Succeeded" == (cluster.answer("n00") or {})["phase"]
    cluster.run(7200)
    assert None is cluster.entry("n00")
