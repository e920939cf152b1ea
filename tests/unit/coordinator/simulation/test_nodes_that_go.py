"""Nodes that join, leave, come back, fall silent or have no agent: skipped or freed by name; in virtual time."""

from typing import Any

import pytest

from tests.unit.coordinator.simulation.agents import Pull
from tests.unit.coordinator.simulation.apiserver import IMAGES, said
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import Cluster, condition, counted, steady
from tests.unit.coordinator.simulation.coordinator import GATE
from tests.unit.coordinator.simulation.documents import Json


HOUR = 3600.0
GATED: Json = {"key": GATE, "effect": "NoSchedule"}


def skips(cluster: Cluster, name: str = "app") -> dict[str, list[str]]:
    """Return the skipped nodes of a job by reason."""
    groups = said(cluster.status(name), "prewarm", "skipped") or ()
    return {group["reason"]: group["nodes"] for group in groups}


def warmed(*, parallelism: int = 4, **spec: Any) -> Cluster:  # noqa: ANN401 - JSON
    """Return a cluster of four nodes in which a Never job is Ready."""
    cluster = Cluster(nodes=4)
    Observer(cluster)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=parallelism, **spec)
    cluster.until(lambda: cluster.is_ready("app"))
    return cluster


def test_a_new_node_is_granted_within_a_second() -> None:
    """Its NodeImage is made with the entry in it."""
    cluster = warmed()

    cluster.join("new")
    cluster.run(0.5)

    assert cluster.entry("new") is not None
    assert 1 == cluster.api.read(IMAGES, "new")["metadata"]["generation"]
    cluster.until(lambda: counted(cluster.status("app")) == (5, 0, 0, 0), seconds=60)


def test_a_node_that_is_not_ready_yet_has_its_nodeimage_and_its_entry_when_it_is() -> None:
    """A node registers itself before it is Ready; its images wait for nothing but that."""
    cluster = warmed()
    cluster.join("new", is_ready=False)
    cluster.run(5)
    before = (cluster.api.find(IMAGES, "new") is not None, cluster.entry("new"), skips(cluster))

    cluster.turn("new", is_ready=True)
    cluster.run(0.5)

    assert (True, None, {"NodeNotReady": ["new"]}) == before
    assert cluster.entry("new") is not None


def test_a_hundred_nodes_at_once_are_all_brought_in() -> None:
    """A scale-out: one creation a node, within the budget."""
    cluster = warmed(parallelism=100)
    before = len(writes_of(cluster))

    for number in range(100):
        cluster.join(f"new-{number:03}")
    cluster.until(lambda: counted(cluster.status("app")) == (104, 0, 0, 0), seconds=60)

    assert 100 == sum("nodeimages" in write for write in writes_of(cluster)[before:])
    check_quiet(cluster)


def test_a_node_that_goes_leaves_the_job_and_its_nodeimage_is_deleted() -> None:
    """Whether or not a garbage collector does it too."""
    cluster = warmed()

    cluster.part("n01")
    cluster.run(5)

    assert None is cluster.api.find(IMAGES, "n01")
    assert (3, 0, 0, 0) == counted(cluster.status("app"))
    assert "n01" not in (cluster.leader.fleet.nodes if cluster.leader else {"n01"})
    check_tallies(cluster)
    check_quiet(cluster)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.01, 3.0])
def test_a_machine_that_comes_back_under_the_same_name_is_brought_in_anew(seconds: float) -> None:
    """What the old machine said counts for nothing: never is the new one called warm before it is."""
    cluster = warmed()
    claims: list[int] = []
    cluster.part("n01")
    cluster.run(seconds)
    cluster.join("n01")
    joined_at = cluster.at
    cluster.api.watches.append(lambda change: claims.append(counted(change.document.get("status", {}))[0]))

    cluster.run(2)
    during = set(claims)
    cluster.until(lambda: cluster.is_ready("app"), seconds=60)

    assert 4 not in during, during
    assert [True] == [at >= joined_at for _, _, at in cluster.agents["n01"].pulled]
    image = cluster.api.read(IMAGES, "n01")
    assert cluster.api.read("nodes", "n01")["metadata"]["uid"] == image["metadata"]["ownerReferences"][0]["uid"]
    check_tallies(cluster)
    check_quiet(cluster)


def test_the_gate_of_a_machine_that_comes_back_opens_when_that_machine_is_warm() -> None:
    """A NodeImage that the old machine left behind opens no gate."""
    cluster = warmed(prewarm={"gate": True})
    cluster.part("n01")

    cluster.join("n01", taints=(GATED,))
    cluster.until(lambda: not said(cluster.api.read("nodes", "n01"), "spec", "taints"), seconds=60)

    assert 1 == len(cluster.agents["n01"].pulled)
    assert cluster.agents["n01"].images


def test_a_gate_opens_once_every_gating_job_is_warm_or_at_its_deadline() -> None:
    """A warm node opens at once, a cold one ten minutes after its creation, with its jobs named."""
    cluster = warmed(prewarm={"gate": True})
    cluster.pulls = lambda node, _key, _at: Pull(5.0, "ImageNotFound" if node == "bad" else "")

    cluster.join("good", taints=(GATED,))
    cluster.join("bad", taints=(GATED,))
    cluster.run(30)
    after = [said(cluster.api.read("nodes", name), "spec", "taints") for name in ("good", "bad")]
    cluster.run(580)

    assert [[], [GATED]] == after
    assert [] == said(cluster.api.read("nodes", "bad"), "spec", "taints")
    opened = {name: opening for leader in cluster.leaders for name, opening in leader.opened}
    assert ("warm", "deadline", ("team/app",)) == (opened["good"].reason, opened["bad"].reason, opened["bad"].cold)


def test_a_node_that_turns_not_ready_frees_its_slot() -> None:
    """With one slot the next node goes on; the lost one is skipped by name and comes back in its turn."""
    cluster = Cluster(nodes=3, pulls=steady(100))
    Observer(cluster)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=1)
    cluster.run(5)
    (busy,) = [node for node in sorted(cluster.agents) if cluster.entry(node)]

    cluster.agents[busy].is_silent = True
    cluster.turn(busy, is_ready=False)
    cluster.run(5)
    during = skips(cluster)
    granted = [node for node in sorted(cluster.agents) if cluster.entry(node)]
    cluster.turn(busy, is_ready=True)
    cluster.agents[busy].wake()
    cluster.until(lambda: cluster.is_ready("app"))

    assert {"NodeNotReady": [busy]} == during
    assert 2 == len(granted)
    check_tallies(cluster)
    check_quiet(cluster)


def test_nothing_is_granted_while_a_node_that_came_back_lifts_the_sum() -> None:
    """Back again it counts, and nothing new begins until the sum is below the parallelism."""
    cluster = Cluster(nodes=4, pulls=steady(300))
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=1)
    cluster.run(5)
    (first,) = [node for node in sorted(cluster.agents) if cluster.entry(node)]
    cluster.turn(first, is_ready=False)
    cluster.run(100)

    cluster.turn(first, is_ready=True)
    cluster.run(198)
    during = [node for node in sorted(cluster.agents) if cluster.entry(node)]
    cluster.run(50)
    after = [node for node in sorted(cluster.agents) if cluster.entry(node)]

    assert (2, 3) == (len(during), len(after))


@pytest.mark.parametrize(
    "mark",
    [
        {"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule", "value": "1"}]}},
        {"spec": {"taints": [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]}},
    ],
)
def test_a_leaving_node_gets_nothing_and_makes_no_job_fail(mark: Json) -> None:
    """It is skipped by name, and the job ends without it."""
    cluster = Cluster(nodes=3)
    cluster.lead()
    cluster.edit_node("n01", mark)

    cluster.job("app", parallelism=3)
    cluster.until(lambda: cluster.has_ended("app"))

    assert {"NodeLeaving": ["n01"]} == skips(cluster)
    assert "True" == condition(cluster.status("app"), "Complete")["status"]
    assert None is cluster.entry("n01")


def test_a_node_with_a_deletion_timestamp_is_leaving_and_gives_up_its_nodeimage() -> None:
    """It may take long to go; nothing is granted meanwhile."""
    cluster = warmed()
    cluster.edit_node("n01", {"metadata": {"finalizers": ["example.com/drain"]}})

    cluster.part("n01")
    cluster.run(100)

    assert {"NodeLeaving": ["n01"]} == skips(cluster)
    assert None is cluster.api.find(IMAGES, "n01")
    check_quiet(cluster)


def test_labels_that_change_move_a_node_between_jobs_and_onto_its_nodeimage() -> None:
    """The entry goes where the node is no longer selected, and the NodeImage has the new labels."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    for pool in ("blue", "green"):
        selector = {"matchLabels": {"pool": pool}}
        cluster.job(pool, kind="Never", image=f"registry.example.com/{pool}:v1", selector=selector)
    cluster.edit_node("n00", {"metadata": {"labels": {"pool": "blue"}}})
    cluster.until(lambda: cluster.is_ready("blue"))

    cluster.edit_node("n00", {"metadata": {"labels": {"pool": "green"}}})
    cluster.until(lambda: cluster.is_ready("green"))

    assert None is cluster.entry("n00", image="registry.example.com/blue:v1")
    assert "green" == cluster.api.read(IMAGES, "n00")["metadata"]["labels"]["pool"]
    assert "NoNodesSelected" == condition(cluster.status("blue"), "Stalled")["reason"]
    check_tallies(cluster)
    check_quiet(cluster)
