"""Objects as an API server answers them, for the tests of what is shown of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from daemon.api.times import format_time


Json = dict[str, Any]

NOW = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)
REPOSITORY = "registry.example.com/team/app"
IMAGE = f"{REPOSITORY}:v1"
DIGEST = f"sha256:{'a' * 64}"
OWNER = {
    "apiVersion": "apps.kruise.io/v1beta1",
    "kind": "ImagePullJob",
    "namespace": "team",
    "name": "base",
    "uid": "u1",
}
AGENT = {"version": "0.1.0", "runtime": "containerd://2.3.7", "startedAt": "2026-01-30T00:00:00Z"}


def at(seconds: float) -> str:
    """Write a time so long after NOW."""
    return format_time(NOW + timedelta(seconds=seconds))


def job(
    status: Json | None = None,
    *,
    kind: str = "Never",
    name: str = "base",
    generation: int = 1,
    metadata: Json | None = None,
    **spec: Any,  # noqa: ANN401 - JSON
) -> bytes:
    """Return an ImagePullJob; `kind` is its completionPolicy.type."""
    return msgspec.json.encode(
        {
            "apiVersion": "apps.kruise.io/v1beta1",
            "kind": "ImagePullJob",
            "metadata": {
                "name": name,
                "namespace": "team",
                "uid": "u1",
                "generation": generation,
                "creationTimestamp": at(-3600),
                **(metadata or {}),
            },
            "spec": {"image": IMAGE, "completionPolicy": {"type": kind}, **spec},
            **({"status": status} if status is not None else {}),
        }
    )


def node_image(
    name: str = "n1",
    *,
    entry: Json | None = None,
    answer: Json | None = None,
    metadata: Json | None = None,
    status: Json | None = None,
    has_agent: bool = True,
    reported: float = -10,
) -> bytes:
    """Return a NodeImage with at most one image, as its spec and its status have it."""
    agent = {"prewarm": {"agent": {**AGENT, "reportedAt": at(reported)}}} if has_agent else {}
    statuses = {"imageStatuses": {REPOSITORY: {"tags": [answer]}}} if answer is not None else {}
    return msgspec.json.encode(
        {
            "apiVersion": "apps.kruise.io/v1beta1",
            "kind": "NodeImage",
            "metadata": {
                "name": name,
                "uid": f"uid-{name}",
                "generation": 1,
                "labels": {"pool": "blue"},
                "creationTimestamp": at(-7200),
                **(metadata or {}),
            },
            "spec": {"images": {REPOSITORY: {"tags": [entry]}} if entry is not None else {}},
            "status": {"desired": 1, **agent, **statuses, **(status or {})},
        }
    )


def entry(*, version: int = 1, granted: float = -60, **fields: Any) -> Json:  # noqa: ANN401 - JSON
    """Return a tag entry of the job `base`."""
    bounds = {"timeoutSeconds": 600, "backoffLimit": 3}
    wanted = {"tag": "v1", "version": version, "createdAt": at(granted), "pullPolicy": bounds}
    return {**wanted, "ownerReferences": [OWNER], **fields}


def answer(phase: str, *, version: int = 1, **fields: Any) -> Json:  # noqa: ANN401 - JSON
    """Return what a node says of the image."""
    return {"tag": "v1", "version": version, "phase": phase, **fields}


def warm(*, version: int = 1, ended: float = -30) -> Json:
    """Return what a node says that has the image."""
    times = {"startTime": at(ended - 10), "completionTime": at(ended)}
    lying = {"imageID": f"{REPOSITORY}@{DIGEST}", "digest": DIGEST}
    return answer("Succeeded", version=version, progress=100, **times, **lying)
