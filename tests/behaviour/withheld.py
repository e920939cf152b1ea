"""
Takes from the agents' account what a test says, for a while, and tells what an agent was refused.

What the account has is daemonset.yaml's; a change is in force when the API server says so.
"""

import contextlib
from collections.abc import Iterator

from tests.rights import CLUSTER
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.deployment import ACCOUNT, NAMESPACE
from tests.servers.processes import until


ROLES = "/apis/rbac.authorization.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1"


@contextlib.contextmanager
def without(apiserver: ApiServer, *, verb: str, resource: str, where: str = CLUSTER) -> Iterator[None]:
    """Take a right away for a while; it is in force, or back, when this goes on."""
    path = f"{ROLES}/clusterroles" if where == CLUSTER else f"{ROLES}/namespaces/{where}/roles"
    path = f"{path}/{ACCOUNT}"
    rules = apiserver.request("GET", path)["rules"]
    apiserver.request("PATCH", path, {"rules": _less(rules, verb=verb, resource=resource)})
    until(lambda: not may(apiserver, verb, resource, where=where), what=f"no {verb} {resource}", timeout_seconds=30)
    try:
        yield
    finally:
        apiserver.request("PATCH", path, {"rules": rules})
        until(lambda: may(apiserver, verb, resource, where=where), what=f"{verb} {resource}", timeout_seconds=30)


def _less(rules: list[Json], *, verb: str, resource: str) -> list[Json]:
    name = resource.replace(".apps.kruise.io", "").replace(".events.k8s.io", "")
    return [
        {**rule, "verbs": [each for each in rule["verbs"] if (each, rule["resources"]) != (verb, [name])] or ["none"]}
        for rule in rules
    ]


def may(apiserver: ApiServer, verb: str, resource: str, *, where: str) -> bool:
    """Ask the API server whether the agent's account has a right."""
    name, _, rest = resource.partition(".")
    group, _, subresource = rest.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource}
    if where != CLUSTER:
        attributes["namespace"] = where
    spec = {"user": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", "resourceAttributes": attributes}
    answer = apiserver.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
    allowed: bool = answer["status"]["allowed"]
    return allowed


def refusals(agent: AgentProcess) -> set[tuple[str, str]]:
    """Return verb and resource of each kind of request that was refused as forbidden, as /metrics counts them."""
    samples = [line for line in agent.get("/metrics")[1].splitlines() if line.startswith("prewarm_api_requests_total{")]
    labels = [
        dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(",")) for line in samples
    ]
    return {(each["verb"].strip('"'), each["resource"].strip('"')) for each in labels if each["code"] == '"403"'}


@contextlib.contextmanager
def invalid(apiserver: ApiServer, node_name: str) -> Iterator[None]:
    """Have the API server answer 422 to every write of a NodeImage, as to a patch whose test fails."""
    name = f"test-invalid-{node_name}"
    rule = {"apiGroups": ["apps.kruise.io"], "apiVersions": ["*"], "resources": ["nodeimages/status"]}
    spec = {
        "matchConstraints": {"resourceRules": [{**rule, "operations": ["UPDATE"]}]},
        "validations": [{"expression": f"object.metadata.name != '{node_name}'", "reason": "Invalid"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    apiserver.request("POST", f"{POLICIES}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    path = f"{POLICIES}/validatingadmissionpolicybindings"
    apiserver.request("POST", path, {"metadata": {"name": name}, "spec": binding})
    status = f"/apis/apps.kruise.io/v1beta1/nodeimages/{node_name}/status?dryRun=All"
    until(lambda: _is_refused(apiserver, status), what=f"{name} holds", timeout_seconds=30)
    try:
        yield
    finally:
        apiserver.request("DELETE", f"{path}/{name}")
        apiserver.request("DELETE", f"{POLICIES}/validatingadmissionpolicies/{name}")


def _is_refused(apiserver: ApiServer, path: str) -> bool:
    try:
        apiserver.request("PATCH", path, {"status": {"desired": 0}})
    except ApiFailed as error:
        return error.status == 422
    return False
