"""On a real API server, the gate's patch takes exactly its taint off a Node, or nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest

from daemon.cluster.errors import Invalid
from daemon.cluster.interface import Operation
from daemon.cluster.kubeconfig import read_kubeconfig
from daemon.cluster.transport import HttpApi
from daemon.coordinator.decoding import node_of
from daemon.coordinator.gate import open_patch
from daemon.coordinator.seen import SeenNode
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodes import GATE, NodeOnServer, taint
from tests.servers.objects import Json


GPU = taint("dedicated", value="gpu")
SPOT = taint("spot", effect="PreferNoSchedule")


@pytest.fixture
def client(apiserver: ApiServer) -> Iterator[HttpApi]:
    """The coordinator's transport, with the administrator's rights."""
    with closing(HttpApi(read_kubeconfig(apiserver.kubeconfig), user_agent="prewarm-test/1")) as client:
        yield client


@pytest.fixture
def node(apiserver: ApiServer, names: Names) -> Iterator[NodeOnServer]:
    """A Node that is deleted when the test ends."""
    node = NodeOnServer(apiserver, names("node"))
    yield node
    node.delete()


def _seen(client: HttpApi, node: NodeOnServer) -> SeenNode:
    return node_of(client.fetch(f"/api/v1/nodes/{node.name}", timeout_seconds=10))


def _patch(client: HttpApi, node: NodeOnServer, operations: Sequence[Operation]) -> SeenNode:
    client.patch(f"/api/v1/nodes/{node.name}", operations, timeout_seconds=10)
    return _seen(client, node)


@pytest.mark.parametrize(
    ("taints", "left"),
    [
        ([taint(GATE)], []),
        ([taint(GATE, value="true")], []),
        ([GPU, taint(GATE), SPOT], [GPU, SPOT]),
        ([taint(GATE), taint(GATE, effect="NoExecute")], []),
        ([taint(GATE, effect="NoExecute"), GPU, taint(GATE), SPOT], [GPU, SPOT]),
    ],
)
def test_the_patch_takes_the_gates_taint_off_and_leaves_the_others(
    client: HttpApi, node: NodeOnServer, taints: list[Json], left: list[Json]
) -> None:
    """Also where it was the only one, and where it stood there with two effects."""
    node.create(taints=taints)

    after = _patch(client, node, open_patch(_seen(client, node), taint_key=GATE))

    assert left == node.taints()
    assert [each["key"] for each in left] == [each.key for each in after.taints]


def test_a_taint_that_came_meanwhile_stays(client: HttpApi, node: NodeOnServer) -> None:
    """The list is not removed with its last taint that was known of."""
    node.create(taints=[taint(GATE)])
    seen = _seen(client, node)
    node.taint("dedicated", value="gpu")

    _patch(client, node, open_patch(seen, taint_key=GATE))

    assert [GPU] == node.taints()


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda node: node.untaint(GATE),
        lambda node: node.untaint("dedicated"),
        lambda node: (node.untaint(GATE), node.taint("spot", effect="PreferNoSchedule")),
        lambda node: (node.untaint(GATE), node.taint(GATE, effect="NoExecute")),
        lambda node: (node.untaint(GATE), node.taint(GATE, value="other")),
    ],
    ids=["taken off by hand", "moved forward", "another in its place", "another effect", "another value"],
)
def test_the_patch_is_refused_when_the_taints_were_changed_meanwhile(
    client: HttpApi, node: NodeOnServer, meanwhile: Callable[[NodeOnServer], object]
) -> None:
    """422, and nothing is taken off; what a fresh look makes is taken."""
    node.create(taints=[GPU, taint(GATE, value="true")])
    seen = _seen(client, node)
    meanwhile(node)
    before = node.taints()

    with pytest.raises(Invalid) as caught:
        _patch(client, node, open_patch(seen, taint_key=GATE))

    assert (422, before) == (caught.value.code, node.taints())
    _patch(client, node, open_patch(_seen(client, node), taint_key=GATE))
    assert [each for each in before if each["key"] != GATE] == node.taints()


def test_the_patch_is_refused_by_another_node_of_the_name(client: HttpApi, node: NodeOnServer) -> None:
    """A machine that came back has a gate and a deadline of its own."""
    node.create(taints=[taint(GATE)])
    seen = _seen(client, node)
    node.delete()
    node.create(taints=[taint(GATE)])

    with pytest.raises(Invalid):
        _patch(client, node, open_patch(seen, taint_key=GATE))

    assert [taint(GATE)] == node.taints()
