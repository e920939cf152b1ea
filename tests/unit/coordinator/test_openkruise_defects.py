"""
OpenKruise's known defects of scale, caches and order, which are none here; docs/compatibility.md lists them all.

Shown by the coordinator's own loop in virtual time. What stands in other tests is named there: by the number of a
public issue (kruise#N), or by "8.2 number N", the numbers of that list's second table.
"""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from daemon.cluster.paths import Verb
from daemon.coordinator.reckoning import standing_of
from daemon.coordinator.standing import Task
from tests.unit.coordinator.simulation.agents import Pull
from tests.unit.coordinator.simulation.apiserver import IMAGES, PODS, Change, VirtualApi
from tests.unit.coordinator.simulation.checks import check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import IMAGE, NAMESPACE, Cluster, counted, key_of, steady, time_in
from tests.unit.coordinator.simulation.coordinator import VirtualCoordinator


HOUR = 3600.0
Looks = list[tuple[str, str]]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Every look at where a node stands for a job, as the job's name and the node's; the looks are the product's."""
    made: Looks = []

    def noted(task: Task, **given: Any) -> object:  # noqa: ANN401 - what standing_of takes
        made.append((task.job.name, given["node"]))
        return standing_of(task, **given)

    monkeypatch.setattr("daemon.coordinator.fleet.standing_of", noted)
    return made


def leading(nodes: int = 3, **given: Any) -> tuple[Cluster, VirtualCoordinator]:  # noqa: ANN401 - Cluster's arguments
    """Return a cluster, and who leads it."""
    cluster = Cluster(nodes=nodes, **given)
    leader = cluster.lead()
    cluster.run(5)
    return cluster, leader


def without(api: VirtualApi, leader: VirtualCoordinator, *, resource: str) -> None:
    """Let the leader hear nothing any more of one kind of object, as where a watch hangs."""
    hear: Callable[[Change], None] = leader._hear
    api.watches.remove(hear)
    api.watches.append(lambda change: None if change.resource == resource else hear(change))


def image_writes(leader: VirtualCoordinator) -> list[tuple[str, str]]:
    """Return the leader's writes of NodeImages, as the verb and the end of the path."""
    writes = [one.write for one in leader.sent_requests if one.write is not None and IMAGES in one.write.path]
    return [(write.verb, write.path.rpartition("/")[2]) for write in writes]


def test_an_event_concerns_the_jobs_of_its_image_alone(looks: Looks) -> None:
    """
    One node's news of one image: of 198 jobs one is looked at, for that node, and one status is written.

    OpenKruise went through every job that matched the node, 887 times a second for so many (kruise#2483).
    """
    cluster, _ = leading(nodes=5, rate=10_000.0)
    images = [f"registry.example.com/team/app-{number}:v1" for number in range(198)]
    for number, image in enumerate(images):
        cluster.job(f"job-{number}", kind="Never", image=image, parallelism=5)
    cluster.until(lambda: all(cluster.is_ready(f"job-{number}") for number in range(198)))
    cluster.run(10)
    looks.clear()
    before = len(writes_of(cluster))

    cluster.agents["n03"].evict(key_of(images[7]))
    cluster.run(30)

    assert {("job-7", "n03")} == set(looks)
    written = {path.rpartition("/imagepulljobs/")[2] for path in writes_of(cluster)[before:]}
    assert {"job-7/status"} == written
    check_tallies(cluster)


@pytest.mark.parametrize("parallelism", [1, 1000])
def test_a_job_s_cost_grows_with_its_nodes_and_no_faster(looks: Looks, parallelism: int) -> None:
    """
    Three times the nodes are three times the looks, one patch of a NodeImage for each, and no object is replaced.

    OpenKruise lists all nodes for each event of one (8.2 number 19): nine times the work.
    """
    costs = []
    for nodes in (20, 60):
        cluster, leader = leading(nodes=nodes, pulls=steady(2.0), rate=10_000.0)
        before = len(image_writes(leader))
        looks.clear()

        cluster.job("app", parallelism=parallelism)
        cluster.until(functools.partial(cluster.has_ended, "app"))

        costs.append(len(looks) / nodes)
        assert [(Verb.PATCH, node) for node in sorted(cluster.agents)] == sorted(image_writes(leader)[before:])
        assert set() == {one.write.verb for one in leader.sent_requests if one.write} - {Verb.CREATE, Verb.PATCH}
    assert costs[0] == pytest.approx(costs[1], rel=0.1)


def test_a_node_image_that_no_watch_has_told_of_is_written_into() -> None:
    """What was just made is known by the answer to that, so a cache that lags is no failure (kruise#630)."""
    cluster, leader = leading(nodes=0, pulls=steady(1.0))
    without(cluster.api, leader, resource=IMAGES)
    for number in range(5):
        cluster.join(f"n{number}")
    cluster.run(5)

    cluster.job("app", parallelism=5)
    cluster.run(5)

    made = [(Verb.CREATE, IMAGES)] * 5
    assert made + [(Verb.PATCH, f"n{number}") for number in range(5)] == sorted(image_writes(leader))
    assert [] == [one for one in leader.sent_requests if one.write is None]
    leader.tell_all()
    cluster.until(lambda: cluster.has_ended("app"), seconds=10)
    assert (5, 0, 0, 0) == counted(cluster.status("app"))


def test_a_node_image_that_is_gone_unheard_is_made_again_with_what_is_wanted() -> None:
    """A 404 to a grant is no failure of the job: it is granted in the NodeImage that takes its place (kruise#630)."""
    cluster, leader = leading(nodes=2, pulls=steady(1.0))
    without(cluster.api, leader, resource=IMAGES)
    cluster.api.delete(IMAGES, "n01")

    cluster.job("app", parallelism=2)
    cluster.run(5)

    assert [(Verb.PATCH, "n01"), (Verb.CREATE, IMAGES)] == [
        one for one in image_writes(leader)[2:] if one != (Verb.PATCH, "n00")
    ]
    assert cluster.entry("n01") is not None
    leader.tell_all()
    cluster.until(lambda: cluster.has_ended("app"), seconds=10)
    assert (2, 0, 2) == tuple(cluster.status("app")[name] for name in ("desired", "failed", "succeeded"))


def test_a_late_report_of_an_older_version_answers_nothing() -> None:
    """A task that was stopped may still be told of, after the new one (8.2 number 10): the job waits for that one."""
    cluster, _ = leading(nodes=1, pulls=steady(100.0))
    cluster.job("app", kind="Never", imagePullPolicy="Always", parallelism=1)
    cluster.run(5)
    version = (cluster.entry("n00") or {})["version"]

    for phase in ("Pulling", "Succeeded", "Failed"):
        said = {"tag": "v1", "phase": phase, "version": version - 1, "completionTime": "2026-01-05T12:00:00Z"}
        repository = key_of(IMAGE)[0]
        status = {"desired": 1, "imageStatuses": {repository: {"tags": [said]}}}
        cluster.api.change(IMAGES, "n00", lambda found, status=status: {**found, "status": status}, is_status=True)  # type: ignore[misc]
        cluster.run(2)
        assert (1, 0, 0) == tuple(cluster.status("app")[name] for name in ("active", "succeeded", "failed"))
    cluster.run(100)
    assert cluster.is_ready("app")


def test_a_node_that_works_for_hours_has_not_failed() -> None:
    """
    An agent that goes on reporting is waited for, however long its queue is, over a change of the leader too.

    OpenKruise's manager counts from createdAt and fails what its daemon has not come to (8.2 number 13).
    """
    cluster, _ = leading(nodes=3, pulls=steady(4 * HOUR))
    cluster.job("app", parallelism=3)

    for _ in range(7):
        cluster.run(HOUR / 2)
        assert (3, 3, 0) == tuple(cluster.status("app")[name] for name in ("desired", "active", "failed"))
        cluster.lead()
    cluster.until(lambda: cluster.has_ended("app"), seconds=HOUR)

    assert (3, 0, 0, 0) == counted(cluster.status("app"))


def test_a_deadline_counts_from_the_job_s_beginning_over_any_restart() -> None:
    """It does not begin anew with a new leader (8.2 number 13: with each restart of OpenKruise's daemon)."""
    cluster, _ = leading(nodes=2, pulls=steady(10 * HOUR))
    bounds: dict[str, Any] = {
        "pullPolicy": {"timeoutSeconds": 600},
        "completionPolicy": {"activeDeadlineSeconds": 600},
    }
    cluster.job("app", parallelism=1, **bounds)

    for _ in range(8):
        cluster.run(45)
        cluster.lead()
    cluster.until(lambda: cluster.has_ended("app"))

    began, ended = (time_in(cluster.status("app"), name) for name in ("startTime", "completionTime"))
    assert began is not None
    assert ended is not None
    assert timedelta(seconds=600) <= ended - began <= timedelta(seconds=602)


def _pod(name: str, *, namespace: str, node: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}},
        "spec": {"nodeName": node},
        "status": {"phase": "Running"},
    }


def test_a_pod_of_another_namespace_concerns_no_job(looks: Looks) -> None:
    """Nobody hears of it, so nothing is looked at (8.2 number 18: OpenKruise looks at each matching job again)."""
    cluster, leader = leading(nodes=2)
    cluster.api.create(PODS, _pod("web", namespace=NAMESPACE, node="n00"))
    cluster.job("app", kind="Never", podSelector={"matchLabels": {"app": "web"}})
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.run(5)
    looks.clear()
    turns = leader.turns

    cluster.api.create(PODS, _pod("web", namespace="another", node="n01"))
    cluster.run(5)

    assert ([], turns) == (looks, leader.turns)
    assert (1, 0, 0, 0) == counted(cluster.status("app"))


def test_nodes_have_their_turn_in_an_order_that_is_kept() -> None:
    """
    The newest first, and one that has failed after those that had no turn yet: none is worked out and then lost.

    OpenKruise takes nodes by the alphabet, whatever order its Pods gave them (8.2 number 18).
    """

    def pulls(node: str, _key: tuple[str, str], _at: datetime) -> Pull:
        return Pull(1.0, "RegistryUnavailable") if node == "n4" else Pull(100.0)

    cluster = Cluster(pulls=pulls)
    cluster.lead()
    for name in ("n3", "n1", "n4", "n2"):
        cluster.run(60)
        cluster.join(name)
    cluster.run(60)

    cluster.job("app", kind="Never")
    cluster.until(lambda: len(cluster.agents["n4"].pulled) == 2)

    turns = sorted((at, name) for name, agent in cluster.agents.items() for _, _, at in agent.pulled)
    assert ["n2", "n4", "n1", "n3", "n4"] == [name for _, name in turns]


def test_a_node_that_was_seen_before_is_not_looked_at_again(looks: Looks) -> None:
    """A list that comes anew, as each watch has one from time to time, costs nothing (8.2 number 19)."""
    cluster, leader = leading(nodes=10)
    for number in range(5):
        cluster.job(f"job-{number}", kind="Never", image=f"registry.example.com/app-{number}:v1", parallelism=10)
    cluster.run(60)
    looks.clear()

    leader.tell_all()
    cluster.run(5)

    assert [] == looks


def test_the_job_of_a_higher_priority_is_granted_first() -> None:
    """Whichever came first; OpenKruise's jobs have neither priority nor order (kruise#1682)."""
    cluster = Cluster(nodes=10, pulls=steady(1.0), rate=1.0)
    cluster.lead()
    cluster.run(60)
    cluster.kill()
    halves = [[f"n{number:02}" for number in numbers] for numbers in (range(5), range(5, 10))]
    for name, half, priority in (("low", halves[0], 0), ("high", halves[1], 10)):
        selector, image = {"names": half}, f"registry.example.com/{name}:v1"
        cluster.job(name, image=image, selector=selector, parallelism=5, prewarm={"priority": priority})

    cluster.lead()
    cluster.until(lambda: all(agent.pulled for agent in cluster.agents.values()))

    began = {name: agent.pulled[0][2] for name, agent in cluster.agents.items()}
    assert max(began[name] for name in halves[1]) < min(began[name] for name in halves[0])


def test_no_second_has_more_writes_than_the_budget() -> None:
    """All kinds together, however many jobs and nodes ask for them at once; after a rest twice as many go at once."""
    sent: list[float] = []
    cluster = Cluster(nodes=100, pulls=steady(1.0), rate=20.0)
    # It refuses nothing, and notes when.
    cluster.api.refuses = lambda _write: sent.append(cluster.timeline.seconds)
    cluster.lead()

    for number in range(10):
        image = f"registry.example.com/app-{number}:v1"
        cluster.job(f"job-{number}", kind="Never", image=image, parallelism="50%")
    cluster.until(lambda: all(cluster.is_ready(f"job-{number}") for number in range(10)))

    most = max(sum(1 for at in sent if begin <= at < begin + 1.0) for begin in sent)
    assert 20 <= most <= 3 * 20
    assert len(sent) <= 2 * 20 + 20 * (sent[-1] - sent[0]) + 1
