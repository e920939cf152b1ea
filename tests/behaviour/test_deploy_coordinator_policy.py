"""
The coordinator's token takes the one startup taint off a Node and changes nothing else of it, whatever its rights, and
tells events about our kinds and Nodes alone. Jobs and Secrets are test_deploy_coordinator_jobs.py's.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.coordinator import ACCOUNT, NAMESPACE
from tests.servers.deployment import EVENTS, event, refusal
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodes import GATE, NodeOnServer, taint
from tests.servers.processes import until


ONLY_TAINTS = "changes nothing of a Node but its taints"
ONLY_THE_GATE = f'takes the taint "{GATE}" off a Node, and adds, changes and removes no other'
OTHER = "node.cilium.io/agent-not-ready"
# The gate between others, and twice: a taint is told from another by key and effect.
TAINTS = [
    taint("dedicated", value="gpu"),
    taint(GATE),
    taint(OTHER, effect="NoExecute"),
    taint(GATE, effect="NoExecute", value="cold"),
]
LEFT = [TAINTS[0], TAINTS[2]]


@pytest.fixture(scope="module")
def token(deployed: ApiServer) -> str:
    """The coordinator's, once the policies hold."""
    probe = NodeOnServer(deployed, "test-probe")
    probe.create(taints=[taint(OTHER)])
    found = deployed.token(NAMESPACE, ACCOUNT, node="test-home")
    refused = {
        "nodes": lambda: refusal(
            deployed, "PATCH", f"{_path(probe)}?dryRun=All", {"spec": {"taints": []}}, token=found
        ),
        "events": lambda: refusal(deployed, "POST", EVENTS, event("any", kind="Pod"), token=found),
    }
    for policy, message in refused.items():
        name = f"prewarm-coordinator-{policy}"
        until(partial(_has, message, words=name), what=f"{name} holds", timeout_seconds=30)
    return found


@pytest.fixture
def node(deployed: ApiServer, names: Names) -> NodeOnServer:
    """A Node with the gate's taint, and with all that a cloud's node has beside it."""
    made = NodeOnServer(deployed, names("node"))
    made.create(labels={"pool": "gpu"}, taints=TAINTS)
    deployed.request(
        "PATCH",
        _path(made),
        {
            "metadata": {"annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}},
            "spec": {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"], "providerID": "aws:///a/i-1"},
        },
    )
    return made


@pytest.fixture(scope="module")
def wide(deployed: ApiServer, token: str) -> Iterator[None]:
    """Every right on Nodes for the coordinator's account, so that the policies alone stand in the way."""
    resources = "--resource=nodes,nodes/status"
    deployed.kubectl("create", "clusterrole", "test-wide", "--verb=*", resources)
    account = f"--serviceaccount={NAMESPACE}:{ACCOUNT}"
    deployed.kubectl("create", "clusterrolebinding", "test-wide", "--clusterrole=test-wide", account)
    probe = "/api/v1/nodes?dryRun=All"
    until(
        lambda: "cannot" not in refusal(deployed, "POST", probe, {"metadata": {"name": "test-new"}}, token=token),
        what="the wide rights are in force",
        timeout_seconds=30,
    )
    yield
    deployed.kubectl("delete", "clusterrolebinding/test-wide", "clusterrole/test-wide")


def _has(message: Callable[[], str], *, words: str) -> bool:
    return words in message()


def _path(node: NodeOnServer) -> str:
    return f"/api/v1/nodes/{node.name}"


def _refusal(deployed: ApiServer, node: NodeOnServer, body: Json | list[Json], token: str) -> str:
    return refusal(deployed, "PATCH", _path(node), body, token=token)


def _taints(value: list[Json] | None) -> Json:
    return {"spec": {"taints": value}}


def test_the_gate_s_taint_is_the_coordinator_s_to_take(deployed: ApiServer, node: NodeOnServer, token: str) -> None:
    """By the patch that it sends: what it removes is tested, from the last one down."""
    patch = [
        {"op": "test", "path": "/spec/taints/3/key", "value": GATE},
        {"op": "remove", "path": "/spec/taints/3"},
        {"op": "test", "path": "/spec/taints/1/key", "value": GATE},
        {"op": "remove", "path": "/spec/taints/1"},
    ]

    assert "" == _refusal(deployed, node, patch, token)
    assert LEFT == node.taints()


def test_the_last_taint_may_go_with_its_list(deployed: ApiServer, names: Names, token: str) -> None:
    """A Node without taints has no list of them."""
    alone = NodeOnServer(deployed, names("node"))
    alone.create(taints=[taint(GATE)])

    assert "" == _refusal(deployed, alone, [{"op": "remove", "path": "/spec/taints"}], token)
    assert [] == alone.taints()


def test_a_patch_that_changes_nothing_is_let_through_on_an_open_node(
    deployed: ApiServer, names: Names, token: str
) -> None:
    """A repeated one, say, whose answer was lost."""
    opened = NodeOnServer(deployed, names("node"))
    opened.create(taints=LEFT)

    assert "" == _refusal(deployed, opened, _taints(LEFT), token)


@pytest.mark.parametrize(
    "taints",
    [
        [taint(GATE, effect="NoExecute", value="cold"), *LEFT],
        [LEFT[0]],
        [],
        [*LEFT, taint("new")],
        [taint("dedicated", value="other"), LEFT[1]],
        [taint("dedicated", value="gpu", effect="NoExecute"), LEFT[1]],
        LEFT[::-1],
        [*TAINTS, taint("new")],
    ],
    ids=["one of two stays", "another goes", "all go", "one more", "value", "effect", "order", "one more, gate closed"],
)
def test_another_taint_is_not_the_coordinator_s(
    deployed: ApiServer, node: NodeOnServer, token: str, taints: list[Json]
) -> None:
    """Neither to take, nor to put, nor to change."""
    assert ONLY_THE_GATE in _refusal(deployed, node, _taints(taints), token)
    assert TAINTS == node.taints()


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"pool": "web"}}},
        {"metadata": {"labels": {"pool": None}}},
        {"metadata": {"labels": {"new": "label"}}},
        {"metadata": {"annotations": {"new": "annotation"}}},
        {"metadata": {"annotations": None}},
        {"metadata": {"finalizers": ["example.com/stay"]}},
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "other", "uid": "u"}]}},
        {"spec": {"unschedulable": True}},
    ],
    ids=str,
)
def test_nothing_else_of_a_node_is_the_coordinator_s(
    deployed: ApiServer, node: NodeOnServer, token: str, change: Json
) -> None:
    """Not by itself, nor beside the taint that it may take."""
    both = copy.deepcopy(change)
    both.setdefault("spec", {})["taints"] = LEFT

    assert ONLY_TAINTS in _refusal(deployed, node, change, token)
    assert ONLY_TAINTS in _refusal(deployed, node, both, token)
    assert TAINTS == node.taints()


def test_a_cordon_is_not_the_coordinator_s_to_lift(deployed: ApiServer, node: NodeOnServer, token: str) -> None:
    """A field that goes is a change like one that comes."""
    deployed.request("PATCH", _path(node), {"spec": {"unschedulable": True}})

    assert ONLY_TAINTS in _refusal(deployed, node, {"spec": {"unschedulable": None, "taints": LEFT}}, token)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", lambda _node: "/api/v1/nodes", {"metadata": {"generateName": "test-"}}),
        ("DELETE", _path, None),
        ("PATCH", lambda node: f"{_path(node)}/status", {"status": {"phase": "Running"}}),
    ],
    ids=["create", "delete", "status"],
)
def test_no_right_makes_nodes_the_coordinator_s(
    deployed: ApiServer, node: NodeOnServer, token: str, method: str, path: Callable[[NodeOnServer], str], body: Json
) -> None:
    """The policy holds where someone has given the account more than it needs."""
    message = refusal(deployed, method, path(node), body, token=token)

    assert "creates and deletes no Node, and writes no status of one" in message


@pytest.mark.usefixtures("wide")
def test_replacing_a_node_is_bound_alike(deployed: ApiServer, node: NodeOnServer, token: str) -> None:
    """A whole object sent by PUT is a change like any other."""
    whole = node.read()
    whole["metadata"]["labels"]["new"] = "label"

    assert ONLY_TAINTS in refusal(deployed, "PUT", _path(node), whole, token=token)


@pytest.mark.parametrize("kind", ["Pod", "Secret", ""])
def test_events_about_anything_else_are_refused(deployed: ApiServer, token: str, kind: str) -> None:
    """A stolen token can't put words about a Pod before an operator."""
    assert "about ImagePullJobs, ImageListPullJobs, NodeImages and Nodes alone" in refusal(
        deployed, "POST", EVENTS, event("any", kind=kind), token=token
    )


def test_another_account_is_not_looked_at(deployed: ApiServer, node: NodeOnServer, names: Names) -> None:
    """A node controller works on."""
    name = names("controller")
    deployed.account(name, name)
    deployed.kubectl("create", "clusterrole", name, "--verb=get,patch", "--resource=nodes")
    bound = (f"--clusterrole={name}", f"--serviceaccount={name}:{name}")
    deployed.kubectl("create", "clusterrolebinding", name, *bound)
    stranger = deployed.token(name, name)

    until(
        lambda: not _refusal(deployed, node, {"metadata": {"labels": {"new": "label"}}}, stranger),
        what="the other account's right is in force and nothing else refuses it",
        timeout_seconds=30,
    )


def test_the_administrator_opens_a_gate_by_hand(deployed: ApiServer, node: NodeOnServer) -> None:
    """By the command of docs/runbook.md, for a cluster whose coordinator is gone."""
    deployed.kubectl("taint", "nodes", node.name, f"{GATE}-")

    assert LEFT == node.taints()
