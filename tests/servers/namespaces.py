"""
Ends namespaces that are deleted, as a cluster's namespace controller does: their contents go first, then they do.

That controller is a part of kube-controller-manager, which the lab does not have. Without one a deleted namespace stays
for ever, with all that is in it. Nothing of the product's code is in it.
"""

import contextlib
from collections.abc import Collection, Iterator

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.objects import Json
from tests.servers.watched import Watched


@contextlib.contextmanager
def ending(apiserver: ApiServer, names: Collection[str]) -> Iterator[None]:
    """End the namespaces of these names, each when it is deleted, as long as the context lasts."""

    def heard(_: str, namespace: Json) -> None:
        metadata = namespace["metadata"]
        if metadata["name"] in names and "deletionTimestamp" in metadata and namespace["spec"].get("finalizers"):
            _end(apiserver, namespace)

    with Watched(apiserver, "/api/v1/namespaces", heard):
        yield


def _end(apiserver: ApiServer, namespace: Json) -> None:
    name = namespace["metadata"]["name"]
    for version, resource in _resources(apiserver):
        # A kind that is going itself has no objects any more.
        with contextlib.suppress(ApiFailed):
            apiserver.request("DELETE", f"{version}/namespaces/{name}/{resource}", {"gracePeriodSeconds": 0})
    with contextlib.suppress(ApiFailed):
        apiserver.request("PUT", f"/api/v1/namespaces/{name}/finalize", {**namespace, "spec": {"finalizers": []}})


def _resources(apiserver: ApiServer) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of each kind whose objects have a namespace and can be deleted together."""
    groups = apiserver.request("GET", "/apis")["groups"]
    for path in ("/api/v1", *(f"/apis/{each['preferredVersion']['groupVersion']}" for each in groups)):
        with contextlib.suppress(ApiFailed):
            for each in apiserver.request("GET", path)["resources"]:
                if each["namespaced"] and "deletecollection" in each["verbs"]:
                    yield path, each["name"]
