"""Deletions, deadlines, and the times to live of jobs and entries; in virtual time."""

import pytest

from tests.unit.coordinator.simulation.agents import Pull, Pulls
from tests.unit.coordinator.simulation.checks import Observer, check_quiet
from tests.unit.coordinator.simulation.cluster import Cluster, condition, time_in
from tests.unit.coordinator.simulation.documents import Json


OTHER = "registry.example.com/team/app:v2"
HOUR = 3600.0


def started(pulls: Pulls | None = None) -> Cluster:
    """Return a cluster of six nodes whose ceilings are watched."""
    cluster = Cluster(nodes=6, pulls=pulls)
    Observer(cluster)
    cluster.lead()
    return cluster


def names(cluster: Cluster) -> list[str]:
    """Return the nodes' names."""
    return sorted(cluster.agents)


def test_a_deleted_job_is_withdrawn_and_others_stay() -> None:
    """Its references go, and an entry that nobody else owns."""
    cluster = started()
    cluster.job("gone", kind="Never", parallelism=6)
    cluster.job("stays", kind="Never", parallelism=6, selector={"names": ["n00"]})
    cluster.until(lambda: cluster.is_ready("gone") and cluster.is_ready("stays"))

    cluster.delete("gone")
    cluster.run(5)

    assert ["n00"] == [node for node in names(cluster) if cluster.entry(node)]
    assert ["stays"] == [owner["name"] for owner in (cluster.entry("n00") or {})["ownerReferences"]]
    check_quiet(cluster)


def test_a_job_deleted_while_nobody_leads_is_withdrawn_by_the_next_leader() -> None:
    """Whoever comes to lead takes back what belongs to no job any more."""
    cluster = started()
    cluster.job("app", kind="Never", parallelism=6)
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.kill()

    cluster.delete("app")
    cluster.lead()
    cluster.run(5)

    assert [None] * 6 == [cluster.entry(node) for node in names(cluster)]
    check_quiet(cluster)


@pytest.mark.parametrize("is_away", [False, True])
def test_a_deadline_ends_a_job_and_withdraws_what_runs(is_away: bool) -> None:  # noqa: FBT001 - a case
    """At activeDeadlineSeconds the open nodes count as failed and their pulls are taken back, also after a restart."""
    cluster = started(pulls=lambda node, _key, _at: Pull(5.0 if node < "n03" else 10 * HOUR))
    bounds: Json = {"pullPolicy": {"timeoutSeconds": 60}, "completionPolicy": {"activeDeadlineSeconds": 60}}
    cluster.job("app", parallelism=6, **bounds)
    cluster.run(30)
    if is_away:
        cluster.kill()
        cluster.run(300)
        cluster.lead()

    cluster.until(lambda: cluster.has_ended("app"), seconds=60)
    cluster.run(5)

    status = cluster.status("app")
    assert (3, 3, ["n03", "n04", "n05"]) == (status["succeeded"], status["failed"], status["failedNodes"])
    assert "DeadlineExceeded" == condition(status, "Failed")["reason"]
    assert ["n00", "n01", "n02"] == [node for node in names(cluster) if cluster.entry(node)]
    cluster.run(HOUR)
    check_quiet(cluster)


def test_a_deadline_ends_a_job_that_is_held_back() -> None:
    """A job that was never granted anything ends at its deadline too."""
    cluster = started()
    bounds: Json = {"pullPolicy": {"timeoutSeconds": 60}, "completionPolicy": {"activeDeadlineSeconds": 60}}
    cluster.job("app", parallelism=0, **bounds)

    cluster.until(lambda: cluster.has_ended("app"), seconds=70)

    assert (0, 6) == (cluster.status("app")["succeeded"], cluster.status("app")["failed"])
    check_quiet(cluster)


def test_a_finished_job_and_its_entries_live_as_long_as_they_should() -> None:
    """After ttlSecondsAfterFinished the job is deleted; its entries go with it, or at their own time to live."""
    cluster = started()
    cluster.job("short", parallelism=6, completionPolicy={"ttlSecondsAfterFinished": 60})
    cluster.job("long", parallelism=6, image=OTHER)
    cluster.until(lambda: cluster.has_ended("short") and cluster.has_ended("long"))
    ended_at = cluster.at

    cluster.run(70)
    left = [job["metadata"]["name"] for job in cluster.api.objects("imagepulljobs")]
    entries = [bool(cluster.entry(node)) for node in names(cluster)]
    cluster.run(3 * HOUR)

    assert (["long"], [False] * 6) == (left, entries)
    assert [None] * 6 == [cluster.entry(node, image=OTHER) for node in names(cluster)]
    assert (time_in(cluster.status("long"), "completionTime") or ended_at) <= ended_at
    check_quiet(cluster)


def test_an_active_jobs_entry_does_not_expire_under_it() -> None:
    """A node that has long ended keeps its entry while others of the same job have not."""
    cluster = started(pulls=lambda node, _key, _at: Pull(5.0 if node < "n05" else 2 * HOUR))
    cluster.job("app", parallelism=6, pullPolicy={"timeoutSeconds": 1, "backoffLimit": 0})

    cluster.run(HOUR)

    assert [True] * 6 == [bool(cluster.entry(node)) for node in names(cluster)]
    cluster.until(lambda: cluster.has_ended("app"), seconds=2 * HOUR)
    assert [1] * 6 == [cluster.pulls_of(node) for node in names(cluster)]
