"""The stand-in for OpenKruise's manager does on a real API server what the real one does."""

from datetime import UTC, datetime

import pytest

from tests.behaviour.openkruise.cluster import SHAPES, Cluster, Json, Shape
from tests.servers.fixtures_apiserver import Names
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.openkruise.manager_client import Write
from tests.servers.openkruise.manager_objects import Release
from tests.servers.openkruise.manager_pace import Limits
from tests.servers.processes import until


IMAGE = "registry.test/app:v1"
FINALIZER = "apps.kruise.io/deletion-protection"


@pytest.fixture
def node(node: str, manager: Manager) -> str:
    """A Node with its NodeImage."""
    manager.reconcile_node_images()
    manager.reconcile_node_images()
    return node


def report(cluster: Cluster, node: str, *, phase: str, version: int = 0, **more: object) -> Json:
    """Answer as an agent would, with what the real one's types do not know."""
    ended = {"completionTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"} if phase in {"Succeeded", "Failed"} else {}
    tag: Json = {"tag": "v1", "phase": phase, "version": version, "attempt": 1, **ended, **more}
    counters = {"desired": 1, phase.lower(): 1}
    status = {**counters, "imageStatuses": {"registry.test/app": {"tags": [tag]}}, "observedGeneration": 1}
    return cluster.patch_node_image(node, {"status": status}, subresource="/status")


def version(cluster: Cluster, node: str) -> int | None:
    """Return the version of the image's entry, None where there is none."""
    entry = cluster.entry(node, image=IMAGE)
    return None if entry is None else entry.get("version", 0)


def writes_to(manager: Manager, path: str) -> list[Write]:
    """Return what was written to paths with this end."""
    return [write for write in manager.writes if write.path.endswith(path)]


def test_a_job_goes_through_to_its_completion(cluster: Cluster, manager: Manager, node: str) -> None:
    """Granted, active, succeeded, complete; the finalizer is there while it is at work."""
    cluster.create_job("j", image=IMAGE, node=node)

    manager.reconcile_jobs()
    granted = cluster.job("j")
    manager.reconcile_jobs()
    active = cluster.job("j")["status"]
    report(cluster, node, phase="Succeeded")
    manager.reconcile_jobs()
    done = cluster.job("j")["status"]
    manager.reconcile_jobs()

    assert [FINALIZER] == granted["metadata"]["finalizers"]
    assert 0 == version(cluster, node)
    assert (1, 1, "job is running, progress 0.0%") == (active["desired"], active["active"], active["message"])
    assert (1, 1, 0, 0) == (done["desired"], done["succeeded"], done["failed"], done["active"])
    assert "job has completed" == done["message"]
    assert done["startTime"] <= done["completionTime"]
    assert "finalizers" not in cluster.job("j")["metadata"]
    assert [] == manager.refusals


def test_a_failed_node_is_named(cluster: Cluster, manager: Manager, node: str) -> None:
    """And an Always job is at its end all the same."""
    cluster.create_job("j", image=IMAGE, node=node)
    manager.reconcile_jobs()
    report(cluster, node, phase="Failed")

    manager.reconcile_jobs()

    status = cluster.job("j")["status"]
    assert ([node], 1) == (status["failedNodes"], status["failed"])


def test_a_second_owner_bumps_the_version(cluster: Cluster, manager: Manager, node: str) -> None:
    """The first job sees its node go back to active."""
    cluster.create_job("a", image=IMAGE, node=node, completionPolicy={"type": "Never"})
    manager.reconcile_jobs()
    report(cluster, node, phase="Succeeded")
    cluster.create_job("b", image=IMAGE, node=node)

    manager.reconcile_jobs()
    manager.reconcile_jobs()

    assert 1 == version(cluster, node)
    assert 1 == cluster.job("a")["status"]["active"]


def test_an_old_cache_writes_nothing_however_often_it_tries(cluster: Cluster, manager: Manager, node: str) -> None:
    """Four conflicts, and then the next pass; caught up, it writes."""
    manager.reconcile_node_images()
    manager.node_images.hold()
    cluster.patch_node_image(node, {"metadata": {"annotations": {"newer": "yes"}}})
    cluster.create_job("j", image=IMAGE, node=node)

    manager.reconcile_jobs()

    assert [409] * 4 == [write.code for write in writes_to(manager, f"nodeimages/{node}")][-4:]
    assert [409] == [refused.code for refused in manager.refusals]
    assert version(cluster, node) is None
    assert "status" not in cluster.job("j")

    manager.node_images.catch_up()
    manager.reconcile_jobs()

    assert 0 == version(cluster, node)


def test_an_old_cache_that_moves_on_is_read_again(cluster: Cluster, manager: Manager, node: str) -> None:
    """The second try is made from what came in between."""
    manager.reconcile_jobs()
    manager.node_images.lag_events = 1
    cluster.patch_node_image(node, {"metadata": {"annotations": {"newer": "yes"}}})
    cluster.create_job("j", image=IMAGE, node=node)

    manager.reconcile_jobs()
    assert version(cluster, node) is None

    manager.node_images.lag_events = 0
    manager.reconcile_jobs()
    assert 0 == version(cluster, node)


def test_it_waits_until_it_sees_its_own_write(cluster: Cluster, manager: Manager, node: str) -> None:
    """An entry is not granted twice from an old cache."""
    cluster.create_job("j", image=IMAGE, node=node)
    manager.reconcile_jobs()
    manager.node_images.hold()
    report(cluster, node, phase="Succeeded")

    manager.reconcile_jobs()
    waiting = cluster.job("j")["status"]
    manager.node_images.catch_up()
    manager.reconcile_jobs()

    assert [200] == [write.code for write in writes_to(manager, f"nodeimages/{node}") if _has_images(write)]
    assert "completionTime" not in waiting
    assert "completionTime" in cluster.job("j")["status"]


def _has_images(write: Write) -> bool:
    spec = (write.body or {})["spec"]
    return isinstance(spec, dict) and bool(spec.get("images"))


def test_a_cold_job_cache_loses_a_living_jobs_entry_and_a_warm_one_brings_it_back(
    cluster: Cluster, manager: Manager, shape: Shape, node: str
) -> None:
    """With the next version after its status."""
    cluster.create_job("j", image=IMAGE, node=node, completionPolicy={"type": "Never"})
    manager.reconcile_jobs()
    report(cluster, node, phase="Succeeded", version=0)

    with Manager(manager_client(cluster.apiserver), release=shape.release) as other:
        other.jobs.hold()
        other.reconcile_node_images()
    lost = version(cluster, node)
    manager.reconcile_jobs()

    assert lost is None
    assert 1 == version(cluster, node)


def test_a_deleted_jobs_entry_goes(cluster: Cluster, manager: Manager, node: str) -> None:
    """Once the manager has let go of the job."""
    cluster.create_job("j", image=IMAGE, node=node)
    manager.reconcile_jobs()
    cluster.delete_job("j")
    assert 0 == version(cluster, node)

    manager.reconcile_jobs()
    manager.reconcile_node_images()

    assert version(cluster, node) is None


def test_a_finished_entry_goes_when_its_ttl_has_passed(cluster: Cluster, manager: Manager, node: str) -> None:
    """By the manager's own, fast clock; and a finished job when its own has."""
    cluster.create_job("j", image=IMAGE, node=node, completionPolicy={"type": "Always", "ttlSecondsAfterFinished": 10})
    manager.reconcile_jobs()
    manager.reconcile_node_images()
    assert 0 == version(cluster, node)
    report(cluster, node, phase="Succeeded")
    manager.reconcile_jobs()

    manager.speed = 1e6
    manager.reconcile_node_images()
    until(lambda: _is_gone(cluster, manager), what="end of the job", timeout_seconds=10)

    assert version(cluster, node) is None


def _is_gone(cluster: Cluster, manager: Manager) -> bool:
    manager.reconcile_jobs()
    return not cluster.jobs()


def test_the_watchdog_fails_a_silent_node_and_drops_what_it_does_not_know(
    cluster: Cluster, manager: Manager, shape: Shape, node: str
) -> None:
    """By a PUT of the whole status, and a Warning on job and NodeImage."""
    cluster.create_job("j", image=IMAGE, node=node)
    manager.reconcile_jobs()
    cluster.create_job("k", image="registry.test/app:v2", node=node)
    manager.reconcile_jobs()
    told = report(cluster, node, phase="Pulling")["status"]

    manager.watchdog()
    assert told == (cluster.node_image(node) or {})["status"]
    manager.speed = 1e6
    until(lambda: _watched(manager), what="a failure", timeout_seconds=10)

    status = (cluster.node_image(node) or {})["status"]
    kept = cluster.status(node, image=IMAGE)
    failed = cluster.status(node, image="registry.test/app:v2") or {}
    assert ("observedGeneration" in told) == (SHAPES["ours"] is shape)
    assert "observedGeneration" not in status
    assert {"tag": "v1", "phase": "Pulling"} == kept
    assert ("Failed", "node has not responded for a long time") == (failed["phase"], failed["message"])
    assert (2, 1, 1) == (status["desired"], status["pulling"], status["failed"])
    assert ["k", node] == sorted(_told(cluster, node))


def _watched(manager: Manager) -> bool:
    manager.watchdog()
    return bool(writes_to(manager, "/status"))


def _told(cluster: Cluster, node: str) -> list[str]:
    events: list[Json] = []
    for namespace in (cluster.namespace, "default"):
        events += cluster.apiserver.request("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
    ours = [each["involvedObject"]["name"] for each in events if each["reason"] == "PullImageFailed"]
    return [name for name in ours if name in {"j", "k", node}]


def test_a_node_image_follows_its_node(cluster: Cluster, manager: Manager, names: Names) -> None:
    """Made, labelled as the Node whatever else was on it, made again, deleted; a fake one stays."""
    name, fake = names("node"), names("fake")
    cluster.create_node(name)
    manager.reconcile_node_images()
    first = cluster.node_image(name) or {}
    manager.reconcile_node_images()
    labelled = (cluster.node_image(name) or {})["metadata"]["labels"]
    cluster.patch_node_image(name, {"metadata": {"labels": {"foreign": "yes"}}})
    cluster.label_node(name, {"zone": "b"})
    manager.reconcile_node_images()
    relabelled = (cluster.node_image(name) or {})["metadata"]["labels"]
    cluster.delete_node_image(name)
    manager.reconcile_node_images()
    second = cluster.node_image(name) or {}
    cluster.delete_node(name)
    cluster.create_fake_node_image(fake)

    manager.reconcile_node_images()

    assert ("a", "b") == (labelled["zone"], relabelled["zone"])
    assert "foreign" not in relabelled
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert cluster.node_image(name) is None
    assert cluster.node_image(fake) is not None


def test_a_young_node_gets_no_node_image_yet(cluster: Cluster, shape: Shape, names: Names) -> None:
    """Thirty seconds after it became ready."""
    name = names("node")
    cluster.create_node(name)
    patient = Limits(creation_delay_seconds=1e9)

    with Manager(manager_client(cluster.apiserver), release=shape.release, limits=patient) as manager:
        manager.reconcile_node_images()

    assert cluster.node_image(name) is None
    cluster.delete_node(name)


def test_pull_secrets_are_copied_to_where_nodes_may_read_them(
    cluster: Cluster, manager: Manager, shape: Shape, node: str
) -> None:
    """1.9 shares one copy and says batch; 1.6 makes one for each job. Finished jobs let go of them."""
    cluster.create_pull_secret("regcred", host="registry.test", user="anna", password="secret")
    for name, image in (("a", IMAGE), ("b", "registry.test/other:v1")):
        cluster.create_job(name, image=image, node=node, pullSecrets=["regcred", "absent"])

    manager.reconcile_jobs()
    copies = cluster.copies()
    manager.reconcile_jobs()

    is_shared = shape.release is Release.V1_9
    assert (1 if is_shared else 2) == len(copies) == len(cluster.copies())
    references = (cluster.node_image(node) or {})["spec"]["images"]["registry.test/app"]["pullSecrets"]
    (reference,) = references
    assert reference["name"] in {copy["metadata"]["name"] for copy in copies}
    assert ("batch" if is_shared else None) == reference.get("mode")
    users = copies[0]["metadata"]["annotations"].get("imagepulljobs.kruise.io/references")
    assert (f"{cluster.namespace}/a,{cluster.namespace}/b" if is_shared else None) == users

    for name in ("a", "b"):
        cluster.delete_job(name)
    manager.reconcile_jobs()
    assert [] == cluster.copies()


def test_it_runs_by_itself(cluster: Cluster, manager: Manager, node: str) -> None:
    """In a thread, until it is stopped."""
    manager.start()

    cluster.create_job("j", image=IMAGE, node=node)
    until(lambda: version(cluster, node) == 0, what="the entry", timeout_seconds=10)
    report(cluster, node, phase="Succeeded")

    until(lambda: "completionTime" in cluster.job("j").get("status", {}), what="the end", timeout_seconds=10)
    manager.stop()
