"""
A cluster with daemonset.yaml applied, its policies in force, and two nodes whose agents have tokens.

What an API server is, and how a token gets its node, is apiserver.py's to know.
"""

from pathlib import Path

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.crds import ours, until_served
from tests.servers.processes import until


MANIFEST = Path(__file__).parents[2] / "daemonset.yaml"

NAMESPACE = "prewarm-system"
ACCOUNT = "prewarm-agent"
SECRETS = "kruise-daemon-config"
VERSIONS = ("v1alpha1", "v1beta1")
OWN = "node-a"
OTHER = "node-b"
# What Kubernetes grants to every account: to ask who it is and what it may do.
ANYONE_S = {
    ("selfsubjectreviews.authentication.k8s.io", "create"),
    ("selfsubjectaccessreviews.authorization.k8s.io", "create"),
    ("selfsubjectrulesreviews.authorization.k8s.io", "create"),
}
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


def deploy(apiserver: ApiServer) -> str:
    """Apply daemonset.yaml, bring the NodeImages of both nodes, and return what kubectl said of each object."""
    said = apply(apiserver)
    # Not by `kubectl wait`: it ends with an error where a CRD has no status yet.
    until_served(apiserver, ours())
    for name in (OWN, OTHER):
        if not _exists(apiserver, nodeimages(name)):
            apiserver.request("POST", nodeimages(), nodeimage(name))
    stray = apiserver.token(NAMESPACE, ACCOUNT)
    until(lambda: _is_bound(apiserver, stray), what="both policies hold", timeout_seconds=30)
    return said


def apply(apiserver: ApiServer) -> str:
    """Apply daemonset.yaml; a warning of the API server is an error."""
    return apiserver.kubectl("apply", "--warnings-as-errors", "-f", MANIFEST)


def nodeimages(name: str = "", *, subresource: str = "", version: str = "v1beta1") -> str:
    """Return the path of NodeImages, of one, or of its subresource."""
    return "/".join(part for part in (f"/apis/apps.kruise.io/{version}/nodeimages", name, subresource) if part)


def nodeimage(name: str) -> Json:
    """Return a NodeImage that wants nothing."""
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": "NodeImage", "metadata": {"name": name}, "spec": {}}


def status_patch() -> list[Json]:
    """Return a JSON Patch that says that nothing is wanted and nothing done."""
    counters = dict.fromkeys(("desired", "succeeded", "failed", "pulling", "waiting"), 0)
    return [{"op": "add", "path": "/status", "value": counters}]


def event(regarding: str, *, kind: str = "NodeImage", namespace: str = "") -> Json:
    """Return an event about an object, as a recorder sends it; `namespace` is the object's."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "prewarm-"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "prewarm.internal/agent",
        "reportingInstance": "prewarm-agent-x",
        "action": "PullImage",
        "reason": "PullImageSucceed",
        "type": "Normal",
        "note": "pulled",
        "regarding": {
            "apiVersion": "v1" if kind == "Node" else "apps.kruise.io/v1beta1",
            "kind": kind,
            "name": regarding,
            "namespace": namespace,
        },
    }


def refusal(apiserver: ApiServer, method: str, path: str, body: Json | list[Json] | None = None, *, token: str) -> str:
    """
    Return the words with which a request was refused as forbidden, "" where it was let through.

    Raises:
        ApiFailed: it failed for another reason.
    """
    try:
        apiserver.request(method, path, body, token=token)
    except ApiFailed as error:
        if error.status != 403:
            raise
        message: str = error.body["message"]
        return message
    return ""


def _is_bound(apiserver: ApiServer, stray: str) -> bool:
    """Tell whether a token that says no node is refused by either policy, and not only for want of a right."""
    patched = refusal(apiserver, "PATCH", nodeimages(OWN, subresource="status"), status_patch(), token=stray)
    told = refusal(apiserver, "POST", EVENTS, event(OWN), token=stray)
    return "prewarm-agent-nodeimages" in patched and "prewarm-agent-events" in told


def _exists(apiserver: ApiServer, path: str) -> bool:
    try:
        apiserver.request("GET", path)
    except ApiFailed as error:
        if error.status != 404:
            raise
        return False
    return True
