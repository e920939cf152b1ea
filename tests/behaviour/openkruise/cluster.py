"""
A cluster with OpenKruise in it, as its administrator sees and changes it: jobs, Nodes, NodeImages, pull secrets.

Its CRDs come in three shapes: like OpenKruise's 1.6 and 1.9, and ours. The manager is tests/servers/openkruise's.
What is created is in the test's namespace, but for Nodes and NodeImages.
"""

import base64
import http
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import yaml

from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.deployment import MANIFEST
from tests.servers.openkruise import crds as theirs
from tests.servers.openkruise.manager_objects import GROUP, Release
from tests.servers.openkruise.manager_references import split
from tests.servers.processes import until


Json = dict[str, Any]

DEADLINE_SECONDS: Final = 60.0
_LONG_AGO: Final = "2026-01-01T00:00:00Z"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """CRDs, and the OpenKruise that works on them."""

    crds: list[Json]
    release: Release


SHAPES: Final = {
    "like-1.6": Shape(crds=theirs.crds("1.6"), release=Release.V1_6),
    "like-1.9": Shape(crds=theirs.crds("1.9"), release=Release.V1_9),
    "ours": Shape(crds=crds.ours(), release=Release.V1_9),
}


class Cluster:
    """What an administrator does by `apiserver`, in the API version of a release."""

    def __init__(self, apiserver: ApiServer, *, release: Release, namespace: str) -> None:
        self.apiserver = apiserver
        self.namespace = namespace
        self._base = f"/apis/{GROUP}/{release}"
        self._version = f"{GROUP}/{release}"

    def create_node(self, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        """Create a Node that has long been ready."""
        node = {"metadata": {"name": name, "labels": {"zone": "a", **(labels or {})}}}
        self.apiserver.request("POST", "/api/v1/nodes", node)
        ready = {"type": "Ready", "status": "True", "reason": "Test", "lastTransitionTime": _LONG_AGO}
        self.apiserver.request("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": [ready]}})

    def label_node(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Change a Node's labels; None takes one away."""
        self.apiserver.request("PATCH", f"/api/v1/nodes/{name}", {"metadata": {"labels": dict(labels)}})

    def delete_node(self, name: str) -> None:
        """Delete a Node."""
        self.apiserver.request("DELETE", f"/api/v1/nodes/{name}")

    def create_job(self, name: str, *, image: str, node: str, **spec: object) -> Json:
        """Create an ImagePullJob for one Node; further fields of its spec by name."""
        job = {
            "apiVersion": self._version,
            "kind": "ImagePullJob",
            "metadata": {"name": name},
            "spec": {"image": image, "selector": {"names": [node]}, "completionPolicy": {"type": "Always"}, **spec},
        }
        return self.apiserver.request("POST", self._jobs(), job)

    def jobs(self) -> dict[str, Json]:
        """Return the jobs by name."""
        items: list[Json] = self.apiserver.request("GET", self._jobs())["items"]
        return {job["metadata"]["name"]: job for job in items}

    def job(self, name: str) -> Json:
        """Return a job."""
        return self.apiserver.request("GET", self._jobs(name))

    def delete_job(self, name: str) -> None:
        """Delete a job; with a finalizer it goes when the manager has let go of it."""
        self.apiserver.request("DELETE", self._jobs(name))

    def read(self, node: str) -> Json:
        """Return a NodeImage that is there."""
        return self.apiserver.request("GET", self._node_images(node))

    def node_image(self, name: str) -> Json | None:
        """Return a NodeImage, None where there is none."""
        try:
            return self.apiserver.request("GET", self._node_images(name))
        except ApiFailed as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
        return None

    def create_fake_node_image(self, name: str) -> None:
        """Create a NodeImage without a Node, and labelled so."""
        metadata = {"name": name, "labels": {"apps.kruise.io/fake-nodeimage": "true"}}
        body = {"apiVersion": self._version, "kind": "NodeImage", "metadata": metadata, "spec": {}}
        self.apiserver.request("POST", f"{self._base}/nodeimages", body)

    def delete_node_image(self, name: str) -> None:
        """Delete a NodeImage."""
        self.apiserver.request("DELETE", self._node_images(name))

    def patch_node_image(self, name: str, patch: Json, *, subresource: str = "") -> Json:
        """Merge something into a NodeImage or its status."""
        return self.apiserver.request("PATCH", self._node_images(name) + subresource, patch)

    def uid(self, node: str) -> str:
        """Return a NodeImage's uid, "" where there is none."""
        uid: str = (self.node_image(node) or {"metadata": {"uid": ""}})["metadata"]["uid"]
        return uid

    def entry(self, node: str, *, image: str) -> Json | None:
        """Return the tag entry of an image, None where it is not wanted."""
        return _find((self.node_image(node) or {}).get("spec", {}).get("images", {}), image)

    def status(self, node: str, *, image: str) -> Json | None:
        """Return the tag status of an image, None where nothing is told of it."""
        return _find((self.node_image(node) or {}).get("status", {}).get("imageStatuses", {}), image)

    def completed(self, name: str) -> Json:
        """Return a job's status once its manager has seen its end."""
        found: list[Json] = []

        def is_complete() -> bool:
            found[:] = [self.job(name).get("status", {})]
            return "completionTime" in found[0]

        until(is_complete, what=f"end of job {name}", timeout_seconds=DEADLINE_SECONDS)
        return found[0]

    def said(self, node: str, *, image: str, phase: str, version: int = 0) -> Json:
        """Return a tag status once it says this of this version."""
        found: list[Json] = []

        def fits() -> bool:
            found[:] = [self.status(node, image=image) or {}]
            return (phase, version) == (found[0].get("phase"), found[0].get("version", 0))

        try:
            until(fits, what=f"{image} {phase} in version {version}", timeout_seconds=DEADLINE_SECONDS)
        except TimeoutError as error:
            error.add_note(f"last: {found}")
            raise
        return found[0]

    def create_pull_secret(self, name: str, *, host: str, user: str, password: str) -> None:
        """Create a dockerconfigjson Secret beside the jobs."""
        config = json.dumps({"auths": {host: {"username": user, "password": password}}}).encode()
        secret = {
            "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(config).decode()},
        }
        self.apiserver.request("POST", f"/api/v1/namespaces/{self.namespace}/secrets", secret)

    def copies(self) -> list[Json]:
        """Return the secrets that nodes may read, for jobs of this namespace."""
        found = self.apiserver.request("GET", "/api/v1/namespaces/kruise-daemon-config/secrets")["items"]
        key = "imagepulljobs.kruise.io/source-key"
        return [each for each in found if each["metadata"]["annotations"][key].startswith(f"{self.namespace}/")]

    def _jobs(self, name: str = "") -> str:
        return f"{self._base}/namespaces/{self.namespace}/imagepulljobs" + (f"/{name}" if name else "")

    def _node_images(self, name: str) -> str:
        return f"{self._base}/nodeimages/{name}"


def install(apiserver: ApiServer, shape: Shape) -> None:
    """Put a shape's CRDs in, and all of daemonset.yaml but its own."""
    crds.install(apiserver, shape.crds)
    documents = yaml.safe_load_all(MANIFEST.read_text())
    others = [document for document in documents if document["kind"] != "CustomResourceDefinition"]
    apiserver.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(others))


def remove(apiserver: ApiServer, shape: Shape) -> None:
    """Take a shape's CRDs out, with the objects that a manager would have to let go of."""
    base = f"/apis/{GROUP}/{shape.release}"
    for job in apiserver.request("GET", f"{base}/imagepulljobs")["items"]:
        metadata = job["metadata"]
        path = f"{base}/namespaces/{metadata['namespace']}/imagepulljobs/{metadata['name']}"
        apiserver.request("PATCH", path, {"metadata": {"finalizers": None}})
    crds.remove(apiserver, shape.crds)


def _find(images: Json, image: str) -> Json | None:
    repository, tag = split(image)
    tags = images.get(repository, {}).get("tags", [])
    return next((each for each in tags if each["tag"] == tag), None)
