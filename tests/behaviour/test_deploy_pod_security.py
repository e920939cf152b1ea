"""
The labels of the namespaces let our Pods in where a cluster is strict: its API server asks for `restricted` everywhere.

What that level says of each Pod is test_deploy_manifest.py's.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from tests.behaviour.deploy_document import pod
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.deployment import ACCOUNT, MANIFEST, NAMESPACE, SECRETS, apply


MODES = ("enforce", "audit", "warn")
STRICT = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "AdmissionConfiguration",
    "plugins": [
        {
            "name": "PodSecurity",
            "configuration": {
                "apiVersion": "pod-security.admission.config.k8s.io/v1",
                "kind": "PodSecurityConfiguration",
                "defaults": dict.fromkeys(MODES, "restricted"),
            },
        }
    ],
}


@pytest.fixture(scope="module")
def apiserver_flags(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Have every namespace be restricted that does not say otherwise."""
    path = tmp_path_factory.mktemp("admission") / "configuration.yaml"
    path.write_text(json.dumps(STRICT), encoding="utf-8")
    return (f"--admission-control-config-file={path}",)


@pytest.fixture(scope="module")
def strict(apiserver: ApiServer) -> ApiServer:
    """That cluster with daemonset.yaml applied, of which the API server has not warned."""
    apply(apiserver)
    apiserver.account(SECRETS, ACCOUNT)
    return apiserver


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """What daemonset.yaml has."""
    return list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment"])
def test_our_pods_are_let_into_their_namespace(strict: ApiServer, objects: list[dict[str, Any]], kind: str) -> None:
    """Without a warning."""
    said = strict.kubectl(
        "create", "--warnings-as-errors", "--dry-run=server", "-n", NAMESPACE, "-f", "-",
        stdin=json.dumps(pod(objects, kind)),
    )  # fmt: skip

    assert said.endswith(" created (server dry run)\n")


def test_an_agent_is_let_into_no_other(strict: ApiServer, objects: list[dict[str, Any]]) -> None:
    """Not into that of the secrets' copies either: it is the label that lets it in."""
    with pytest.raises(ApiFailed) as refused:
        strict.request("POST", f"/api/v1/namespaces/{SECRETS}/pods?dryRun=All", pod(objects, "DaemonSet"))

    assert 'violates PodSecurity "restricted:latest"' in refused.value.body["message"]
