"""daemonset.yaml is what deploy/base says, and a real API server takes it as it is."""

import base64
import json
import subprocess
from collections import Counter
from typing import Any

import pytest
import yaml

from deploy.render import BASE, MANIFEST, render
from tests.behaviour.deploy_document import pod
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.binaries import kubernetes
from tests.servers.deployment import NAMESPACE, OWN, apply


ACCOUNTS = ("prewarm-agent", "prewarm-coordinator")


def _objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))


def _template(kind: str) -> Json:
    (found,) = (each for each in _objects() if each["kind"] == kind)
    template: Json = found["spec"]["template"]
    return template


@pytest.fixture(scope="module")
def restricted(deployed: ApiServer) -> str:
    """A namespace of the strictest level of Pod Security, with both accounts."""
    name = "test-restricted"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    deployed.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    for account in ACCOUNTS:
        deployed.account(name, account)
    return name


def test_the_file_is_what_the_folder_says() -> None:
    """Whoever applies the file gets what `kubectl apply -k deploy/base` gives; `make manifest` renders it anew."""
    rendered = render(BASE, kubectl=kubernetes().kubectl)

    assert list(yaml.safe_load_all(rendered)) == _objects()


def test_the_folder_renders_without_a_complaint() -> None:
    """No part of the kustomization is on its way out."""
    done = subprocess.run(
        [kubernetes().kubectl, "kustomize", BASE], check=True, capture_output=True, text=True, timeout=60
    )

    assert "" == done.stderr


def test_a_clean_cluster_takes_the_file_in_one_go(deployed: ApiServer) -> None:
    """Each object is accepted in the order of the file, and the API server warns of nothing."""
    assert len(_objects()) == len(apply(deployed).splitlines())


def test_applying_the_file_again_changes_nothing(deployed: ApiServer) -> None:
    """A pipeline that applies it every hour restarts no Pod and moves no version."""
    before = _applied(deployed)

    said = apply(deployed)

    assert before == _applied(deployed)
    # Of a PodDisruptionBudget kubectl says so each time: its patch replaces the selector whole.
    assert {"configured": 1, "unchanged": len(before) - 1} == Counter(
        line.rpartition(" ")[2] for line in said.splitlines()
    )


def _applied(apiserver: ApiServer) -> dict[tuple[str, ...], Json]:
    """Return the objects of the file as they are, without what a cluster's controllers write."""
    items = json.loads(apiserver.kubectl("get", "-f", MANIFEST, "-o", "json"))["items"]
    for found in items:
        found.pop("status", None)
        found["metadata"].pop("resourceVersion")
    return {
        (found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]): found for found in items
    }


@pytest.mark.parametrize(
    ("kind", "priority"), [("DaemonSet", (-10, "Never")), ("Deployment", (0, "PreemptLowerPriority"))]
)
def test_each_pod_is_admitted_in_its_namespace(deployed: ApiServer, kind: str, priority: tuple[int, str]) -> None:
    """Pod Security lets it in, and an agent's priority is the low one that never preempts."""
    said = deployed.kubectl(
        "create", "--warnings-as-errors", "--dry-run=server", "-n", NAMESPACE, "-f", "-", "-o", "json",
        stdin=json.dumps(pod(_objects(), kind)),
    )  # fmt: skip

    spec = json.loads(said)["spec"]
    assert priority == (spec["priority"], spec["preemptionPolicy"])


def test_only_the_socket_s_folder_keeps_an_agent_from_the_strictest_level(deployed: ApiServer, restricted: str) -> None:
    """The namespace is privileged for the hostPath; in every other way the Pod is what `restricted` asks for."""
    with pytest.raises(ApiFailed) as refused:
        deployed.request("POST", f"/api/v1/namespaces/{restricted}/pods?dryRun=All", pod(_objects(), "DaemonSet"))

    violations = refused.value.body["message"].partition(' violates PodSecurity "restricted:latest": ')[2]
    assert 'restricted volume types (volume "runtime" uses restricted volume type "hostPath")' == violations


def test_nothing_keeps_a_coordinator_from_the_strictest_level(deployed: ApiServer, restricted: str) -> None:
    """It could run in any namespace."""
    made = deployed.request("POST", f"/api/v1/namespaces/{restricted}/pods?dryRun=All", pod(_objects(), "Deployment"))

    assert "prewarm-coordinator" == made["spec"]["serviceAccountName"]


@pytest.mark.parametrize(("kind", "account"), list(zip(("DaemonSet", "Deployment"), ACCOUNTS, strict=True)))
def test_the_token_that_a_pod_mounts_ends_after_an_hour(deployed: ApiServer, kind: str, account: str) -> None:
    """A stolen one is of use for an hour; the one that Kubernetes mounts by itself is put off to a year."""
    volumes = _template(kind)["spec"]["volumes"]
    (source,) = (volume["projected"]["sources"] for volume in volumes if "projected" in volume)
    (seconds,) = (each["serviceAccountToken"]["expirationSeconds"] for each in source if "serviceAccountToken" in each)

    claims = _claims(deployed.token(NAMESPACE, account, node=OWN, seconds=seconds))

    assert 3600 == claims["exp"] - claims["iat"]


def _claims(token: str) -> dict[str, int]:
    payload = token.split(".")[1]
    claims: dict[str, int] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
