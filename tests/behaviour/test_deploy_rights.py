"""The agent's account may do what docs/security.md says and nothing else, as a real API server sees it."""

import json

import pytest

from tests.rights import CLUSTER, Right, documented, listed
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.deployment import (
    ACCOUNT,
    ANYONE_S,
    EVENTS,
    NAMESPACE,
    OWN,
    SECRETS,
    VERSIONS,
    event,
    nodeimage,
    nodeimages,
    refusal,
    status_patch,
)


NODEIMAGES = "nodeimages.apps.kruise.io"
EXPECTED = {
    *(Right(where=CLUSTER, resource=NODEIMAGES, verb=verb) for verb in ("get", "list", "watch")),
    Right(where=CLUSTER, resource=f"{NODEIMAGES}/status", verb="patch"),
    Right(where=SECRETS, resource="secrets", verb="get"),
    Right(where="default", resource="events.events.k8s.io", verb="create"),
}
ELSEWHERE = "test-elsewhere"
SECRET: Json = {"metadata": {"name": "registry"}, "type": "Opaque"}

REFUSED: dict[str, tuple[str, str, Json | list[Json] | None]] = {
    "list secret copies": ("GET", f"/api/v1/namespaces/{SECRETS}/secrets", None),
    "watch secret copies": ("GET", f"/api/v1/namespaces/{SECRETS}/secrets?watch=1&timeoutSeconds=1", None),
    "create a secret copy": ("POST", f"/api/v1/namespaces/{SECRETS}/secrets", SECRET),
    "change a secret copy": ("PATCH", f"/api/v1/namespaces/{SECRETS}/secrets/registry", {"data": {}}),
    "delete a secret copy": ("DELETE", f"/api/v1/namespaces/{SECRETS}/secrets/registry", None),
    "read a secret elsewhere": ("GET", f"/api/v1/namespaces/{ELSEWHERE}/secrets/registry", None),
    "read a secret beside its own Pod": ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/registry", None),
    "list secrets of the cluster": ("GET", "/api/v1/secrets", None),
    "read its own Node": ("GET", f"/api/v1/nodes/{OWN}", None),
    "list Nodes": ("GET", "/api/v1/nodes", None),
    "read its own Pod": ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{ACCOUNT}-{OWN}", None),
    "list Pods": ("GET", "/api/v1/pods", None),
    "list jobs": ("GET", "/apis/apps.kruise.io/v1beta1/imagepulljobs", None),
    "list list-jobs": ("GET", "/apis/apps.kruise.io/v1beta1/imagelistpulljobs", None),
    "read namespaces": ("GET", "/api/v1/namespaces", None),
    "read config maps beside its own Pod": ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps", None),
    "create its own NodeImage": ("POST", nodeimages(), nodeimage(OWN)),
    "change what it is asked for": ("PATCH", nodeimages(OWN), {"spec": {}}),
    "replace its own NodeImage": ("PUT", nodeimages(OWN), nodeimage(OWN)),
    "delete its own NodeImage": ("DELETE", nodeimages(OWN), None),
    "delete all NodeImages": ("DELETE", nodeimages(), None),
    "replace its own status": ("PUT", nodeimages(OWN, subresource="status"), nodeimage(OWN)),
    "read its status apart": ("GET", nodeimages(OWN, subresource="status"), None),
    "read events": ("GET", EVENTS, None),
    "create events elsewhere": ("POST", EVENTS.replace("default", NAMESPACE), event(OWN)),
    "create events in the older form": ("POST", "/api/v1/namespaces/default/events", {}),
    "make itself a token": ("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", {}),
    "read metrics of the API server": ("GET", "/metrics", None),
}
ALLOWED: dict[str, tuple[str, str, Json | list[Json] | None]] = {
    "read its own NodeImage": ("GET", nodeimages(OWN), None),
    "list its own NodeImage": ("GET", f"{nodeimages()}?fieldSelector=metadata.name%3D{OWN}", None),
    "read a secret copy by its name": ("GET", f"/api/v1/namespaces/{SECRETS}/secrets/registry", None),
    "report its own status": ("PATCH", nodeimages(OWN, subresource="status"), status_patch()),
    "tell of its own node": ("POST", EVENTS, event(OWN)),
    "find out which versions are served": ("GET", "/apis/apps.kruise.io", None),
}


@pytest.fixture(scope="module")
def cluster(deployed: ApiServer) -> ApiServer:
    """A cluster with Prewarm in it, and a secret in each namespace that matters."""
    deployed.account(ELSEWHERE, "nobody")
    for namespace in (SECRETS, ELSEWHERE, NAMESPACE):
        secret = {"apiVersion": "v1", "kind": "Secret", **SECRET}
        deployed.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(secret))
    return deployed


@pytest.fixture(scope="module")
def own(cluster: ApiServer) -> str:
    """The token of the agent on OWN."""
    return cluster.token(NAMESPACE, ACCOUNT, node=OWN)


def test_the_document_lists_what_is_expected() -> None:
    """An operator decides by the table in docs/security.md, so it is held to the same list as the API server."""
    assert EXPECTED == documented(ACCOUNT)


@pytest.mark.parametrize("namespace", ["default", SECRETS, NAMESPACE, ELSEWHERE])
def test_the_account_has_exactly_the_rights_of_the_table(cluster: ApiServer, namespace: str) -> None:
    """In no namespace is there a right more or less than the table has."""
    account = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"

    said = cluster.kubectl("auth", "can-i", "--list", "--as", account, "--namespace", namespace)

    expected = {(right.resource, right.verb) for right in EXPECTED if right.where in {CLUSTER, namespace}}
    assert expected | ANYONE_S == {(right.resource, right.verb) for right in listed(said, where=namespace)}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_agent_does_not_need_is_refused(cluster: ApiServer, own: str, what: str) -> None:
    """A stolen token can do none of this, also on its own node."""
    method, path, body = REFUSED[what]

    assert "cannot" in refusal(cluster, method, path, body, token=own)


@pytest.mark.parametrize("what", ALLOWED)
def test_what_the_agent_needs_is_allowed(cluster: ApiServer, own: str, what: str) -> None:
    """Each right does what it is there for."""
    method, path, body = ALLOWED[what]

    assert "" == refusal(cluster, method, path, body, token=own)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_agent_watches_its_own_nodeimage(cluster: ApiServer, own: str, version: str) -> None:
    """A watch by name is let through, and ends by itself."""
    selector = f"fieldSelector=metadata.name%3D{OWN}&watch=1&resourceVersion=0&timeoutSeconds=1"

    said = cluster.text(f"{nodeimages(version=version)}?{selector}", token=own)

    assert f'"name":"{OWN}"' in said
