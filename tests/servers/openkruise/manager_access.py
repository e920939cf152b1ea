"""
Gives the stand-in an account on a test's API server, with every right.

The real one's rights are listed in its own manifests; what a stand-in may do is not under test.
"""

import http
from typing import Final

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.openkruise.manager_client import Client
from tests.servers.openkruise.manager_objects import SECRET_NAMESPACE


_NAMESPACE: Final = "kruise-system"
_NAME: Final = "kruise-manager"


def manager_client(apiserver: ApiServer, *, user_agent: str = "kruise-manager") -> Client:
    """Make the account and the namespace of the secret copies where absent; return a client that asks as it."""
    apiserver.account(_NAMESPACE, _NAME)
    subject = {"kind": "ServiceAccount", "namespace": _NAMESPACE, "name": _NAME}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding: dict[str, object] = {"metadata": {"name": _NAME}, "roleRef": role, "subjects": [subject]}
    _ensure(apiserver, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    _ensure(apiserver, "/api/v1/namespaces", {"metadata": {"name": SECRET_NAMESPACE}})
    token = apiserver.token(_NAMESPACE, _NAME)
    return Client(apiserver.url, ca_file=apiserver.ca_file, token=token, user_agent=user_agent)


def _ensure(apiserver: ApiServer, path: str, body: dict[str, object]) -> None:
    try:
        apiserver.request("POST", path, body)
    except ApiFailed as error:
        if error.status != http.HTTPStatus.CONFLICT:
            raise
