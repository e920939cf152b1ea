"""
Two tenants of one private registry, each with a secret and images of its own, and what a migration must not change.

What is asked of the API server is in the version that the release at hand serves.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tests.behaviour.openkruise.cluster import Cluster
from tests.servers.apiserver import ApiServer
from tests.servers.images import Push, PushedImage
from tests.servers.jobs import JobOnServer
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.openkruise.manager_objects import GROUP
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


NEVER: Final[Json] = {"type": "Never"}
ALWAYS: Final[Json] = {"type": "Always"}
SECRET: Final = "registry"
WAIT_SECONDS: Final = 60.0
_COPIES: Final = "/api/v1/namespaces/kruise-daemon-config/secrets"
_SOURCE: Final = "imagepulljobs.kruise.io/source-key"


class Tenant:
    """
    One namespace, its user, and its jobs for these nodes.

    Args:
        cluster: the namespace's part of it.
        nodes: all of them.
        push: puts images into the registry.
        proxy: by whose name the nodes know it.
        user: name and password there.
    """

    def __init__(
        self, cluster: Cluster, *, nodes: Sequence[str], push: Push, proxy: FaultProxy, user: tuple[str, str]
    ) -> None:
        self.cluster = cluster
        self.user = user[0]
        self.images: dict[str, PushedImage] = {}
        self._nodes = list(nodes)
        self._push = push
        self._proxy = proxy
        cluster.apiserver.request("POST", "/api/v1/namespaces", {"metadata": {"name": cluster.namespace}})
        cluster.create_pull_secret(SECRET, host=proxy.host, user=user[0], password=user[1])

    def push(self, name: str) -> str:
        """Put a private image into the registry, where it is not there yet, and return its reference."""
        if name not in self.images:
            seed = sum(name.encode()) + sum(self.cluster.namespace.encode())
            pushed = self._push(f"{self.cluster.namespace}/{name}", tag="v1", layers=[20_000, 30_000], seed=seed)
            self.images[name] = pushed.at(self._proxy.host)
        return self.images[name].reference

    def job(self, name: str, *, policy: Json, parallelism: int = 3) -> None:
        """Create a job of its image of this name."""
        spec = {"pullSecrets": [SECRET], "parallelism": parallelism, "completionPolicy": policy}
        self.cluster.create_job(name, image=self.push(name), node="", selector={"names": self._nodes}, **spec)

    def go_on(self, name: str) -> None:
        """Let a job that waits with parallelism 0 go on."""
        JobOnServer(self.cluster.apiserver, self.cluster.namespace, name, version="v1alpha1").edit({"parallelism": 1})

    def list_of(self, name: str, *images: str, version: str) -> None:
        """Create an Always list of images of these names."""
        spec = {
            "images": [self.push(image) for image in images],
            "pullSecrets": [SECRET],
            "parallelism": 3,
            "selector": {"names": self._nodes},
            "completionPolicy": ALWAYS,
        }
        body = {"apiVersion": f"{GROUP}/{version}", "kind": "ImageListPullJob", "spec": spec}
        self.of_list(name, version=version).create(body)

    def of_list(self, name: str, *, version: str) -> ObjectOnServer:
        """Return a list of this tenant."""
        collection = f"/apis/{GROUP}/{version}/namespaces/{self.cluster.namespace}/imagelistpulljobs"
        return ObjectOnServer(self.cluster.apiserver, collection, name)

    def until_succeeded(self, name: str, count: int) -> None:
        """Wait until a job says that it has succeeded on so many nodes."""
        until(
            lambda: self.cluster.job(name).get("status", {}).get("succeeded") == count,
            what=f"{name} has succeeded on {count} nodes",
            timeout_seconds=WAIT_SECONDS,
        )

    def until_listed(self, name: str, *, version: str, completed: int) -> None:
        """Wait until so many images of a list have ended."""
        try:
            self.of_list(name, version=version).until(
                lambda found: found.get("status", {}).get("completed") == completed,
                what=f"{name} has {completed} images",
            )
        except TimeoutError as error:
            for kind in ("imagepulljobs", "nodeimages"):
                error.add_note(str(self.cluster.apiserver.request("GET", f"/apis/{GROUP}/{version}/{kind}")["items"]))
            raise

    def copies(self) -> dict[str, str]:
        """Return the uids of the copies of its secret by their names."""
        return copies_of(self.cluster.apiserver, self.cluster.namespace)


class Standing(msgspec.Struct, frozen=True):
    """What must be the same after a migration: jobs and lists by their uids, and what has ended on which node."""

    uids: Mapping[str, str]
    versions: Mapping[str, int]


def standing(apiserver: ApiServer, *, version: str) -> Standing:
    """Read it."""
    base = f"/apis/{GROUP}/{version}"
    objects = [
        (kind, item["metadata"])
        for kind in ("imagepulljobs", "imagelistpulljobs")
        for item in apiserver.request("GET", f"{base}/{kind}")["items"]
    ]
    uids = {f"{kind} {each['namespace']}/{each['name']}": each["uid"] for kind, each in objects}
    nodes = apiserver.request("GET", f"{base}/nodeimages")["items"]
    versions = {key: number for node in nodes for key, number in _ended(node).items()}
    return Standing(uids, versions)


def copies_of(apiserver: ApiServer, namespace: str) -> dict[str, str]:
    """Return the uids of the copies of a namespace's secrets by their names."""
    found = [item["metadata"] for item in apiserver.request("GET", _COPIES)["items"]]
    sources = {each["name"]: each.get("annotations", {}).get(_SOURCE, "") for each in found}
    return {each["name"]: each["uid"] for each in found if sources[each["name"]].startswith(f"{namespace}/")}


def orphan(apiserver: ApiServer, name: str, *, namespace: str) -> None:
    """Leave a copy behind whose job is gone, as a manager that was killed does."""
    annotations = {
        _SOURCE: f"{namespace}/gone",
        "imagepulljobs.kruise.io/references": f"{namespace}/gone",
        "imagepulljobs.kruise.io/mode": "batch",
    }
    body = {
        "metadata": {"name": name, "annotations": annotations},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": "e30="},
    }
    apiserver.request("POST", _COPIES, body)


def fetches(proxy: FaultProxy, image: PushedImage) -> list[int]:
    """Return how often each layer of an image was fetched."""
    return [len(proxy.traffic.requests(Kind.BLOB, method="GET", reference=layer.digest)) for layer in image.layers]


def users(proxy: FaultProxy, image: PushedImage) -> set[str]:
    """Return as whom an image was pulled."""
    blobs = proxy.traffic.requests(Kind.BLOB, method="GET")
    return {one.user for one in blobs if one.repository == image.repository and one.user}


def finalizers(apiserver: ApiServer, *, version: str) -> set[str]:
    """Return the finalizers of all jobs and lists."""
    kinds = ("imagepulljobs", "imagelistpulljobs", "nodeimages")
    items = [item for kind in kinds for item in apiserver.request("GET", f"/apis/{GROUP}/{version}/{kind}")["items"]]
    return {name for item in items for name in item["metadata"].get("finalizers", [])}


def _ended(node_image: Json) -> dict[str, int]:
    """Return the versions of the entries that have ended well, by node and image."""
    statuses = (node_image.get("status") or {}).get("imageStatuses", {})
    name = node_image["metadata"]["name"]
    return {
        f"{name} {repository}:{tag['tag']}": tag.get("version", 0)
        for repository, image in statuses.items()
        for tag in image["tags"]
        if tag["phase"] == "Succeeded"
    }
