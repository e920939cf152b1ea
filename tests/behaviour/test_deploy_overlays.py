"""The overlays, ours and those that deploy/README.md shows, are what it says of them, and an API server takes them."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.render import DAEMONSET_ONLY, ROOT
from tests.behaviour.deploy_document import apply, block, one, rendered, section, shell
from tests.rights import CLUSTER, Right, documented, granted
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import ACCOUNT, NAMESPACE
from tests.servers.crds import ours, until_served
from tests.servers.deployment import EVENTS, OWN, SECRETS, event, nodeimage, nodeimages, refusal, status_patch
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.nodes import GATE, NodeOnServer, taint
from tests.servers.processes import until


AGENT = "prewarm-agent"
STARTING = "example.com/starting"
# For what is asked until a policy holds: done before, it would be no change any more, which no policy refuses.
DRY = "?dryRun=All"


def copied(folder: Path, heading: str) -> Path:
    """Write down the overlay that a section of the document shows, beside the base, and return its folder."""
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    overlay = folder / "deploy/overlays/copied"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text(block(section(heading), language="yaml"), encoding="utf-8")
    return overlay


@pytest.fixture(scope="module")
def another_taint(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the document's overlay renders to."""
    return rendered(copied(tmp_path_factory.mktemp("overlay"), "Another taint"))


def test_another_taint_leaves_no_place_with_the_first_one(another_taint: list[dict[str, Any]]) -> None:
    """A gate is opened where option, policy and toleration have the same key."""
    spec = one(another_taint, "Deployment", ACCOUNT)["spec"]["template"]["spec"]

    assert GATE not in json.dumps(another_taint)
    assert ["coordinator", f"--gate-taint={STARTING}"] == spec["containers"][0]["args"]
    assert [{"key": STARTING, "operator": "Exists"}] == spec["tolerations"]


def test_another_taint_is_the_one_that_may_be_taken_off(
    another_taint: list[dict[str, Any]], apiserver: ApiServer
) -> None:
    """And the first one may not any more."""
    apply(apiserver, another_taint)
    token = apiserver.token(NAMESPACE, ACCOUNT)
    node = NodeOnServer(apiserver, "test-starting")
    node.create(taints=[taint(GATE), taint(STARTING)])
    path = f"/api/v1/nodes/{node.name}"
    until(
        lambda: (
            f'takes the taint "{STARTING}" off'
            in refusal(apiserver, "PATCH", f"{path}{DRY}", {"spec": {"taints": [taint(STARTING)]}}, token=token)
        ),
        what="the policy holds",
        timeout_seconds=30,
    )

    assert "" == refusal(apiserver, "PATCH", path, {"spec": {"taints": [taint(GATE)]}}, token=token)


@pytest.fixture(scope="module")
def daemonset_only() -> list[dict[str, Any]]:
    """What the overlay of one DaemonSet for both renders to."""
    return rendered(DAEMONSET_ONLY)


@pytest.fixture(scope="module")
def everywhere(daemonset_only: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A cluster of its own with the overlay of one DaemonSet applied."""
    with ApiServer(tmp_path_factory.mktemp("daemonset-only")) as apiserver:
        apply(apiserver, daemonset_only)
        until_served(apiserver, ours())
        yield apiserver


def test_one_daemonset_is_all_that_has_pods(daemonset_only: list[dict[str, Any]]) -> None:
    """Nothing is left of the Deployment, nor of the account that nobody has."""
    kinds = [found["kind"] for found in daemonset_only]
    accounts = [found["metadata"]["name"] for found in daemonset_only if found["kind"] == "ServiceAccount"]
    policies = [found["metadata"]["name"] for found in daemonset_only if found["kind"] == "ValidatingAdmissionPolicy"]

    assert [1, 0, 0] == [kinds.count(kind) for kind in ("DaemonSet", "Deployment", "PodDisruptionBudget")]
    assert [ACCOUNT] == accounts
    assert [f"{ACCOUNT}-{name}" for name in ("nodes", "jobs", "secrets", "events")] == policies


def test_one_daemonset_has_agents_that_coordinate(daemonset_only: list[dict[str, Any]]) -> None:
    """With the account that may, and with all that a coordinator's Pod is told."""
    spec = one(daemonset_only, "DaemonSet", AGENT)["spec"]["template"]["spec"]
    (container,) = spec["containers"]

    assert ["agent", "--with-coordinator"] == container["args"]
    assert (ACCOUNT, 60) == (spec["serviceAccountName"], spec["terminationGracePeriodSeconds"])
    assert {"NODE_NAME", "POD_NAME", "POD_NAMESPACE"} == {each["name"] for each in container["env"]}
    assert [{"operator": "Exists"}] == spec["tolerations"]


def test_one_daemonset_has_an_account_with_both_rights(daemonset_only: list[dict[str, Any]]) -> None:
    """Those of docs/security.md, each once; but no node's token reads the Secrets of the cluster."""
    everywhere = {Right(where=CLUSTER, resource="secrets", verb="get")}

    assert (documented(AGENT) | documented(ACCOUNT)) - everywhere == granted(daemonset_only, account=ACCOUNT)
    assert set() == granted(daemonset_only, account=AGENT)


def test_an_agent_s_token_does_both(everywhere: ApiServer, names: Names) -> None:
    """It makes a NodeImage, reports in it, tells an event of it, and reads the copy of a secret."""
    token = everywhere.token(NAMESPACE, ACCOUNT, node=OWN)
    name = names("node")
    secret = {"metadata": {"name": "registry"}}
    everywhere.request("POST", "/api/v1/namespaces/kruise-daemon-config/secrets", secret)

    for method, path, body in (
        ("POST", nodeimages(), nodeimage(name)),
        ("PATCH", nodeimages(name, subresource="status"), status_patch()),
        ("POST", EVENTS, event(name)),
        ("GET", "/api/v1/namespaces/kruise-daemon-config/secrets/registry", None),
    ):
        assert "" == refusal(everywhere, method, path, body, token=token)


@pytest.mark.parametrize(
    "change", [{"unschedulable": True}, {"taints": [{"key": "example.com/other", "effect": "NoSchedule"}]}]
)
def test_the_policies_of_a_coordinator_hold_on_every_node(everywhere: ApiServer, change: dict[str, object]) -> None:
    """On every node's token: a Node is neither cordoned nor given a taint by it."""
    token = everywhere.token(NAMESPACE, ACCOUNT, node=OWN)
    node = f"/api/v1/nodes/{OWN}{DRY}"

    until(
        lambda: "prewarm-coordinator-nodes" in refusal(everywhere, "PATCH", node, {"spec": change}, token=token),
        what="the policy holds",
        timeout_seconds=30,
    )


def test_an_agent_with_the_overlay_s_account_coordinates(everywhere: ApiServer, tmp_path: Path) -> None:
    """It leads, makes the NodeImage of its node, serves it, and is refused nothing; its runtime is away."""
    node = NodeOnServer(everywhere, "test-both")
    node.create(taints=[taint(GATE)])
    agent = AgentProcess(
        everywhere,
        tmp_path / "agent",
        node_name=node.name,
        endpoint=str(tmp_path / "absent.sock"),
        options=("--with-coordinator",),
        variables={"POD_NAMESPACE": NAMESPACE},
        account=(NAMESPACE, ACCOUNT),
    )

    with agent:
        node.until_untainted(GATE)
        image = NodeImageOnServer(everywhere, node.name)
        until(lambda: agent.told("node_image_found"), what="the agent has its NodeImage", timeout_seconds=30)
        until(lambda: image.read().get("status"), what="the agent has reported", timeout_seconds=30)

        assert [] == [line for line in agent.lines() if "forbidden" in str(line.get("message", "")).lower()]


def test_no_token_of_a_node_reads_every_secret(everywhere: ApiServer) -> None:
    """What a node's root may read is what its jobs need: copies, and no Secret of a namespace that has not said so."""
    token = everywhere.token(NAMESPACE, ACCOUNT, node=OWN)

    assert "cannot get" in refusal(everywhere, "GET", "/api/v1/namespaces/default/secrets/registry", token=token)


def test_what_is_left_of_the_deployment_is_taken_away(apiserver: ApiServer) -> None:
    """By the document's command, where daemonset.yaml was applied before."""
    apiserver.kubectl("apply", "-f", ROOT / "daemonset.yaml")

    said = shell(block(section("One DaemonSet for both"), "kubectl delete"), cluster=apiserver)

    assert 4 == len(said.splitlines())


def test_secrets_are_read_in_the_named_namespaces_only(apiserver: ApiServer) -> None:
    """By the coordinator's own account, over daemonset.yaml, with the document's commands for each namespace."""
    apiserver.kubectl("apply", "-f", ROOT / "daemonset.yaml")
    for namespace in ("team-a", "team-b", "team-c"):
        apiserver.account(namespace, "default")
        apiserver.request("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "registry"}})
    token = apiserver.token(NAMESPACE, ACCOUNT)
    secret = "/api/v1/namespaces/team-{}/secrets/{}"

    for commands in re.findall(r"```sh\n(.*?)```", section("Secrets of some namespaces only"), re.DOTALL):
        shell(commands, cluster=apiserver)

    until(
        lambda: "cannot get" in refusal(apiserver, "GET", secret.format("c", "registry"), token=token),
        what="the right in the whole cluster is gone",
        timeout_seconds=30,
    )
    for team in ("a", "b"):
        assert "" == refusal(apiserver, "GET", secret.format(team, "registry"), token=token)
        assert "cannot list" in refusal(apiserver, "GET", secret.format(team, ""), token=token)
    assert "" == refusal(apiserver, "GET", f"/api/v1/namespaces/{SECRETS}/secrets", token=token)
