"""A job of OpenKruise's goes through to its end by an agent of ours, whatever its manager does meanwhile."""

from tests.behaviour.openkruise.cluster import DEADLINE_SECONDS, SHAPES, Cluster, Shape
from tests.behaviour.openkruise.conftest import StartAgent
from tests.servers.containerd import Containerd
from tests.servers.faults import Fault, Hang
from tests.servers.images import Push
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


NEVER = {"type": "Never"}
IMAGES = 20


def test_a_job_completes_through_the_agent(
    cluster: Cluster, shape: Shape, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """The agent is there before its NodeImage; what it says fits the CRDs that are there."""
    image = push("app", tag="v1")
    start_agent(node)
    manager.start()

    cluster.create_job("j", image=image.reference, node=node)
    status = cluster.completed("j")

    assert (1, 1, 0, 0) == (status["desired"], status["succeeded"], status["failed"], status["active"])
    assert "job has completed" == status["message"]
    told = cluster.read(node)["status"]
    assert (1, 1, 0, 0) == (told["desired"], told["succeeded"], told["pulling"], told["waiting"])
    tag = cluster.said(node, image=image.reference, phase="Succeeded")
    assert (100, f"{image.key}@{image.image_id}") == (tag["progress"], tag["imageID"])
    assert (shape is SHAPES["ours"]) == ("digest" in tag) == ("prewarm" in told)


def test_a_failed_node_is_named_by_its_job(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """With the runtime's words in the NodeImage."""
    image = push("app", tag="v1")
    start_agent(node)
    manager.start()

    absent = f"{image.key}:absent"
    cluster.create_job("j", image=absent, node=node, pullPolicy={"backoffLimit": 0})
    status = cluster.completed("j")

    assert ([node], 1) == (status["failedNodes"], status["failed"])
    assert "not found" in cluster.said(node, image=absent, phase="Failed")["message"]


def test_a_second_owner_gets_its_own_answer(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """Its version is a new one; the first, which stands for ever, is done again as well."""
    image = push("app", tag="v1")
    start_agent(node)
    manager.start()
    cluster.create_job("first", image=image.reference, node=node, completionPolicy=NEVER)
    cluster.said(node, image=image.reference, phase="Succeeded", version=0)

    cluster.create_job("second", image=image.reference, node=node, imagePullPolicy="Always")
    cluster.completed("second")

    cluster.said(node, image=image.reference, phase="Succeeded", version=1)
    until(
        lambda: cluster.job("first")["status"]["succeeded"] == 1,
        what="the first again",
        timeout_seconds=DEADLINE_SECONDS,
    )


def test_a_finished_entry_whose_ttl_has_passed_takes_its_status_along_and_leaves_the_image(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Another entry's status stays."""
    gone, kept = push("gone", tag="v1"), push("kept", tag="v1", seed=1)
    start_agent(node)
    manager.start()
    cluster.create_job("gone", image=gone.reference, node=node)
    cluster.completed("gone")
    cluster.create_job("kept", image=kept.reference, node=node, completionPolicy=_lasting())
    cluster.completed("kept")

    # An Always job's entry lasts at most 2,250 s by default: a hundredth of a second now.
    manager.speed = 200_000
    until(
        lambda: cluster.status(node, image=gone.reference) is None, what="end of it", timeout_seconds=DEADLINE_SECONDS
    )

    assert cluster.entry(node, image=gone.reference) is None
    assert 1 == cluster.read(node)["status"]["desired"]
    cluster.said(node, image=kept.reference, phase="Succeeded")
    assert {gone.reference, kept.reference} <= containerd.images().keys()


def _lasting() -> dict[str, object]:
    """An entry of this lasts for decades, the job as long."""
    return {"type": "Always", "ttlSecondsAfterFinished": 2_000_000_000}


def test_a_node_image_that_was_deleted_and_made_again_is_served_again(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """Another object under the same name: what was said of the first one is said of it anew."""
    image = push("app", tag="v1")
    start_agent(node)
    manager.start()
    cluster.create_job("j", image=image.reference, node=node, completionPolicy=NEVER)
    cluster.said(node, image=image.reference, phase="Succeeded")
    first = cluster.uid(node)

    cluster.delete_node_image(node)

    until(lambda: cluster.uid(node) not in {"", first}, what="another NodeImage", timeout_seconds=DEADLINE_SECONDS)
    cluster.said(node, image=image.reference, phase="Succeeded")
    assert 1 == cluster.read(node)["status"]["succeeded"]


def test_a_node_images_labels_follow_its_node_and_its_status_stays(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """The whole object is written, and nothing is pulled or said again."""
    image = push("app", tag="v1")
    start_agent(node)
    manager.start()
    cluster.create_job("j", image=image.reference, node=node)
    cluster.completed("j")
    before = cluster.read(node)["status"]

    cluster.patch_node_image(node, {"metadata": {"labels": {"foreign": "yes"}}})
    cluster.label_node(node, {"zone": "b"})
    until(
        lambda: cluster.read(node)["metadata"]["labels"].get("zone") == "b",
        what="the Node's label",
        timeout_seconds=DEADLINE_SECONDS,
    )

    after = cluster.read(node)
    assert "foreign" not in after["metadata"]["labels"]
    assert before == after["status"]


def test_an_old_cache_neither_harms_nor_holds_up_what_the_agent_says(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """The manager's PUTs are conflicts until it has seen the agent's statuses; then the next image is granted."""
    first, second = push("first", tag="v1"), push("second", tag="v1", seed=1)
    manager.reconcile_node_images()
    manager.reconcile_node_images()
    cluster.create_job("first", image=first.reference, node=node)
    manager.reconcile_jobs()
    manager.reconcile_node_images()
    manager.node_images.hold()
    start_agent(node)
    told = cluster.said(node, image=first.reference, phase="Succeeded")
    cluster.create_job("second", image=second.reference, node=node)

    manager.reconcile_jobs()
    during = cluster.status(node, image=first.reference)
    manager.node_images.catch_up()
    manager.start()
    cluster.completed("second")

    assert {409} == {refused.code for refused in manager.refusals}
    assert told == during == cluster.status(node, image=first.reference)


def test_an_entry_that_was_lost_and_came_back_is_answered_again(
    cluster: Cluster, shape: Shape, manager: Manager, node: str, start_agent: StartAgent, push: Push
) -> None:
    """A manager with a cold cache drops it, and its status with it; it comes back under the very same version."""
    image = push("app", tag="v1")
    start_agent(node)
    manager.reconcile_node_images()
    cluster.create_job("j", image=image.reference, node=node, completionPolicy=NEVER)
    manager.reconcile_jobs()
    cluster.said(node, image=image.reference, phase="Succeeded", version=0)

    _lose_entries(cluster, shape)
    until(
        lambda: cluster.status(node, image=image.reference) is None,
        what="no status without an entry",
        timeout_seconds=DEADLINE_SECONDS,
    )
    manager.reconcile_jobs()

    cluster.said(node, image=image.reference, phase="Succeeded", version=0)


def test_an_entry_that_was_lost_while_it_was_pulled_is_pulled_when_it_is_back(
    cluster: Cluster,
    shape: Shape,
    manager: Manager,
    node: str,
    start_agent: StartAgent,
    push: Push,
    faults: FaultProxy,
) -> None:
    """Its first pull is cancelled; the second one ends well."""
    image = push("app", tag="v1").at(faults.host)
    faults.add(Fault(Hang(), kind=Kind.BLOB))
    start_agent(node)
    manager.reconcile_node_images()
    cluster.create_job("j", image=image.reference, node=node)
    manager.reconcile_jobs()
    cluster.said(node, image=image.reference, phase="Pulling", version=0)

    _lose_entries(cluster, shape)
    manager.start()

    assert 1 == cluster.completed("j")["succeeded"]


def _lose_entries(cluster: Cluster, shape: Shape) -> None:
    """Have a second manager, which knows of no jobs yet, collect what it takes for garbage."""
    with Manager(manager_client(cluster.apiserver), release=shape.release) as cold:
        cold.jobs.hold()
        cold.reconcile_node_images()


def test_twenty_images_on_two_slots_are_never_taken_for_unreported(
    cluster: Cluster, manager: Manager, node: str, start_agent: StartAgent, push: Push, faults: FaultProxy
) -> None:
    """Eighteen wait for two that get no further: each is reported, so that no time is too long for the watchdog."""
    images = [push(f"app-{place}", tag="v1", seed=place).at(faults.host) for place in range(IMAGES)]
    expected = ["Pulling"] * 2 + ["Waiting"] * (IMAGES - 2)
    faults.add(Fault(Hang(), kind=Kind.BLOB, times=None))
    start_agent(node, options=["--max-concurrent-pulls", "2"])
    manager.reconcile_node_images()
    manager.reconcile_node_images()
    for place, image in enumerate(images):
        cluster.create_job(f"j-{place}", image=image.reference, node=node)

    manager.reconcile_jobs()
    until(lambda: _phases(cluster, node) == expected, what="a word on each", timeout_seconds=DEADLINE_SECONDS)
    manager.speed = 1e6
    manager.watchdog()
    faults.clear()
    manager.speed = 1
    manager.start()

    assert [1] * IMAGES == [cluster.completed(f"j-{place}")["succeeded"] for place in range(IMAGES)]
    assert [] == [write for write in manager.writes if write.path.endswith(f"nodeimages/{node}/status")]


def _phases(cluster: Cluster, node: str) -> list[str]:
    images = cluster.read(node).get("status", {}).get("imageStatuses", {}).values()
    return sorted(tag["phase"] for image in images for tag in image["tags"])
