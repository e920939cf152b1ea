"""Nodes that fall silent, have no agent, or another one: skipped by name, and back by their next report."""

from tests.unit.coordinator.simulation.agents import Pull
from tests.unit.coordinator.simulation.apiserver import IMAGES, said
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies
from tests.unit.coordinator.simulation.cluster import Cluster, condition, counted, steady
from tests.unit.coordinator.simulation.coordinator import GATE
from tests.unit.coordinator.simulation.documents import Json


HOUR = 3600.0
GATED: Json = {"key": GATE, "effect": "NoSchedule"}


def skips(cluster: Cluster, name: str = "app") -> dict[str, list[str]]:
    """Return the skipped nodes of a job by reason."""
    groups = said(cluster.status(name), "prewarm", "skipped") or ()
    return {group["reason"]: group["nodes"] for group in groups}


def test_a_silent_node_is_skipped_told_and_brought_back_by_its_next_report() -> None:
    """Its slot is free after three minutes, its status says AgentSilent, the job is not Failed."""
    cluster = Cluster(nodes=3, pulls=steady(30))
    Observer(cluster)
    cluster.lead()
    cluster.job("app", parallelism=1)
    cluster.run(5)
    (busy,) = [node for node in sorted(cluster.agents) if cluster.entry(node)]

    cluster.agents[busy].is_silent = True
    cluster.run(200)
    during = (skips(cluster), (cluster.answer(busy) or {}).get("reason"))
    cluster.agents[busy].wake()
    cluster.until(lambda: cluster.has_ended("app"), seconds=300)

    assert ({"AgentSilent": [busy]}, "AgentSilent") == during
    assert (3, 0, 0, 0) == counted(cluster.status("app"))
    assert [1, 1, 1] == [cluster.pulls_of(node) for node in sorted(cluster.agents)]


def test_a_silent_nodes_never_job_waits_for_it_and_is_ready_with_it() -> None:
    """While it is silent the job is Ready without it; back, it is warm too."""
    cluster = Cluster(nodes=3, pulls=steady(30))
    Observer(cluster)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=1)
    cluster.run(5)
    (busy,) = [node for node in sorted(cluster.agents) if cluster.entry(node)]
    cluster.agents[busy].is_silent = True
    cluster.run(600)
    during = counted(cluster.status("app"))

    for _ in range(3):
        cluster.lead()
        cluster.run(300)
    restarted = counted(cluster.status("app"))
    cluster.agents[busy].wake()
    cluster.until(lambda: counted(cluster.status("app")) == (3, 0, 0, 0), seconds=300)

    assert (2, 0, 0, 1) == during == restarted
    check_tallies(cluster)
    check_quiet(cluster)


def test_a_node_without_an_agent_is_skipped_after_a_minute() -> None:
    """NoAgent: its slot is free, and its status is left alone."""
    cluster = Cluster(nodes=2)
    cluster.join("bare", has_agent=False)
    cluster.lead()
    cluster.job("app", parallelism=3)

    cluster.run(59)
    early = skips(cluster)
    cluster.until(lambda: cluster.has_ended("app"), seconds=10)

    assert {} == early
    assert {"NoAgent": ["bare"]} == skips(cluster)
    assert None is said(cluster.api.read(IMAGES, "bare"), "status")


def test_a_virtual_or_foreign_node_is_skipped_at_once_and_gets_no_nodeimage() -> None:
    """A virtual kubelet and another operating system have no agent of ours."""
    cluster = Cluster(nodes=1)
    cluster.join("virtual", labels={"type": "virtual-kubelet"}, has_agent=False)
    cluster.join("windows", labels={"kubernetes.io/os": "windows"}, has_agent=False)
    cluster.lead()

    cluster.job("app", parallelism=3)
    cluster.until(lambda: cluster.has_ended("app"), seconds=30)

    assert {"NoAgent": ["virtual", "windows"]} == skips(cluster)
    assert ["n00"] == [image["metadata"]["name"] for image in cluster.api.objects(IMAGES)]


def test_if_every_node_is_skipped_a_job_is_stalled_and_neither_complete_nor_ready() -> None:
    """With the commonest reason; it goes on when one answers."""
    cluster = Cluster(nodes=2)
    for node in ("n00", "n01"):
        cluster.turn(node, is_ready=False)
    cluster.lead()
    cluster.job("always")
    cluster.job("never", kind="Never")

    cluster.run(HOUR)
    stalls = [condition(cluster.status(name), "Stalled") for name in ("always", "never")]
    cluster.turn("n00", is_ready=True)
    cluster.until(lambda: cluster.has_ended("always") and cluster.is_ready("never"), seconds=60)

    assert [("True", "NodeNotReady")] * 2 == [(stall["status"], stall["reason"]) for stall in stalls]


def test_openkruises_daemon_is_understood() -> None:
    """It says no agent, no reason and no sign of life: a long pull is no silence."""
    cluster = Cluster(pulls=steady(900))
    cluster.join("kruise", has_prewarm=False)
    cluster.lead()
    cluster.job("app", pullPolicy={"timeoutSeconds": 1800})

    cluster.run(890)
    during = skips(cluster)
    cluster.until(lambda: cluster.has_ended("app"), seconds=60)

    assert {} == during
    assert (1, 0, 0, 0) == counted(cluster.status("app"))


def test_an_entry_of_a_finished_job_expires_although_another_job_asks_for_the_image_elsewhere() -> None:
    """A node that ends late, after its job did, has its entry's time to live too."""
    cluster = Cluster(nodes=2, pulls=lambda node, _key, _at: Pull(5.0 if node == "n00" else 100.0))
    cluster.lead()
    cluster.job("elsewhere", kind="Never", selector={"names": ["n00"]})
    cluster.job("app", parallelism=2)
    cluster.run(20)
    cluster.turn("n01", is_ready=False)
    cluster.until(lambda: cluster.has_ended("app"), seconds=60)
    cluster.turn("n01", is_ready=True)
    cluster.run(200)
    late = cluster.entry("n01")

    cluster.run(2 * HOUR)

    assert late is not None
    assert None is cluster.entry("n01")
    assert cluster.entry("n00") is not None
