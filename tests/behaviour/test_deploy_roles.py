"""The ClusterRoles of daemonset.yaml for people: who looks changes nothing, and who edits jobs edits nothing else."""

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.crds import install, ours
from tests.servers.deployment import OWN, nodeimage, nodeimages, refusal
from tests.servers.fixtures_apiserver import Names
from tests.servers.persons import roles
from tests.servers.processes import until


GROUP = "/apis/apps.kruise.io/v1beta1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SPECS: dict[str, Json] = {"imagepulljobs": {"image": "a:v1"}, "imagelistpulljobs": {"images": ["a:v1"]}}
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"


@pytest.fixture(scope="module")
def cluster(apiserver: ApiServer) -> ApiServer:
    """The kinds, the roles and a NodeImage."""
    install(apiserver, ours())
    for role in roles():
        apiserver.request("POST", f"{RBAC}/clusterroles", role)
    apiserver.request("POST", nodeimages(), nodeimage(OWN))
    return apiserver


def _person(cluster: ApiServer, namespace: str, *, role: str, is_everywhere: bool) -> str:
    """Return the token of a person with a role, once it is in force."""
    cluster.account(namespace, role)
    kind = "clusterrolebinding" if is_everywhere else "rolebinding"
    bound = (f"--clusterrole={role}", f"--serviceaccount={namespace}:{role}")
    place = () if is_everywhere else ("--namespace", namespace)
    cluster.kubectl("create", kind, f"{namespace}-{role}", *bound, *place)
    token = cluster.token(namespace, role)
    path = f"{GROUP}/namespaces/{namespace}/imagepulljobs"
    until(lambda: not refusal(cluster, "GET", path, token=token), what=f"{role} is in force", timeout_seconds=30)
    return token


def _job(resource: str) -> Json:
    kind = {"imagepulljobs": "ImagePullJob", "imagelistpulljobs": "ImageListPullJob"}[resource]
    spec = {**SPECS[resource], "completionPolicy": {"type": "Never"}}
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": kind, "metadata": {"name": "base"}, "spec": spec}


def test_a_viewer_sees_all_and_changes_nothing(cluster: ApiServer, namespace: str, names: Names) -> None:
    """Jobs, lists and NodeImages of the cluster; no Secret, no Node, no Pod."""
    token = _person(cluster, namespace, role="prewarm-viewer", is_everywhere=True)
    jobs = f"{GROUP}/namespaces/{namespace}/imagepulljobs"

    for resource in (*SPECS, "nodeimages"):
        assert "" == refusal(cluster, "GET", f"{GROUP}/{resource}", token=token)
    for method, path, body in (
        ("POST", jobs, _job("imagepulljobs")),
        ("PATCH", f"{jobs}/{names('job')}", {"spec": {"parallelism": 0}}),
        ("DELETE", nodeimages(OWN), None),
        ("GET", "/api/v1/secrets", None),
        ("GET", "/api/v1/nodes", None),
        ("GET", "/api/v1/pods", None),
    ):
        assert "cannot" in refusal(cluster, method, path, body, token=token)


@pytest.mark.parametrize("resource", SPECS)
def test_an_editor_makes_changes_and_deletes_jobs(cluster: ApiServer, namespace: str, resource: str) -> None:
    """And lists, where they are bound; not elsewhere, and neither a status nor a NodeImage."""
    token = _person(cluster, namespace, role="prewarm-job-editor", is_everywhere=False)
    jobs = f"{GROUP}/namespaces/{namespace}/{resource}"

    made = cluster.request("POST", jobs, _job(resource), token=token)
    changed = cluster.request("PUT", f"{jobs}/base", {**made, "spec": {**made["spec"], "parallelism": 2}}, token=token)
    assert 2 == changed["spec"]["parallelism"]
    assert "" == refusal(cluster, "PATCH", f"{jobs}/base", {"spec": {"prewarm": {"suspend": True}}}, token=token)
    for method, path, body in (
        ("POST", jobs.replace(namespace, "default"), _job(resource)),
        ("PATCH", f"{jobs}/base/status", {"status": {"desired": 1}}),
        ("PATCH", nodeimages(OWN), {"spec": {}}),
        ("GET", f"/api/v1/namespaces/{namespace}/secrets/any", None),
    ):
        assert "cannot" in refusal(cluster, method, path, body, token=token)
    assert "" == refusal(cluster, "DELETE", f"{jobs}/base", token=token)


def test_who_may_look_at_a_namespace_looks_at_its_jobs_and_nobody_edits_unasked() -> None:
    """The viewer's role is a part of Kubernetes' `view`, and so of `edit` and `admin`; the editor's of none."""
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in roles()}
    parts = {name: [key for key in found if key.startswith(AGGREGATE)] for name, found in labels.items()}

    assert {"prewarm-viewer": [f"{AGGREGATE}view"], "prewarm-job-editor": []} == parts
