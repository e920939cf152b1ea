"""What people do to objects that nobody foresees: finalizers, selectors that let a closed node go; in virtual time."""

from datetime import timedelta

import pytest

from daemon.api.times import parse_time
from tests.unit.coordinator.simulation.agents import Key, Task, VirtualAgent
from tests.unit.coordinator.simulation.apiserver import IMAGES, JOBS, said
from tests.unit.coordinator.simulation.cluster import IMAGE, NAMESPACE, Cluster, counted, key_of, steady, time_text
from tests.unit.coordinator.simulation.coordinator import GATE
from tests.unit.coordinator.simulation.documents import Json, merge_patched


FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
GATED: Json = {"key": GATE, "effect": "NoSchedule"}


def warm_with_a_finalizer() -> Cluster:
    """Return a cluster in which one node's NodeImage would outlive its deletion."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=2)
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.api.change(IMAGES, "n00", lambda found: merge_patched(found, {"metadata": {"finalizers": ["a.test/b"]}}))
    return cluster


def let_go(cluster: Cluster) -> None:
    """Take the finalizer off."""
    cluster.api.change(IMAGES, "n00", lambda found: merge_patched(found, {"metadata": {"finalizers": None}}))


def test_a_nodeimage_that_somebody_holds_back_from_deletion_is_not_written_again_and_again() -> None:
    """Nothing can be granted by it; its node waits, cold, for the next one."""
    cluster = warm_with_a_finalizer()
    before = cluster.api.read(IMAGES, "n00")["metadata"]["generation"]

    cluster.api.delete(IMAGES, "n00")
    cluster.edit_node("n00", {"metadata": {"labels": {"zone": "b"}}})
    cluster.run(30)

    assert before == cluster.api.read(IMAGES, "n00")["metadata"]["generation"]
    assert (1, 0, 1, 0) == counted(cluster.status("app"))
    let_go(cluster)
    cluster.until(lambda: counted(cluster.status("app")) == (2, 0, 0, 0), seconds=60)


def test_a_node_that_comes_back_waits_for_the_end_of_its_old_nodeimage() -> None:
    """The old one is of another machine; while somebody holds it back it is neither filled nor counted."""
    cluster = warm_with_a_finalizer()
    cluster.part("n00")
    cluster.join("n00")
    cluster.run(5)
    before = cluster.api.read(IMAGES, "n00")["metadata"]["generation"]

    cluster.run(30)

    assert before == cluster.api.read(IMAGES, "n00")["metadata"]["generation"]
    assert (1, 0, 1, 0) == counted(cluster.status("app"))
    let_go(cluster)
    cluster.until(lambda: counted(cluster.status("app")) == (2, 0, 0, 0), seconds=60)
    assert said(cluster.api.read(IMAGES, "n00"), "spec", "images", key_of(IMAGE)[0]) is not None


def test_a_gate_opens_once_its_job_is_edited_to_select_other_nodes() -> None:
    """Also on nodes that had no grant of it yet: with one slot, all but one."""
    cluster = Cluster()
    cluster.lead()
    cluster.job("app", kind="Never", selector={"names": ["a", "b", "c"]}, prewarm={"gate": True})
    for name in "abc":
        cluster.join(name, taints=(GATED,), has_agent=False)
    cluster.run(5)

    cluster.edit("app", selector={"names": ["elsewhere"]})
    cluster.run(5)

    assert {"a": "no-jobs", "b": "no-jobs", "c": "no-jobs"} == {
        name: opening.reason for name, opening in cluster.leaders[-1].opened
    }


@pytest.mark.parametrize("skew", [timedelta(days=-400), timedelta(minutes=-10), timedelta(days=400)])
def test_a_node_whose_clock_is_wrong_has_its_rounds_all_the_same(
    monkeypatch: pytest.MonkeyPatch, skew: timedelta
) -> None:
    """Neither at once and again, as if it had failed long ago, nor in a year."""
    cluster = Cluster(nodes=1, pulls=steady(0.2, reason="RegistryUnavailable"))
    cluster.lead()
    said_of = VirtualAgent._status

    def skewed(agent: VirtualAgent, key: Key, task: Task) -> Json:
        status = said_of(agent, key, task)
        times = {name: status[name] for name in ("startTime", "completionTime") if name in status}
        return {**status, **{name: time_text(parse_time(at) + skew) for name, at in times.items() if at}}

    monkeypatch.setattr(VirtualAgent, "_status", skewed)
    cluster.job("app", kind="Never")

    cluster.run(10 * 60)

    assert 4 == cluster.pulls_of("n00")


def test_a_renewal_at_a_fraction_of_a_second_is_one_renewal() -> None:
    """What is granted right after it counts as granted after it, though createdAt has whole seconds."""
    cluster = Cluster(nodes=1, pulls=steady(0.01))
    cluster.lead()
    cluster.job("app", kind="Never", imagePullPolicy="Always")
    cluster.until(lambda: cluster.is_ready("app"))
    before = cluster.pulls_of("n00")

    at = f"{cluster.at + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}.300000Z"
    cluster.edit("app", prewarm={"refresh": {"at": at}})
    cluster.run(5 * 60)

    assert before + 1 == cluster.pulls_of("n00")


def test_a_status_that_somebody_has_changed_is_put_right() -> None:
    """Also where nothing else happens to the job."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=2)
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.run(30)
    before = cluster.status("app")

    cluster.api.change(JOBS, f"{NAMESPACE}/app", lambda found: {**found, "status": {"desired": 7}}, is_status=True)
    cluster.run(30)

    assert before["prewarm"] == cluster.status("app")["prewarm"]


def test_a_job_that_never_ends_goes_on_when_somebody_has_written_that_it_has() -> None:
    """A completionTime is for jobs that end."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    cluster.job("app", kind="Never")
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.run(30)

    ended = {"status": {"completionTime": "2026-01-01T00:00:00Z"}}
    cluster.api.change(JOBS, f"{NAMESPACE}/app", lambda found: merge_patched(found, ended), is_status=True)
    cluster.run(30)
    cluster.join("new")
    cluster.run(30)

    assert "completionTime" not in cluster.status("app")
    assert (2, 0, 0, 0) == counted(cluster.status("app"))


def test_nothing_is_kept_of_jobs_and_nodes_that_are_gone() -> None:
    """A coordinator runs for months, and a pipeline makes a job for each build."""
    cluster = Cluster(nodes=2)
    leader = cluster.lead()
    for number in range(20):
        cluster.job(f"app-{number}", kind="Never", image=f"{IMAGE}-{number}", parallelism=2)
        cluster.join(f"new-{number}", taints=(GATED,))
        cluster.run(20)
        cluster.delete(f"app-{number}")
        cluster.part(f"new-{number}")
        cluster.run(5)
    cluster.run(30)

    fleet, desk = leader.fleet, leader.loop.desk
    assert (0, 2, 0, 0, 0) == (
        len(fleet.jobs),
        len(fleet.nodes),
        len(desk._pages),
        len(fleet.by_image),
        len(fleet.owners._names),
    )
    assert not fleet.todo.dirty
    assert not any(record.standings or record.waiting or record.suspects for record in fleet.nodes.values())


@pytest.mark.parametrize("seconds", [1 << 40, (1 << 63) - 1])
def test_a_deadline_beyond_all_years_is_none(seconds: int) -> None:
    """Whoever may make a job must not be able to stop the coordinator."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    cluster.job("app", completionPolicy={"activeDeadlineSeconds": seconds, "ttlSecondsAfterFinished": (1 << 31) - 1})

    cluster.until(lambda: cluster.has_ended("app"), seconds=60)


@pytest.mark.parametrize("at", [FIRST, LAST])
@pytest.mark.parametrize("reason", ["", "RegistryUnavailable"])
def test_a_node_that_says_an_impossible_time_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, at: str, reason: str
) -> None:
    """Nor must one node: also when the entry is looked at for the end of its life."""
    cluster = Cluster(nodes=2, pulls=steady(1, reason=reason))
    cluster.lead()
    said_of = VirtualAgent._status
    monkeypatch.setattr(
        VirtualAgent, "_status", lambda *given: {**said_of(*given), "startTime": at, "completionTime": at}
    )
    for name, kind in (("always", "Always"), ("never", "Never")):
        cluster.job(name, kind=kind, image=f"{IMAGE}-{name}", parallelism=2)
    cluster.until(lambda: cluster.has_ended("always"), seconds=60)

    cluster.lead()
    cluster.run(600)
    cluster.job("later", parallelism=2)

    cluster.until(lambda: cluster.has_ended("later"), seconds=60)


@pytest.mark.parametrize("at", [FIRST, LAST])
@pytest.mark.parametrize("field", ["startTime", "completionTime"])
def test_an_impossible_time_in_a_jobs_status_stops_nothing(at: str, field: str) -> None:
    """Written there by hand; the job is edited afterwards, which begins it again."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    limits = {"activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 86400 * 365}
    cluster.job("app", completionPolicy=limits)
    cluster.until(lambda: cluster.has_ended("app"), seconds=60)

    wrong = {"status": {"completionTime": None, field: at}}
    cluster.api.change(JOBS, f"{NAMESPACE}/app", lambda found: merge_patched(found, wrong), is_status=True)
    cluster.run(30)
    if cluster.api.find(JOBS, f"{NAMESPACE}/app") is not None:
        cluster.edit("app", pullPolicy={"timeoutSeconds": 99})
        cluster.run(30)
    cluster.lead()
    cluster.job("later")

    cluster.until(lambda: cluster.has_ended("later"), seconds=60)


def test_what_a_terminal_would_act_on_does_not_come_from_a_node_into_a_jobs_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A registry, or a foreign daemon, chooses the words; people read them with jq and kubectl."""
    cluster = Cluster(nodes=1, pulls=steady(1, reason="ImageNotFound"))
    cluster.lead()
    said_of = VirtualAgent._status
    words = {"message": "no such\x1b[2J\u202eimage\n", "reason": "Odd\x1b[31m", "digest": "sha256:\x07"}
    monkeypatch.setattr(VirtualAgent, "_status", lambda *given: {**said_of(*given), **words})
    cluster.job("app", kind="Never")
    cluster.until(lambda: cluster.status("app").get("failed") == 1, seconds=60)

    told = cluster.status("app")

    assert "no such [2J image " == told["prewarm"]["failures"][0]["message"]
    assert not any(sign in str(told) for sign in (r"\x1b", r"\x07", r"\u202e", r"\n"))


def test_bytes_beyond_what_the_schema_takes_do_not_stop_a_jobs_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes that say the largest number each have a sum that is none."""
    cluster = Cluster(nodes=2, pulls=steady(60))
    cluster.lead()
    said_of = VirtualAgent._status
    most = (1 << 63) - 1
    monkeypatch.setattr(
        VirtualAgent, "_status", lambda *given: {**said_of(*given), "bytes": {"done": most, "total": most}}
    )
    cluster.job("app", parallelism=2)

    cluster.until(lambda: said(cluster.status("app"), "prewarm", "bytes") is not None, seconds=60)

    assert {"done": most, "total": most} == cluster.status("app")["prewarm"]["bytes"]
