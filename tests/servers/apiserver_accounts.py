"""
Service accounts as Pods have them: the account, its tokens, and the folder that the kubelet mounts.

A token that is bound to a Pod carries the Pod's node, as the kubelet's own requests make it.
"""

import datetime as dt
import http
import shutil
import tempfile
from pathlib import Path

from tests.servers.apiserver_access import ApiFailed, Json, Requests


MOUNTED = ("token", "ca.crt", "namespace")


class Accounts:
    """Makes service accounts and what goes with them."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def ensure(self, namespace: str, name: str) -> None:
        """Create the account, and its namespace, where absent."""
        self._create("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}})
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self._create(path, {"kind": "ServiceAccount", "metadata": {"name": name}})

    def token(self, namespace: str, name: str, *, seconds: int, pod: str | None, node: str | None) -> str:
        """Return a new token, bound to a Pod where one or a node is named; see ApiServer.token."""
        self.ensure(namespace, name)
        spec: Json = {"expirationSeconds": seconds}
        if node is not None:
            pod = pod or f"{name}-{node}"
            self._ensure_pod(namespace, pod, account=name, node=node)
        if pod is not None:
            found = self._requests.json("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}")
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": found["metadata"]["uid"]}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token: str = self._requests.json("POST", path, body)["status"]["token"]
        return token

    def _ensure_pod(self, namespace: str, name: str, *, account: str, node: str) -> None:
        self._create("/api/v1/nodes", {"kind": "Node", "metadata": {"name": node}})
        container = {"name": "main", "image": "registry.test/none:1"}
        spec = {"serviceAccountName": account, "nodeName": node, "containers": [container]}
        pod = {"kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self._create(f"/api/v1/namespaces/{namespace}/pods", pod)

    def _create(self, path: str, body: Json) -> None:
        try:
            self._requests.send("POST", path, {"apiVersion": "v1", **body})
        except ApiFailed as error:
            if error.status != http.HTTPStatus.CONFLICT:
                raise


def mount(folder: Path, *, token: str, ca: bytes, namespace: str) -> None:
    """
    Put the three files into `folder` as the kubelet does, also over older ones: all of them change at one moment.

    Each is a link through `..data`, and `..data` is replaced by a rename.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(tz=dt.UTC)
    payload = Path(tempfile.mkdtemp(prefix=f"..{now:%Y_%m_%d_%H_%M_%S}.", dir=folder))
    for name, content in zip(MOUNTED, (token.encode(), ca, namespace.encode()), strict=True):
        (payload / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data", name))
    link = folder / "..data_tmp"
    link.symlink_to(payload.name)
    link.replace(folder / "..data")
    for older in folder.glob("..2*"):
        if older != payload:
            shutil.rmtree(older)
