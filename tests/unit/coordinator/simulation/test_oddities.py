"""What people do to objects that nobody foresees: finalizers, selectors that let a closed node go; in virtual time."""

from tests.unit.coordinator.simulation.apiserver import IMAGES, said
from tests.unit.coordinator.simulation.cluster import IMAGE, Cluster, counted, key_of
from tests.unit.coordinator.simulation.coordinator import GATE
from tests.unit.coordinator.simulation.documents import Json, merge_patched


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
