"""Lists and their jobs as the tests make them: from JSON, as a watch tells them."""

from typing import Any

import msgspec

from daemon.coordinator.decoding import job_of
from daemon.coordinator.lists.decoding import list_of
from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.seen import SeenJob


Json = dict[str, Any]

API_VERSION = "apps.kruise.io/v1beta1"
ONE, TWO, THREE = (f"registry.example.com/{name}:v1" for name in ("one", "two", "three"))


def image_list(
    *images: str,
    kind: str = "Always",
    generation: int = 1,
    status: Json | None = None,
    **spec: Any,  # noqa: ANN401
) -> SeenList:
    """Make a list called base."""
    completion = {"type": kind, **spec.pop("completionPolicy", {})}
    document = {
        "apiVersion": API_VERSION,
        "kind": "ImageListPullJob",
        "metadata": _metadata("base", uid="list", generation=generation),
        "spec": {"images": [*images], "completionPolicy": completion, **spec},
        "status": status or {},
    }
    return list_of(msgspec.json.encode(document))


def child(
    image: str,
    *,
    name: str = "",
    uid: str = "",
    kind: str = "Always",
    seconds: int = 0,
    generation: int = 1,
    metadata: Json | None = None,
    status: Json | None = None,
    **spec: Any,  # noqa: ANN401
) -> SeenJob:
    """Make a job of that list, so many seconds old after its first one."""
    completion = {"type": kind, **spec.pop("completionPolicy", {})}
    owner = {"apiVersion": API_VERSION, "kind": "ImageListPullJob", "name": "base", "uid": "list", "controller": True}
    own = _metadata(name or job_name("base", image=image), uid=uid or f"job-{image}", generation=generation)
    document = {
        "apiVersion": API_VERSION,
        "kind": "ImagePullJob",
        "metadata": {
            **own,
            "creationTimestamp": f"2026-01-31T02:00:{seconds:02}Z",
            "ownerReferences": [owner],
            **(metadata or {}),
        },
        "spec": {"image": image, "completionPolicy": completion, **spec},
        "status": status or {},
    }
    return job_of(msgspec.json.encode(document))


def _metadata(name: str, *, uid: str, generation: int) -> Json:
    return {"namespace": "team", "name": name, "uid": uid, "generation": generation, "resourceVersion": "7"}
