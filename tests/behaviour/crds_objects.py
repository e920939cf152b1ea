"""Objects of the three kinds as the tests of the CRDs write and read them: by an administrator's plain requests."""

import copy
from typing import Any, Final

from tests.servers.apiserver import ApiServer


Json = dict[str, Any]

SMALLEST: Final[dict[str, Json]] = {
    "ImagePullJob": {"image": "nginx", "completionPolicy": {}},
    "ImageListPullJob": {"images": ["nginx"], "completionPolicy": {}},
    "NodeImage": {"images": {"nginx": {"tags": [{"tag": "latest"}]}}},
}


def address(manifest: Json, *, name: str | None = None, version: str = "v1beta1") -> str:
    """Return where an object lies; with an empty name, where those of its kind are created."""
    namespace = "" if manifest["kind"] == "NodeImage" else "/namespaces/default"
    own = manifest["metadata"]["name"] if name is None else name
    return f"/apis/apps.kruise.io/{version}{namespace}/{manifest['kind'].lower()}s/{own}".rstrip("/")


def job(**spec: object) -> Json:
    """Return the smallest job, with more in its spec."""
    return {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "ImagePullJob",
        "metadata": {"name": "a"},
        "spec": {**SMALLEST["ImagePullJob"], **spec},
    }


def put(apiserver: ApiServer, wanted: Json, *, name: str, version: str = "v1beta1") -> Json:
    """Create an object under a name of its own, write its status if it has one, and return what is stored."""
    body = copy.deepcopy(wanted)
    body["apiVersion"] = f"apps.kruise.io/{version}"
    body["metadata"]["name"] = name
    stored = apiserver.request("POST", address(body, name="", version=version), body)
    if "status" not in body:
        return stored
    status = {**stored, "status": body["status"]}
    return apiserver.request("PUT", f"{address(body, version=version)}/status", status)
