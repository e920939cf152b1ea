"""The overlay for a cluster with OpenKruise brings the agent alone, and leaves all that is OpenKruise's as it is."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.render import ROOT, render
from tests.rights import CLUSTER, Right, documented, granted
from tests.servers import namespaces
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.binaries import kubernetes
from tests.servers.crds import install
from tests.servers.deployment import ACCOUNT, NAMESPACE, OTHER, OWN, SECRETS, event, nodeimages, refusal, status_patch
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodeimages import NodeImageOnServer, entry, owner
from tests.servers.openkruise import crds as theirs
from tests.servers.processes import until


OVERLAY = ROOT / "deploy/overlays/with-openkruise"
TEAM = "test-team"
GROUP = "/apis/apps.kruise.io/v1beta1"
TOLD = f"/apis/events.k8s.io/v1/namespaces/{TEAM}/events"
COORDINATOR = "prewarm-coordinator"
EVENTS_EVERYWHERE = Right(where=CLUSTER, resource="events.events.k8s.io", verb="create")


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """What the overlay renders to."""
    return list(yaml.safe_load_all(render(OVERLAY, kubectl=kubernetes().kubectl)))


@pytest.fixture(scope="module")
def openkruise(apiserver: ApiServer) -> Iterator[list[str]]:
    """What OpenKruise's manager has made in a cluster: the paths of a job, a list, NodeImages, a copy of a secret."""
    install(apiserver, theirs.crds("1.9"))
    for namespace in (TEAM, SECRETS):
        apiserver.account(namespace, "default")
    spec = {"image": "registry.test/app:v1", "completionPolicy": {"type": "Always"}}
    made = _made(apiserver, "ImagePullJob", spec, finalizers=["apps.kruise.io/deletion-protection"])
    images = _made(apiserver, "ImageListPullJob", {**spec, "images": ["registry.test/app:v1"], "image": None})
    annotations = {"imagepulljobs.kruise.io/source-key": f"{TEAM}/registry"}
    copy = {"metadata": {"name": "registry-a1b2c3", "annotations": annotations}}
    apiserver.request("POST", f"/api/v1/namespaces/{SECRETS}/secrets", copy)
    for name in (OWN, OTHER):
        wanted = entry("v1", ownerReferences=[owner(TEAM, "base")])
        NodeImageOnServer(apiserver, name).create({"registry.test/app": {"tags": [wanted]}})
    with namespaces.ending(apiserver, (NAMESPACE,)):
        secrets = f"/api/v1/namespaces/{SECRETS}/secrets/registry-a1b2c3"
        yield [made, images, secrets, nodeimages(OWN), nodeimages(OTHER), f"/api/v1/namespaces/{SECRETS}"]


def _made(apiserver: ApiServer, kind: str, spec: Json, **metadata: Any) -> str:  # noqa: ANN401 - JSON
    body = {"apiVersion": "apps.kruise.io/v1beta1", "kind": kind, "spec": spec}
    path = f"{GROUP}/namespaces/{TEAM}/{kind.lower()}s"
    apiserver.request("POST", path, {**body, "metadata": {"name": "base", **metadata}})
    return f"{path}/base"


@pytest.fixture
def applied(apiserver: ApiServer, openkruise: list[str]) -> ApiServer:
    """The overlay in that cluster, its policies in force."""
    assert openkruise
    apiserver.kubectl("apply", "--warnings-as-errors", "-k", OVERLAY)
    stray = apiserver.token(NAMESPACE, ACCOUNT)
    path = nodeimages(OWN, subresource="status")
    for method, place, body in (("PATCH", path, status_patch()), ("POST", TOLD, _failed("base"))):
        until(
            partial(_is_bound, apiserver, method, place, body, token=stray),
            what=f"the policy of {place} holds",
            timeout_seconds=30,
        )
    return apiserver


def _is_bound(apiserver: ApiServer, method: str, path: str, body: Json | list[Json], *, token: str) -> bool:
    return "this token" in refusal(apiserver, method, path, body, token=token)


def _failed(name: str, *, kind: str = "ImagePullJob", reason: str = "PullImageFailed") -> Json:
    return {**event(name, kind=kind, namespace=TEAM), "type": "Warning", "reason": reason}


def test_it_brings_the_agent_and_nothing_of_openkruise_s(objects: list[dict[str, Any]]) -> None:
    """No kind, no coordinator, and of the copies' namespace no more than the right to read them."""
    brought = {(each["kind"], each["metadata"].get("namespace", each["metadata"]["name"])) for each in objects}

    assert [] == [each for each in objects if each["kind"] in {"CustomResourceDefinition", "Deployment"}]
    assert [] == [each for each in objects if COORDINATOR in each["metadata"]["name"]]
    assert {NAMESPACE} == {name for kind, name in brought if kind == "Namespace"}
    assert {"Role", "RoleBinding"} == {kind for kind, namespace in brought if namespace == SECRETS}


def test_the_agent_has_its_rights_and_may_tell_of_jobs(objects: list[dict[str, Any]]) -> None:
    """Those of docs/security.md, and events in every namespace in place of one."""
    usual = {right for right in documented(ACCOUNT) if right.resource != EVENTS_EVERYWHERE.resource}
    (daemonset,) = (each for each in objects if each["kind"] == "DaemonSet")
    (container,) = daemonset["spec"]["template"]["spec"]["containers"]

    assert usual | {EVENTS_EVERYWHERE} == granted(objects, account=ACCOUNT)
    assert ["agent", "--owner-events"] == container["args"]


def test_a_failure_may_be_told_on_a_job_of_any_namespace(applied: ApiServer) -> None:
    """As kruise-daemon does; and on the own node's NodeImage, as everywhere."""
    token = applied.token(NAMESPACE, ACCOUNT, node=OWN)

    assert "" == refusal(applied, "POST", TOLD, _failed("base"), token=token)
    assert "" == refusal(applied, "POST", TOLD.replace(TEAM, "default"), event(OWN), token=token)
    assert "" == refusal(applied, "PATCH", nodeimages(OWN, subresource="status"), status_patch(), token=token)


def test_a_stolen_token_tells_of_nothing_else(applied: ApiServer) -> None:
    """What is wider is the one event of the one kind; the binding to the own node is as ever."""
    token = applied.token(NAMESPACE, ACCOUNT, node=OWN)

    for method, path, body in (
        ("POST", TOLD, _failed("base", reason="Stalled")),
        ("POST", TOLD, _failed("web", kind="Pod")),
        ("POST", TOLD, _failed("base", kind="ImageListPullJob")),
        ("POST", TOLD.replace(TEAM, "default"), event(OTHER)),
        ("PATCH", nodeimages(OTHER, subresource="status"), status_patch()),
    ):
        assert f'this token is from node "{OWN}"' in refusal(applied, method, path, body, token=token), body


def test_coming_and_going_it_leaves_what_is_openkruise_s(
    applied: ApiServer, openkruise: list[str], names: Names, tmp_path: Path
) -> None:
    """Jobs, lists, NodeImages, copies of secrets and their namespace are the same objects, with nothing changed."""
    node = NodeImageOnServer(applied, names("node"))
    node.create()
    agent = AgentProcess(
        applied,
        tmp_path / "agent",
        node_name=node.name,
        endpoint=str(tmp_path / "absent.sock"),
        options=("--owner-events",),
    )
    before = {path: applied.request("GET", path) for path in openkruise}

    with agent:
        until(lambda: agent.told("node_image_found"), what="the agent has its NodeImage", timeout_seconds=30)
        applied.kubectl("delete", "-k", OVERLAY, "--ignore-not-found")

    assert "" == applied.kubectl("get", "-k", OVERLAY, "--ignore-not-found", "-o", "name")
    assert before == {path: applied.request("GET", path) for path in openkruise}
