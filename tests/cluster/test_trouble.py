"""
Trouble in the midst of pulls, on real nodes: whatever ends, goes away or is killed comes back, and the job ends well.

Each time no attempt is lost, no node fails, no layer is sent twice, and none of our Pods starts again that was not
killed on purpose.
"""

from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.cluster.conftest import PushApp
from tests.cluster.ours import Ours, container_id
from tests.cluster.slowly import BUFFERED_BYTES, LAYERS, MIB, PATIENT_SECONDS, Slowly
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import NAMESPACE, Product
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, condition, counted, skips, totals
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("product")

SEEDS = iter(range(100, 200))
ALL = ("node-1", "node-2", "node-3")
# What a containerd that is killed has of a layer in its own memory, at most.
UNWRITTEN_BYTES = MIB

Bring = Callable[..., Slowly]


@pytest.fixture
def ours(cluster: LabCluster, product: Product) -> Ours:
    """Our Pods, all of them up."""
    del product
    ours = Ours(cluster)
    ours.until_all_ready(timeout_seconds=PATIENT_SECONDS)
    return ours


@pytest.fixture
def bring(cluster: LabCluster, ours: Ours, push: PushApp, names: Names) -> Iterator[Bring]:
    """Have an image of its own brought to nodes; afterwards the network is quick, and everything runs and is ready."""
    made: list[Slowly] = []

    def bring(*nodes: str, parallelism: int = len(ALL), layers: Sequence[int] = LAYERS, share: float = 0.25) -> Slowly:
        name = names("slow")
        image = push(name, tag="v1", layers=(*layers,), seed=next(SEEDS))
        slowly = Slowly(cluster, image, JobOnServer(cluster.apiserver, "default", name), nodes=nodes)
        made.append(slowly)
        slowly.begin(parallelism=parallelism, share=share)
        return slowly

    yield bring
    cluster.network.clear()
    for slowly in made:
        slowly.job.delete()
    for node in cluster.nodes.values():
        if not node.containerd.is_running:
            node.start_containerd()
        if not node.kubelet.is_running:
            node.start_kubelet()
    ours.until_all_ready(timeout_seconds=PATIENT_SECONDS)


def ended_well(slowly: Slowly, *, versions: dict[str, int], lost_bytes: int = 0) -> None:
    """End it: every node is warm by the first attempt of what it was asked for, and no layer was sent twice."""
    status = slowly.end()
    count = len(slowly.nodes)
    assert (count, 0, count, 0) == totals(status)
    assert (count, 0, 0, 0) == counted(status)
    assert dict.fromkeys(slowly.nodes, ("Succeeded", 1)) == slowly.attempts()
    assert versions.items() <= slowly.versions().items()
    assert {} == slowly.sent_again(lost_bytes=lost_bytes)


def is_ready(node: Json) -> bool:
    """Tell whether a Node is Ready."""
    return "True" == condition(node["status"], "Ready").get("status")


def test_a_rolling_update_in_the_midst_of_pulls_loses_nothing(cluster: LabCluster, ours: Ours, bring: Bring) -> None:
    """Each agent ends in order, node after node, and its successor goes on from what it had fetched."""
    slowly = bring(*ALL)
    versions, before, since = slowly.versions(), ours.agents(), ours.version()
    restart = ("rollout", "restart", "daemonset/prewarm-agent", "--namespace", NAMESPACE)
    others = {name: count for name, count in ours.restarts().items() if name not in before.values()}

    cluster.apiserver.kubectl(*restart)
    wait = ("rollout", "status", "daemonset/prewarm-agent", "--namespace", NAMESPACE, f"--timeout={PATIENT_SECONDS}s")
    cluster.apiserver.kubectl(*wait, timeout_seconds=PATIENT_SECONDS + 10)
    after = ours.agents()
    exit_codes = ours.exit_codes(since=since)
    sent_bytes = slowly.sent_bytes
    ended_well(slowly, versions=versions, lost_bytes=len(ALL) * BUFFERED_BYTES)

    assert slowly.total_bytes > sent_bytes
    assert {*ALL} == before.keys() == after.keys()
    assert not {*before.values()} & {*after.values()}
    assert dict.fromkeys(before.values(), 0) == exit_codes
    assert {**others, **dict.fromkeys(after.values(), 0)} == ours.restarts()


@pytest.mark.parametrize("name", ["node-1", "node-3"])
def test_a_pull_outlives_the_runtime_that_did_it(cluster: LabCluster, ours: Ours, bring: Bring, name: str) -> None:
    """The agent stays when containerd is killed, says so, and goes on when it is back, at no attempt's cost."""
    slowly = bring(name, layers=(4 * UNWRITTEN_BYTES,), share=0.6)
    versions, restarts = slowly.versions(), ours.restarts()
    node, node_image = cluster.nodes[name], slowly.nodes[name]

    node.kill_containerd()
    away = node_image.until_status(
        lambda status: "False" == condition(status, "RuntimeReady").get("status"), what="the runtime is away"
    )
    node.start_containerd()
    node_image.until_status(
        lambda status: "True" == condition(status, "RuntimeReady").get("status"), what="the runtime is back"
    )
    ended_well(slowly, versions=versions, lost_bytes=UNWRITTEN_BYTES + BUFFERED_BYTES)

    assert "RuntimeUnavailable" == condition(away, "RuntimeReady")["reason"]
    assert restarts == ours.restarts()


def test_pulls_go_on_while_the_kubelet_is_away(cluster: LabCluster, ours: Ours, bring: Bring) -> None:
    """The node is skipped once it is NotReady, what is pulled meanwhile counts when it is back, and nothing failed."""
    slowly = bring("node-2")
    versions, restarts = slowly.versions(), ours.restarts()
    node, machine = ObjectOnServer(cluster.apiserver, "/api/v1/nodes", "node-2"), cluster.nodes["node-2"]

    machine.kill_kubelet()
    node.until(lambda found: not is_ready(found), what="is NotReady", timeout_seconds=PATIENT_SECONDS)
    skipped = slowly.job.until(lambda status: bool(skips(status)), what="skips it", timeout_seconds=PATIENT_SECONDS)
    slowly.until_more(MIB // 100)
    cluster.network.clear()
    slowly.nodes["node-2"].ended(slowly.image.key, slowly.image.tag, version=versions["node-2"])
    is_away = not is_ready(node.read())
    machine.start_kubelet()
    cluster.until_ready("node-2")
    slowly.job.until_ready(nodes=1, timeout_seconds=PATIENT_SECONDS)
    ended_well(slowly, versions=versions)

    assert {"NodeNotReady": ["node-2"]} == skips(skipped)
    assert is_away
    assert restarts == ours.restarts()


def test_pulls_go_on_while_the_api_server_is_away(cluster: LabCluster, ours: Ours, bring: Bring) -> None:
    """It is stopped and started: agents go on with what they were asked for, and say afterwards how far they are."""
    slowly = bring(*ALL)
    versions, restarts = slowly.versions(), ours.restarts()

    cluster.apiserver.stop()
    try:
        slowly.until_more(slowly.total_bytes // 100)
    finally:
        cluster.apiserver.start()
    ended_well(slowly, versions=versions)

    assert restarts == ours.restarts()


def test_another_coordinator_goes_on_where_the_leader_was_killed(cluster: LabCluster, ours: Ours, bring: Bring) -> None:
    """
    The leader dies with a third of the job granted, and does not come back before the other leads.

    Its node's kubelet is away for so long, since it would start it again within a second, under the same name.
    """
    slowly = bring(*ALL, parallelism=1)
    versions, restarts, leader = slowly.versions(), ours.restarts(), ours.leader()
    pod = ours.pods()[leader]
    node = cluster.nodes[pod["spec"]["nodeName"]]

    node.kill_kubelet()
    node.ctr.run("tasks", "kill", "--signal", "SIGKILL", container_id(pod))
    successor = ours.until_led(but=leader, timeout_seconds=PATIENT_SECONDS)
    node.start_kubelet()
    until(lambda: ours.restarts() != restarts, what="the dead one is back", timeout_seconds=PATIENT_SECONDS)
    ended_well(slowly, versions=versions)

    assert 1 == len(versions)
    assert successor in restarts
    assert {**restarts, leader: restarts[leader] + 1} == ours.restarts()
