"""deploy/extras/delete-protection.yaml keeps what has OpenKruise's label from being deleted, on a real API server."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator

import pytest

from deploy.render import ROOT
from tests.behaviour.deploy_document import block, section, shell
from tests.servers import namespaces
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.fixtures_apiserver import Names
from tests.servers.processes import until


EXTRA = ROOT / "deploy/extras/delete-protection.yaml"
TEXT = section("Protection from deletion")
LABEL = "policy.kruise.io/delete-protection"
ALWAYS = {LABEL: "Always"}
PATHS = {
    "Service": "/api/v1/namespaces/{}/services",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
}
PORT = {"port": {"number": 80}}
BODIES: dict[str, Json] = {
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "web", **PORT}}}},
    "ConfigMap": {"data": {}},
}
KINDS = ("Service", "Ingress")


@pytest.fixture(scope="module")
def protecting(apiserver: ApiServer) -> ApiServer:
    """A cluster with the policy in force."""
    apiserver.kubectl("apply", "--warnings-as-errors", "-f", EXTRA)
    probe = _made(apiserver, "Service", "default", "probe")
    until(lambda: _refusal(apiserver, f"{probe}?dryRun=All"), what="the policy holds", timeout_seconds=30)
    return apiserver


def _made(
    apiserver: ApiServer, kind: str, namespace: str, name: str, labels: Json | None = None, **metadata: object
) -> str:
    """Create an object, protected unless other labels are given, and return its path."""
    body = {"metadata": {"name": name, "labels": ALWAYS if labels is None else labels, **metadata}, **BODIES[kind]}
    collection = PATHS[kind].format(namespace)
    apiserver.request("POST", collection, body)
    return f"{collection}/{name}"


def _refusal(apiserver: ApiServer, path: str) -> str:
    """Delete what is there, and return the words with which that was refused as forbidden; "" where it was not."""
    try:
        apiserver.request("DELETE", path)
    except ApiFailed as error:
        if error.status != 403:
            raise
        return str(error.body["message"])
    return ""


def _names(apiserver: ApiServer, collection: str) -> list[str]:
    return sorted(each["metadata"]["name"] for each in apiserver.request("GET", collection)["items"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_protected_object_is_not_deleted(protecting: ApiServer, namespace: str, kind: str) -> None:
    """Not in a dry run either, so that who tries one learns it; the administrator is refused like everybody."""
    path = _made(protecting, kind, namespace, "web")

    for query in ("?dryRun=All", "", "?propagationPolicy=Foreground"):
        assert f'{kind} "web" in namespace "{namespace}" is protected' in _refusal(protecting, f"{path}{query}")
    assert "deletionTimestamp" not in protecting.request("GET", path)["metadata"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_refusal_s_command_lifts_it(protecting: ApiServer, namespace: str, kind: str) -> None:
    """As it stands in the message, copied; then the object goes."""
    path = _made(protecting, kind, namespace, "web")

    (command,) = re.findall(r"kubectl label .*$", _refusal(protecting, path))
    shell(command, cluster=protecting)

    assert f"kubectl label {kind.lower()} web --namespace {namespace} {LABEL}-" == command
    assert "" == _refusal(protecting, path)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_collection_the_protected_stay(protecting: ApiServer, namespace: str, kind: str) -> None:
    """`kubectl delete --all` and a controller's deletecollection are one request for many, and it spares them."""
    for name, labels in (("web", ALWAYS), ("plain", {}), ("shop", ALWAYS)):
        _made(protecting, kind, namespace, name, labels)
    collection = PATHS[kind].format(namespace)

    assert "is protected by its label" in _refusal(protecting, collection)
    until(lambda: ["shop", "web"] == _names(protecting, collection), what="the others are gone", timeout_seconds=30)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("Service", {}),
        ("Service", {LABEL: "Cascading"}),
        ("Ingress", {"other": "Always"}),
        ("ConfigMap", ALWAYS),
    ],
    ids=str,
)
def test_nothing_else_is_kept(protecting: ApiServer, namespace: str, kind: str, labels: Json) -> None:
    """Another value, another label, another kind: they go as ever."""
    assert "" == _refusal(protecting, _made(protecting, kind, namespace, "web", labels))


def test_kube_system_is_left_alone(protecting: ApiServer, names: Names) -> None:
    """What the cluster needs for itself is never stuck, as in OpenKruise."""
    assert "" == _refusal(protecting, _made(protecting, "Service", "kube-system", names("web")))


def test_a_protected_object_can_be_changed(protecting: ApiServer, namespace: str) -> None:
    """It is kept from deletion, from nothing else."""
    path = _made(protecting, "Service", namespace, "web")

    changed = protecting.request("PATCH", path, {"spec": {"ports": [{"port": 81}]}})

    assert [81] == [port["port"] for port in changed["spec"]["ports"]]


def test_what_is_being_deleted_already_may_be_deleted_again(protecting: ApiServer, namespace: str) -> None:
    """The label can't undo it, and a client that asks twice gets no other answer than before."""
    path = _made(protecting, "Service", namespace, "web", {}, finalizers=["example.com/wait"])
    protecting.request("DELETE", path)
    protecting.request("PATCH", path, {"metadata": {"labels": ALWAYS}})

    assert "" == _refusal(protecting, path)
    protecting.request("PATCH", path, {"metadata": {"finalizers": None}})


def test_a_deleted_namespace_takes_its_protected_objects_along(protecting: ApiServer, names: Names) -> None:
    """It ends; refused, it would hang in Terminating for ever. Before, nothing in it could be deleted."""
    name = names("shop")
    protecting.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    paths = [_made(protecting, kind, name, "web") for kind in KINDS]
    assert all("is protected" in _refusal(protecting, path) for path in paths)

    with namespaces.ending(protecting, (name,)):
        protecting.kubectl("delete", "namespace", name, "--timeout=30s")

    assert [[], []] == [_names(protecting, PATHS[kind].format(name)) for kind in KINDS]


@pytest.fixture
def shop(protecting: ApiServer) -> Iterator[Callable[[str], str]]:
    """The Service of the document, and the kubectl that a person types into it: what comes back is what it says."""
    protecting.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    _made(protecting, "Service", "shop", "web", {})

    def kubectl(line: str) -> str:
        try:
            return protecting.kubectl(*shlex.split(line)[1:])
        except subprocess.CalledProcessError as error:
            return str(error.stderr)

    yield kubectl
    kubectl(f"kubectl label service web --namespace shop {LABEL}-")


def test_the_document_shows_what_kubectl_says(shop: Callable[[str], str]) -> None:
    """Each command as it stands there, and the refusal to the last word; applied again, the policy is unchanged."""
    *before, last = (line.replace("deploy/", f"{ROOT}/deploy/") for line in block(TEXT).splitlines())

    said = [shop(line) for line in before]

    assert ["unchanged", "unchanged", "labeled"] == [line.rpartition(" ")[2] for line in "".join(said).splitlines()]
    assert block(TEXT, language="text") == shop(last)


def test_taken_away_it_protects_nothing(apiserver: ApiServer, namespace: str) -> None:
    """By the document's command; what has the label then goes as ever. Applied again, it protects again."""
    apiserver.kubectl("apply", "-f", EXTRA)
    path = _made(apiserver, "Service", namespace, "web")
    until(lambda: _refusal(apiserver, f"{path}?dryRun=All"), what="the policy holds", timeout_seconds=30)

    shell(block(TEXT, "kubectl delete -f"), cluster=apiserver)
    until(lambda: not _refusal(apiserver, f"{path}?dryRun=All"), what="it holds no more", timeout_seconds=30)

    assert "" == apiserver.kubectl("get", "-f", EXTRA, "--ignore-not-found", "-o", "name")
    apiserver.kubectl("apply", "-f", EXTRA)
    until(lambda: _refusal(apiserver, f"{path}?dryRun=All"), what="the policy holds again", timeout_seconds=30)
