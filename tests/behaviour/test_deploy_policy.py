"""An agent's token changes its own node's NodeImage and no other, whatever rights its account has."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.deployment import (
    ACCOUNT,
    EVENTS,
    NAMESPACE,
    OTHER,
    OWN,
    VERSIONS,
    deploy,
    event,
    nodeimage,
    nodeimages,
    refusal,
    status_patch,
)
from tests.servers.fixtures_apiserver import Names
from tests.servers.processes import until


STATUS = "nodeimages.apps.kruise.io/status"
# The key of the audit log's annotation, as docs/security.md tells it.
FAILURE = "validation.policy.admission.k8s.io/validation_failure"
ELSEWHERE = f'own node: this token is from node "{OWN}", the NodeImage is "{OTHER}"'


@pytest.fixture(scope="module")
def own(deployed: ApiServer) -> str:
    """The token of the agent on OWN."""
    return deployed.token(NAMESPACE, ACCOUNT, node=OWN)


@pytest.fixture(scope="module")
def wide(deployed: ApiServer, own: str) -> Iterator[None]:
    """Every right on NodeImages and events for the agents' account, so that the policies alone stand in the way."""
    resources = "--resource=nodeimages.apps.kruise.io,nodeimages.apps.kruise.io/status,events,events.events.k8s.io"
    deployed.kubectl("create", "clusterrole", "test-wide", "--verb=*", resources)
    account = f"--serviceaccount={NAMESPACE}:{ACCOUNT}"
    deployed.kubectl("create", "clusterrolebinding", "test-wide", "--clusterrole=test-wide", account)
    change = [{"op": "test", "path": "/metadata/name", "value": OWN}]
    until(
        lambda: not refusal(deployed, "PATCH", nodeimages(OWN), change, token=own),
        what="the wide rights are in force",
        timeout_seconds=30,
    )
    yield
    deployed.kubectl("delete", "clusterrolebinding/test-wide", "clusterrole/test-wide")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_status_of_the_own_node_is_the_agent_s(deployed: ApiServer, own: str, version: str) -> None:
    """The agent reports through either version."""
    path = nodeimages(OWN, subresource="status", version=version)

    assert "" == refusal(deployed, "PATCH", path, status_patch(), token=own)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_status_of_another_node_is_refused(deployed: ApiServer, own: str, version: str) -> None:
    """No agent reports for another node, and the refusal names both."""
    path = nodeimages(OTHER, subresource="status", version=version)

    assert ELSEWHERE in refusal(deployed, "PATCH", path, status_patch(), token=own)


def test_each_node_has_its_own_token(deployed: ApiServer, own: str) -> None:
    """What one agent is refused is the other's to do."""
    other = deployed.token(NAMESPACE, ACCOUNT, node=OTHER)
    path = nodeimages(OTHER, subresource="status")

    assert "" == refusal(deployed, "PATCH", path, status_patch(), token=other)


def test_a_token_that_is_bound_to_no_pod_is_refused(deployed: ApiServer) -> None:
    """A token that someone made by hand says no node; the refusal says what such a token lacks."""
    stray = deployed.token(NAMESPACE, ACCOUNT)

    message = refusal(deployed, "PATCH", nodeimages(OWN, subresource="status"), status_patch(), token=stray)

    assert "says no node" in message
    assert "bound to a Pod on a node" in message


def test_a_token_of_a_pod_without_a_node_is_refused(deployed: ApiServer) -> None:
    """A Pod that waits for a node does not speak for one."""
    spec = {"serviceAccountName": ACCOUNT, "containers": [{"name": "main", "image": "none:1"}]}
    pod = {"metadata": {"generateName": "waiting-"}, "spec": spec}
    created = deployed.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    waiting = deployed.token(NAMESPACE, ACCOUNT, pod=created["metadata"]["name"])

    message = refusal(deployed, "PATCH", nodeimages(OWN, subresource="status"), status_patch(), token=waiting)

    assert "says no node" in message


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_another_s_object_is_refused_also_with_every_right(deployed: ApiServer, own: str, method: str) -> None:
    """The policy holds where someone has given the account more than it needs."""
    body = [{"op": "add", "path": "/spec", "value": {}}] if method == "PATCH" else None

    assert ELSEWHERE in refusal(deployed, method, nodeimages(OTHER), body, token=own)


@pytest.mark.usefixtures("wide")
def test_replacing_another_s_object_is_refused(deployed: ApiServer, own: str) -> None:
    """A whole object sent by PUT is a change like any other."""
    found = deployed.request("GET", nodeimages(OTHER))

    assert ELSEWHERE in refusal(deployed, "PUT", nodeimages(OTHER), found, token=own)


@pytest.mark.usefixtures("wide")
def test_deleting_all_reaches_no_other_s(deployed: ApiServer, own: str) -> None:
    """A collection has no name in the request; each object in it is looked at."""
    message = refusal(deployed, "DELETE", f"{nodeimages()}?fieldSelector=metadata.name%3D{OTHER}", token=own)

    assert ELSEWHERE in message


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("metadata", [{"name": "node-new"}, {"generateName": "node-"}], ids=["named", "generated"])
def test_creating_another_s_object_is_refused(deployed: ApiServer, own: str, metadata: dict[str, str]) -> None:
    """Not even one that does not exist yet, under a name of one's own or one that the server makes."""
    body = {**nodeimage(""), "metadata": metadata}

    assert f'this token is from node "{OWN}"' in refusal(deployed, "POST", nodeimages(), body, token=own)


def test_an_event_about_the_own_node_is_the_agent_s(deployed: ApiServer, own: str) -> None:
    """The agent tells of its pulls."""
    assert "" == refusal(deployed, "POST", EVENTS, event(OWN), token=own)


@pytest.mark.parametrize(("name", "kind"), [(OTHER, "NodeImage"), (OWN, "Node")], ids=["another", "kind"])
def test_an_event_about_anything_else_is_refused(deployed: ApiServer, own: str, name: str, kind: str) -> None:
    """A stolen token can't put words about a Node or another's NodeImage before an operator."""
    assert "prewarm-agent-events" in refusal(deployed, "POST", EVENTS, event(name, kind=kind), token=own)


@pytest.mark.usefixtures("wide")
def test_an_event_in_the_older_form_is_refused_alike(deployed: ApiServer, own: str) -> None:
    """Events are one resource in two groups, and the policy looks at both."""
    regarding = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "NodeImage", "name": OTHER}
    body = {"metadata": {"generateName": "old-"}, "involvedObject": regarding, "reason": "Any", "message": "any"}

    assert "prewarm-agent-events" in refusal(deployed, "POST", "/api/v1/namespaces/default/events", body, token=own)


def test_another_account_is_not_looked_at(deployed: ApiServer, names: Names) -> None:
    """OpenKruise's daemon, say, works on with tokens of any kind."""
    name = names("daemon")
    deployed.account(name, name)
    deployed.kubectl("create", "clusterrole", name, "--verb=patch", f"--resource={STATUS}")
    bound = (f"--clusterrole={name}", f"--serviceaccount={name}:{name}")
    deployed.kubectl("create", "clusterrolebinding", name, *bound)
    stranger = deployed.token(name, name, node=OWN)

    until(
        lambda: not refusal(deployed, "PATCH", nodeimages(OTHER, subresource="status"), status_patch(), token=stranger),
        what="the other account's right is in force and nothing else refuses it",
        timeout_seconds=30,
    )


def test_the_administrator_is_not_looked_at(deployed: ApiServer) -> None:
    """A person mends any node's object."""
    deployed.request("PATCH", nodeimages(OTHER, subresource="status"), status_patch())


def test_a_refusal_stands_in_the_audit_log(tmp_path: Path) -> None:
    """Whoever watches the audit log sees a token that is not where it belongs."""
    policy, log = tmp_path / "policy.yaml", tmp_path / "audit.log"
    policy.write_text('{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}')
    flags = (f"--audit-policy-file={policy}", f"--audit-log-path={log}")

    with ApiServer(tmp_path / "api", flags=flags) as apiserver:
        deploy(apiserver)
        thief = apiserver.token(NAMESPACE, ACCOUNT, node=OWN)
        refusal(apiserver, "PATCH", nodeimages(OTHER, subresource="status"), status_patch(), token=thief)
        refused = [
            entry for entry in map(json.loads, log.read_text().splitlines()) if FAILURE in entry.get("annotations", {})
        ]

    assert OTHER in {entry["objectRef"].get("name") for entry in refused}
    assert {f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"} == {entry["user"]["username"] for entry in refused}
