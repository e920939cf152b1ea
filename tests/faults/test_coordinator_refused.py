"""Nodes whose NodeImage takes no write: a policy forbids it, or the schema does. Others never wait for them."""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.faults.coordinators import Place, is_spec
from tests.faults.ledger import Ledger
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.coordinator import ACCOUNT, NAMESPACE
from tests.servers.deployment import nodeimages
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import counted, job, reason, said, totals
from tests.servers.objects import Json
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("hollow")

IMAGE = "registry.test/app:v1"
NODES = 20
POLICIES: Final = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS: Final = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
POLICY: Final = "test-refuses"
WORDS: Final = "said by a test"


@contextlib.contextmanager
def forbidden(apiserver: ApiServer, names: Sequence[str], *, probe: str) -> Iterator[None]:
    """Forbid for a while that the NodeImages of these names are created or changed; `probe` is one that is there."""
    rule = {
        "apiGroups": ["apps.kruise.io"],
        "apiVersions": ["*"],
        "resources": ["nodeimages"],
        "operations": ["CREATE", "UPDATE"],
    }
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [
            {"expression": f"!(object.metadata.name in {list(names)})", "reason": "Forbidden", "message": WORDS}
        ],
    }
    apiserver.request("POST", POLICIES, {"metadata": {"name": POLICY}, "spec": spec})
    binding = {"policyName": POLICY, "validationActions": ["Deny"]}
    apiserver.request("POST", BINDINGS, {"metadata": {"name": POLICY}, "spec": binding})
    until(lambda: code_of_change(apiserver, probe) == 403, what="the policy holds", timeout_seconds=30)
    try:
        yield
    finally:
        apiserver.request("DELETE", f"{BINDINGS}/{POLICY}")
        apiserver.request("DELETE", f"{POLICIES}/{POLICY}")
        until(lambda: code_of_change(apiserver, probe) == 0, what="the policy is gone", timeout_seconds=30)


@contextlib.contextmanager
def strict(apiserver: ApiServer, name: str) -> Iterator[None]:
    """Have the schema take no image in the NodeImage of this name for a while."""
    usual = [crd for crd in crds.ours() if crd["spec"]["names"]["kind"] == "NodeImage"]
    crds.install(apiserver, [narrowed(crd, name) for crd in usual])
    until(lambda: code_of_change(apiserver, name) == 422, what="the schema is strict", timeout_seconds=30)
    try:
        yield
    finally:
        crds.install(apiserver, usual)
        until(lambda: code_of_change(apiserver, name) == 0, what="the schema is as it was", timeout_seconds=30)


def narrowed(crd: Json, name: str) -> Json:
    """Return the CRD with a rule against images of one NodeImage, in each version."""
    narrow = copy.deepcopy(crd)
    for version in narrow["spec"]["versions"]:
        expression = f"self.metadata.name != '{name}' || !has(self.spec.images) || self.spec.images.size() == 0"
        rules = version["schema"]["openAPIV3Schema"].setdefault("x-kubernetes-validations", [])
        # Both versions may be of one schema.
        if {"rule": expression} not in rules:
            rules.append({"rule": expression})
    return narrow


def code_of_change(apiserver: ApiServer, name: str) -> int:
    """Return the HTTP status with which the coordinator's change of a NodeImage would be refused, 0 where it is not."""
    token = apiserver.token(NAMESPACE, ACCOUNT)
    images = {"registry.test/probe": {"tags": [{"tag": "v1"}]}}
    try:
        apiserver.request("PATCH", f"{nodeimages(name)}?dryRun=All", {"spec": {"images": images}}, token=token)
    except ApiFailed as error:
        return error.status
    return 0


def test_nodes_that_refuse_are_named_and_hold_nobody_up(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger, deployed: ApiServer
) -> None:
    """
    A policy forbids one NodeImage's change and another's creation, the schema refuses a third: the others finish.

    The job says whom it waits for, few writes are wasted, and within a minute after the refusals are lifted it ends.
    """
    many = nodes(NODES - 1)
    placed = place("one")
    ledger.until_agents(NODES - 1)
    changed, schema = many[0].name, many[1].name
    absent = nodes.name()
    refused = sorted([changed, schema, absent])

    with forbidden(deployed, [changed, absent], probe=changed), strict(deployed, schema):
        many.append(nodes.named(absent))
        made = jobs(job(IMAGE, selector=nodes.selector, parallelism=2))
        before = made.until(
            lambda status: (
                (NODES, 0, NODES - 3, 0) == totals(status) and all(name in status["message"] for name in refused)
            ),
            what="all others are done, and the refusing are named",
        )
        until(
            lambda: 3 == placed.process.metric("prewarm_coordinator_nodes_refused"),
            what="the metric counts them",
            timeout_seconds=30,
        )
        state = placed.process.state()["cluster"]["nodes_refused"]["first"]
        told = placed.process.told("write_refused")
        writes = [one for one in placed.gateway.seen("PATCH") if is_spec(one) and one.path.endswith(schema)]
    status = made.ended(timeout_seconds=120)

    assert (NODES - 3, 0, 3, 0) == counted(before)
    assert ("True", "NodesRefused") == (said(before, "Stalled"), reason(before, "Stalled"))
    assert "completionTime" not in before
    assert refused == sorted(state)
    assert WORDS in state[changed]
    assert [1, 1, 1] == [sum(line["path"].endswith(name) for line in told) for name in refused]
    assert 2 == len(writes)
    assert (NODES, 0, NODES, 0) == totals(status)
    assert ("True", "") == (said(status, "Complete"), said(status, "Stalled").replace("False", ""))
    assert 2 >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)
    until(
        lambda: 0 == placed.process.metric("prewarm_coordinator_nodes_refused"),
        what="the metric counts none",
        timeout_seconds=30,
    )
