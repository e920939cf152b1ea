"""A job that selects nodes by the Pods that run there; in virtual time."""

from tests.unit.coordinator.simulation.apiserver import PODS
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies
from tests.unit.coordinator.simulation.cluster import NAMESPACE, Cluster, counted


WEB = {"app": "web"}


def warmed() -> Cluster:
    """Return a cluster in which the nodes of two Pods are warm, and those of others are not asked."""
    cluster = Cluster(nodes=5)
    Observer(cluster)
    cluster.lead()
    cluster.pod("web-0", node="n00", labels=WEB)
    cluster.pod("web-1", node="n01", labels=WEB)
    cluster.pod("db-0", node="n02", labels={"app": "db"})
    cluster.job("app", kind="Never", parallelism=5, podSelector={"matchLabels": WEB})
    cluster.until(lambda: cluster.is_ready("app"), seconds=60)
    return cluster


def granted(cluster: Cluster) -> list[str]:
    """Return the nodes that have the job's entry."""
    return [node for node in sorted(cluster.agents) if cluster.entry(node)]


def test_the_nodes_of_the_selected_pods_are_warmed() -> None:
    """And no others."""
    cluster = warmed()

    assert ["n00", "n01"] == granted(cluster)
    assert (2, 0, 0, 0) == counted(cluster.status("app"))
    check_tallies(cluster)


def test_a_pod_that_moves_takes_the_image_along() -> None:
    """Where it runs now gets it, and where none runs any more loses the entry."""
    cluster = warmed()

    cluster.pod("web-2", node="n03", labels=WEB)
    cluster.api.delete(PODS, f"{NAMESPACE}/web-0")
    cluster.run(60)

    assert ["n01", "n03"] == granted(cluster)
    assert (2, 0, 0, 0) == counted(cluster.status("app"))
    assert [1, 1] == [cluster.pulls_of(node) for node in ("n01", "n03")]
    check_tallies(cluster)


def test_a_restart_takes_nothing_back_before_it_knows_the_pods() -> None:
    """A new leader lists jobs, nodes and NodeImages first; until the Pods are known it leaves the entries alone."""
    cluster = warmed()
    before = {node: cluster.entry(node) for node in granted(cluster)}
    gone: list[str] = []
    cluster.api.watches.append(lambda _change: gone.extend(node for node in before if not cluster.entry(node)))

    for _ in range(5):
        check_quiet(cluster, seconds=5)

    assert [] == gone
    assert before == {node: cluster.entry(node) for node in granted(cluster)}
    assert [1, 1] == [cluster.pulls_of(node) for node in ("n00", "n01")]


def test_what_moved_while_nobody_led_is_put_right() -> None:
    """The next leader takes back from where the last Pod has gone."""
    cluster = warmed()
    cluster.kill()

    cluster.api.delete(PODS, f"{NAMESPACE}/web-1")
    cluster.pod("web-3", node="n04", labels=WEB)
    cluster.lead()
    cluster.run(60)

    assert ["n00", "n04"] == granted(cluster)
    assert (2, 0, 0, 0) == counted(cluster.status("app"))
    check_tallies(cluster)
