"""The API server that tests start does what they rely on."""

from pathlib import Path

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.fixtures_apiserver import Names


REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def test_it_answers_its_administrator_and_kubectl(apiserver: ApiServer) -> None:
    """Plain requests and kubectl reach it as an administrator."""
    namespaces = apiserver.request("GET", "/api/v1/namespaces")["items"]

    assert {"default", "kube-system"} <= {item["metadata"]["name"] for item in namespaces}
    assert "namespace/default" in apiserver.kubectl("get", "namespace", "--output=name").split()


def test_a_restart_keeps_data_and_port(apiserver: ApiServer, namespace: str) -> None:
    """What was written before a stop is there after the start, at the same address."""
    before = apiserver.url

    apiserver.restart()

    assert before == apiserver.url
    assert namespace == apiserver.request("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["name"]


def test_a_token_carries_its_node(apiserver: ApiServer, namespace: str, names: Names) -> None:
    """A token that is bound to a Pod on a node names that node, as a mounted one does."""
    node = names("node")
    token = apiserver.token(namespace, "agent", node=node)

    answer = apiserver.request("POST", REVIEWS, REVIEW, token=token)

    user = answer["status"]["userInfo"]
    assert f"system:serviceaccount:{namespace}:agent" == user["username"]
    assert [node] == user["extra"]["authentication.kubernetes.io/node-name"]


def test_an_account_has_no_rights_of_its_own(apiserver: ApiServer, namespace: str) -> None:
    """RBAC holds: a new account may not read what the administrator may."""
    token = apiserver.token(namespace, "agent")

    with pytest.raises(ApiFailed) as refused:
        apiserver.request("GET", "/api/v1/secrets", token=token)

    assert 403 == refused.value.status


def test_a_service_account_folder_is_what_a_pod_finds(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    """It holds a token that works, the CA and the namespace; made again, the token is another."""
    folder = apiserver.service_account_folder(tmp_path / "sa", namespace, "agent")
    first = (folder / "token").read_text()

    apiserver.service_account_folder(folder, namespace, "agent")

    assert namespace == (folder / "namespace").read_text()
    assert apiserver.ca_file.read_text() == (folder / "ca.crt").read_text()
    assert first != (folder / "token").read_text()
    assert {"token", "ca.crt", "namespace"} == {path.name for path in folder.iterdir() if path.name[:2] != ".."}
