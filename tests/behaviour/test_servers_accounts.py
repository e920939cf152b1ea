"""Service accounts of the tests are what a Pod has: real tokens, bound to a node, in the kubelet's folder."""

from pathlib import Path

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.fixtures_apiserver import Names


REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
NODE = "authentication.kubernetes.io/node-name"


def test_a_token_carries_its_node(apiserver: ApiServer, namespace: str, names: Names) -> None:
    """A token that is bound to a Pod on a node names that node, as a mounted one does."""
    node = names("node")

    user = _user(apiserver, apiserver.token(namespace, "agent", node=node))

    assert f"system:serviceaccount:{namespace}:agent" == user["username"]
    assert [node] == user["extra"][NODE]


def test_two_nodes_have_two_tokens_of_one_account(apiserver: ApiServer, namespace: str, names: Names) -> None:
    """The same account is another node's agent by another token."""
    first, second = names("node"), names("node")

    users = [_user(apiserver, apiserver.token(namespace, "agent", node=node)) for node in (first, second)]

    assert users[0]["username"] == users[1]["username"]
    assert [[first], [second]] == [user["extra"][NODE] for user in users]


def test_a_token_without_a_node_names_none(apiserver: ApiServer, namespace: str) -> None:
    """A token that is bound to nothing carries no node."""
    user = _user(apiserver, apiserver.token(namespace, "agent"))

    assert NODE not in user["extra"]


def test_a_token_ends_with_its_pod(apiserver: ApiServer, namespace: str, names: Names) -> None:
    """When the Pod that a token is bound to is gone, the token is refused."""
    node = names("node")
    apiserver.token(namespace, "agent", node=node)
    token = apiserver.token(namespace, "agent", pod=f"agent-{node}")
    apiserver.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/agent-{node}?gracePeriodSeconds=0")

    with pytest.raises(ApiFailed) as refused:
        _user(apiserver, token)

    assert 401 == refused.value.status


def test_an_account_has_no_rights_of_its_own(apiserver: ApiServer, namespace: str) -> None:
    """RBAC holds: a new account may not read what the administrator may."""
    token = apiserver.token(namespace, "agent")

    with pytest.raises(ApiFailed) as refused:
        apiserver.request("GET", "/api/v1/secrets", token=token)

    assert (403, "Forbidden") == (refused.value.status, refused.value.body["reason"])


def test_a_binding_to_an_accounts_name_gives_rights(apiserver: ApiServer, namespace: str) -> None:
    """What account() returns is the name that RBAC knows it by."""
    user = apiserver.account(namespace, "reader")
    token = apiserver.token(namespace, "reader")

    apiserver.kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps", "-n", namespace)
    apiserver.kubectl("create", "rolebinding", "reader", "--role=reader", f"--user={user}", "-n", namespace)

    answer = apiserver.request("GET", f"/api/v1/namespaces/{namespace}/configmaps", token=token)

    assert "ConfigMapList" == answer["kind"]


def test_a_service_account_folder_is_what_a_pod_finds(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    """It holds a token that works, the CA and the namespace, each a link through ..data."""
    folder = apiserver.service_account_folder(tmp_path / "sa", namespace, "agent")

    assert namespace == (folder / "namespace").read_text()
    assert apiserver.ca_file.read_text() == (folder / "ca.crt").read_text()
    assert f"system:serviceaccount:{namespace}:agent" == _user(apiserver, (folder / "token").read_text())["username"]
    assert {"token", "ca.crt", "namespace"} == {path.name for path in folder.iterdir() if path.name[:2] != ".."}
    assert "..data/token" == str((folder / "token").readlink())


def test_a_folder_made_again_has_a_new_token(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    """Rotation replaces the token under the same path, and leaves no older files behind."""
    folder = apiserver.service_account_folder(tmp_path / "sa", namespace, "agent")
    before = (folder / "token").read_text()

    apiserver.service_account_folder(folder, namespace, "agent")

    assert before != (folder / "token").read_text()
    assert 1 == len([path for path in folder.glob("..2*") if path.is_dir()])


def _user(apiserver: ApiServer, token: str) -> Json:
    """Return whom the API server takes the token's bearer for."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    user: Json = apiserver.request("POST", REVIEWS, review, token=token)["status"]["userInfo"]
    return user
