"""What a job promises, whatever its kind: that it ends, within its ceiling, and that nothing is written for nothing."""

import pytest

from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import Cluster, condition, counted


@pytest.mark.parametrize("parallelism", [1, 3, 50, "20%", "100%", "1%"])
def test_an_always_job_ends_within_its_ceiling(parallelism: int | str) -> None:
    """Every node is brought the image once, no more at a time than the job says, and the job ends."""
    cluster = Cluster(nodes=20)
    observer = Observer(cluster)
    cluster.lead()

    uid = cluster.job("app", parallelism=parallelism)
    cluster.until(lambda: cluster.has_ended("app"))

    limit = {1: 1, 3: 3, 50: 20, "20%": 4, "100%": 20, "1%": 1}[parallelism]
    assert limit == observer.most[uid]
    assert (20, 0, 0, 0) == counted(cluster.status("app"))
    assert [1] * 20 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]
    check_tallies(cluster)
    check_quiet(cluster)


def test_a_never_job_becomes_ready_and_stays_so() -> None:
    """Every node is warm, and then nothing is written until something changes."""
    cluster = Cluster(nodes=10)
    Observer(cluster)
    cluster.lead()

    cluster.job("app", kind="Never", parallelism=4)
    cluster.until(lambda: cluster.is_ready("app"))

    check_tallies(cluster)
    check_quiet(cluster, seconds=3600)


def test_each_node_is_written_once_for_a_grant() -> None:
    """A job over new nodes costs one creation a node where slots are there, and as many statuses as seconds."""
    cluster = Cluster()
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=10)
    cluster.run(5)

    for number in range(10):
        cluster.join(f"n{number}")
    cluster.until(lambda: cluster.is_ready("app"))

    writes = [write for write in writes_of(cluster) if "nodeimages" in write]
    assert 10 == len(writes), writes


def test_twenty_jobs_on_one_image_share_each_nodes_entry() -> None:
    """Twenty jobs made at once end, with few writes a node, and each node pulls once."""
    cluster = Cluster(nodes=10)
    Observer(cluster)
    cluster.lead()
    cluster.run(5)
    before = len(writes_of(cluster))

    for number in range(20):
        cluster.job(f"job-{number}", parallelism=10)
    cluster.until(lambda: all(cluster.has_ended(f"job-{number}") for number in range(20)))

    assert [1] * 10 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]
    writes = [write for write in writes_of(cluster)[before:] if "nodeimages" in write]
    assert 40 >= len(writes), len(writes)
    check_tallies(cluster)
    check_quiet(cluster)


def test_jobs_of_every_kind_share_one_image() -> None:
    """Jobs with unlike policies and ends on one image all come to what they were made for."""
    cluster = Cluster(nodes=8)
    Observer(cluster)
    cluster.lead()

    for number in range(12):
        kind = "Never" if number % 3 == 0 else "Always"
        policy = "Always" if number % 2 else "IfNotPresent"
        cluster.job(f"job-{number}", kind=kind, parallelism=1 + number % 4, imagePullPolicy=policy)
        cluster.run(2)
    names = [f"job-{number}" for number in range(12)]
    cluster.until(lambda: all(cluster.has_ended(name) or cluster.is_ready(name) for name in names))

    assert all(condition(cluster.status(name), "Ready")["status"] == "True" for name in names)
    check_tallies(cluster)
    check_quiet(cluster)
