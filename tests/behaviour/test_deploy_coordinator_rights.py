"""The coordinator's account may do what docs/security.md says and nothing else, as a real API server sees it."""

import json

import pytest

from tests.rights import CLUSTER, Right, documented, listed
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.coordinator import ACCOUNT, LEASE, NAMESPACE
from tests.servers.deployment import ANYONE_S, OWN, SECRETS, VERSIONS, event, nodeimage, nodeimages, refusal


JOBS, LISTS = "imagepulljobs.apps.kruise.io", "imagelistpulljobs.apps.kruise.io"
NODEIMAGES = "nodeimages.apps.kruise.io"
LEASES, MANAGER = "leases.coordination.k8s.io", "kruise-manager"
EXPECTED = {
    *(Right(where=CLUSTER, resource=JOBS, verb=verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
    *(Right(where=CLUSTER, resource=LISTS, verb=verb) for verb in ("get", "list", "watch", "delete")),
    *(Right(where=CLUSTER, resource=f"{kind}/status", verb="patch") for kind in (JOBS, LISTS)),
    *(
        Right(where=CLUSTER, resource=NODEIMAGES, verb=verb)
        for verb in ("get", "list", "watch", "create", "patch", "delete")
    ),
    Right(where=CLUSTER, resource=f"{NODEIMAGES}/status", verb="patch"),
    *(Right(where=CLUSTER, resource="nodes", verb=verb) for verb in ("get", "list", "watch", "patch")),
    *(Right(where=CLUSTER, resource="pods", verb=verb) for verb in ("list", "watch")),
    Right(where=CLUSTER, resource="events.events.k8s.io", verb="create"),
    Right(where=CLUSTER, resource="secrets", verb="get"),
    *(Right(where=SECRETS, resource="secrets", verb=verb) for verb in ("get", "list", "create", "patch", "delete")),
    Right(where=CLUSTER, resource=f"{LEASES}:{MANAGER}", verb="get"),
    Right(where=NAMESPACE, resource=LEASES, verb="create"),
    *(Right(where=NAMESPACE, resource=f"{LEASES}:{LEASE}", verb=verb) for verb in ("get", "update")),
}
TEAM = "test-team"
OWN_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
MANAGERS_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kruise-system/leases"
TEAM_JOBS = f"/apis/apps.kruise.io/v1beta1/namespaces/{TEAM}/imagepulljobs"
TEAM_LISTS = f"/apis/apps.kruise.io/v1beta1/namespaces/{TEAM}/imagelistpulljobs"
TEAM_SECRETS, COPIES = (f"/api/v1/namespaces/{place}/secrets" for place in (TEAM, SECRETS))
TEAM_EVENTS = f"/apis/events.k8s.io/v1/namespaces/{TEAM}/events"
DRY = "?dryRun=All"
WATCH = "watch=1&resourceVersion=0&timeoutSeconds=1"
Asked = tuple[str, str, Json | list[Json] | None]


def _lease(name: str) -> Json:
    return {"metadata": {"name": name}, "spec": {"holderIdentity": "any"}}


def _job(name: str) -> Json:
    spec = {"image": "registry.test/app:v1", "completionPolicy": {"type": "Never"}}
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "metadata": {"name": name}, "spec": spec}


def _list() -> Json:
    spec = {"images": ["registry.test/app:v1"], "completionPolicy": {"type": "Never"}}
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "metadata": {"name": "l"}, "spec": spec}


def _read(path: str) -> Asked:
    return ("GET", path, None)


REFUSED: dict[str, Asked] = {
    "list secrets": _read("/api/v1/secrets"),
    "list a team's secrets": _read(TEAM_SECRETS),
    "watch a team's secrets": _read(f"{TEAM_SECRETS}?{WATCH}"),
    "watch secret copies": _read(f"{COPIES}?{WATCH}"),
    "write a team's secret": ("POST", TEAM_SECRETS, {"metadata": {"name": "new"}}),
    "change a team's secret": ("PATCH", f"{TEAM_SECRETS}/registry", {"data": {}}),
    "delete a team's secret": ("DELETE", f"{TEAM_SECRETS}/registry", None),
    "replace a secret copy": ("PUT", f"{COPIES}/registry", {"metadata": {"name": "registry"}}),
    "delete all secret copies": ("DELETE", COPIES, None),
    "list config maps": _read("/api/v1/configmaps"),
    "list namespaces": _read("/api/v1/namespaces"),
    "read a Pod": _read(f"/api/v1/namespaces/{NAMESPACE}/pods/prewarm-agent-{OWN}"),
    "create a Pod": ("POST", f"/api/v1/namespaces/{TEAM}/pods", {"metadata": {"name": "new"}}),
    "delete a Pod": ("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/prewarm-agent-{OWN}", None),
    "run a command in a Pod": ("POST", f"/api/v1/namespaces/{NAMESPACE}/pods/prewarm-agent-{OWN}/exec?command=id", {}),
    "evict a Pod": ("POST", f"/api/v1/namespaces/{NAMESPACE}/pods/prewarm-agent-{OWN}/eviction", {}),
    "read a Pod's log": _read(f"/api/v1/namespaces/{NAMESPACE}/pods/prewarm-agent-{OWN}/log"),
    "create a Node": ("POST", "/api/v1/nodes", {"metadata": {"name": "node-new"}}),
    "replace a Node": ("PUT", f"/api/v1/nodes/{OWN}", {"metadata": {"name": OWN}}),
    "delete a Node": ("DELETE", f"/api/v1/nodes/{OWN}", None),
    "write a Node's status": ("PATCH", f"/api/v1/nodes/{OWN}/status", {"status": {}}),
    "reach a kubelet": _read(f"/api/v1/nodes/{OWN}/proxy/pods"),
    "list workloads": _read("/apis/apps/v1/daemonsets"),
    "change its own Deployment": (
        "PATCH",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/prewarm-coordinator",
        {"spec": {"replicas": 1}},
    ),
    "replace a job": ("PUT", f"{TEAM_JOBS}/base", _job("base")),
    "delete all jobs": ("DELETE", TEAM_JOBS, None),
    "replace a job's status": ("PUT", f"{TEAM_JOBS}/base/status", _job("base")),
    "create a list": ("POST", TEAM_LISTS, _list()),
    "change a list": ("PATCH", f"{TEAM_LISTS}/l", {"spec": {"images": ["registry.test/other:v1"]}}),
    "replace a list": ("PUT", f"{TEAM_LISTS}/l", _list()),
    "delete all lists": ("DELETE", TEAM_LISTS, None),
    "replace a list's status": ("PUT", f"{TEAM_LISTS}/l/status", _list()),
    "replace a NodeImage": ("PUT", nodeimages(OWN), nodeimage(OWN)),
    "delete all NodeImages": ("DELETE", nodeimages(), None),
    "list events": _read(TEAM_EVENTS),
    "create events in the older form": ("POST", f"/api/v1/namespaces/{TEAM}/events", {}),
    "list Leases": _read(OWN_LEASE),
    "delete its Lease": ("DELETE", f"{OWN_LEASE}/{LEASE}", None),
    "read another's Lease": _read(f"{OWN_LEASE}/other"),
    "take another's Lease": ("PUT", f"{OWN_LEASE}/other", _lease("other")),
    "list the Leases of OpenKruise's manager": _read(MANAGERS_LEASES),
    "take the Lease of OpenKruise's manager": ("PUT", f"{MANAGERS_LEASES}/{MANAGER}", _lease(MANAGER)),
    "read a node's Lease": _read(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{OWN}"),
    "create a Lease elsewhere": ("POST", OWN_LEASE.replace(NAMESPACE, TEAM), _lease(LEASE)),
    "make itself a token": ("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", {}),
    "grant itself a right": ("PATCH", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{ACCOUNT}", {"rules": []}),
    "lift a policy": (
        "DELETE",
        f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{ACCOUNT}-nodes",
        None,
    ),
    "read metrics of the API server": _read("/metrics"),
}
ALLOWED: dict[str, Asked] = {
    "list jobs": _read("/apis/apps.kruise.io/v1beta1/imagepulljobs"),
    "read a job": _read(f"{TEAM_JOBS}/base"),
    "list lists": _read("/apis/apps.kruise.io/v1beta1/imagelistpulljobs"),
    "read a list": _read(f"{TEAM_LISTS}/l"),
    "write a list's status": ("PATCH", f"{TEAM_LISTS}/l/status", {"status": {"desired": 1}}),
    "read a team's secret by its name": _read(f"{TEAM_SECRETS}/registry"),
    "read a secret copy": _read(f"{COPIES}/registry"),
    "list secret copies": _read(COPIES),
    "look whether OpenKruise's manager is at work": _read(f"{MANAGERS_LEASES}/{MANAGER}"),
    "write a job's status": ("PATCH", f"{TEAM_JOBS}/base/status", {"status": {"desired": 1}}),
    "delete a finished job past its time": ("DELETE", f"{TEAM_JOBS}/finished{DRY}", None),
    "list NodeImages": _read(nodeimages()),
    "read a NodeImage": _read(nodeimages(OWN)),
    "create a NodeImage": ("POST", f"{nodeimages()}{DRY}", nodeimage("node-new")),
    "change a NodeImage": ("PATCH", nodeimages(OWN), [{"op": "test", "path": "/metadata/name", "value": OWN}]),
    "delete a NodeImage": ("DELETE", f"{nodeimages(OWN)}{DRY}", None),
    "write a silent node's status": (
        "PATCH",
        nodeimages(OWN, subresource="status"),
        [{"op": "test", "path": "/metadata/name", "value": OWN}],
    ),
    "list Nodes": _read("/api/v1/nodes"),
    "read a Node": _read(f"/api/v1/nodes/{OWN}"),
    "list a namespace's Pods": _read(f"/api/v1/namespaces/{TEAM}/pods"),
    "tell of a job in its namespace": ("POST", TEAM_EVENTS, event("base", kind="ImagePullJob", namespace=TEAM)),
    "tell of a Node": ("POST", TEAM_EVENTS.replace(TEAM, "default"), event(OWN, kind="Node")),
    "find out which versions are served": _read("/apis/apps.kruise.io"),
}


@pytest.fixture(scope="module")
def cluster(deployed: ApiServer) -> ApiServer:
    """A cluster with Prewarm in it, a secret in each namespace that matters, two jobs, a list, a manager's Lease."""
    deployed.account(TEAM, "nobody")
    for namespace in (SECRETS, TEAM):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry"}}
        deployed.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(secret))
    finished = _job("finished")
    finished["spec"]["completionPolicy"] = {"type": "Always", "ttlSecondsAfterFinished": 1}
    for job in (_job("base"), finished):
        deployed.request("POST", TEAM_JOBS, job)
    deployed.request("POST", TEAM_LISTS, _list())
    deployed.account("kruise-system", "nobody")
    deployed.request("POST", MANAGERS_LEASES, _lease(MANAGER))
    status = {"desired": 0, "completionTime": "2026-01-01T00:00:00Z"}
    deployed.request("PATCH", f"{TEAM_JOBS}/finished/status", {"status": status})
    return deployed


@pytest.fixture(scope="module")
def token(cluster: ApiServer) -> str:
    """The token of a coordinator's Pod on OWN."""
    return cluster.token(NAMESPACE, ACCOUNT, node=OWN)


def test_the_document_lists_what_is_expected() -> None:
    """An operator decides by the table in docs/security.md, so it is held to the same list as the API server."""
    assert EXPECTED == documented(ACCOUNT)


@pytest.mark.parametrize("namespace", ["default", SECRETS, NAMESPACE, TEAM, "kruise-system"])
def test_the_account_has_exactly_the_rights_of_the_table(cluster: ApiServer, namespace: str) -> None:
    """In no namespace is there a right more or less than the table has."""
    account = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"

    said = cluster.kubectl("auth", "can-i", "--list", "--as", account, "--namespace", namespace)

    expected = {(right.resource, right.verb) for right in EXPECTED if right.where in {CLUSTER, namespace}}
    assert expected | ANYONE_S == {(right.resource, right.verb) for right in listed(said, where=namespace)}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_coordinator_does_not_need_is_refused(cluster: ApiServer, token: str, what: str) -> None:
    """A stolen token can do none of this."""
    method, path, body = REFUSED[what]

    assert "cannot" in refusal(cluster, method, path, body, token=token)


@pytest.mark.parametrize("what", ALLOWED)
def test_what_the_coordinator_needs_is_allowed(cluster: ApiServer, token: str, what: str) -> None:
    """Each right does what it is there for."""
    method, path, body = ALLOWED[what]

    assert "" == refusal(cluster, method, path, body, token=token)


def test_the_coordinator_makes_its_lease_and_renews_it(cluster: ApiServer, token: str) -> None:
    """Under the one name that its role knows; afterwards it reads and renews it."""
    made = cluster.request("POST", OWN_LEASE, _lease(LEASE), token=token)

    renewed = cluster.request("PUT", f"{OWN_LEASE}/{LEASE}", {**made, "spec": {"leaseTransitions": 1}}, token=token)

    assert renewed == cluster.request("GET", f"{OWN_LEASE}/{LEASE}", token=token)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", ["imagepulljobs", "imagelistpulljobs", "nodeimages"])
def test_the_coordinator_watches_our_kinds(cluster: ApiServer, token: str, resource: str, version: str) -> None:
    """A watch of the whole cluster is let through, and ends by itself."""
    said = cluster.text(
        f"/apis/apps.kruise.io/{version}/{resource}?watch=1&resourceVersion=0&timeoutSeconds=1", token=token
    )

    assert '"type":"ADDED"' in said


@pytest.mark.parametrize("path", ["/api/v1/nodes", f"/api/v1/namespaces/{NAMESPACE}/pods"])
def test_the_coordinator_watches_nodes_and_pods(cluster: ApiServer, token: str, path: str) -> None:
    """Pods of one namespace at a time, where a job there has a podSelector."""
    assert '"type":"ADDED"' in cluster.text(f"{path}?{WATCH}", token=token)
