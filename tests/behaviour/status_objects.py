"""What a coordinator and agents write, written by the tests of `prewarm status`: jobs' statuses and NodeImages."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.apiserver import ApiServer
from tests.servers.jobs import JobOnServer
from tests.servers.nodeimages import NodeImageOnServer, entry, owner


Json = dict[str, Any]

REPOSITORY = "registry.test/team/app"
IMAGE = f"{REPOSITORY}:v1"
DIGEST = f"sha256:{'d' * 64}"


def ago(seconds: float) -> str:
    """Write a time so long ago."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def told(warm: int, cold: int, **prewarm: Any) -> Json:  # noqa: ANN401 - JSON
    """Return a status as a coordinator writes it."""
    ready = {"type": "Ready", "status": "False", "reason": "InProgress", "message": "going on"}
    nodes = {"warm": warm, "stale": 0, "cold": cold, "skipped": 0}
    counts = {"summary": f"{warm}/{warm + cold}", "nodes": nodes, "pulling": 1, "waiting": cold - 1, **prewarm}
    conditions = [{**ready, "lastTransitionTime": ago(9)}]
    return {"desired": warm + cold, "succeeded": warm, "conditions": conditions, "prewarm": counts}


def make_node(cluster: ApiServer, name: str, of: JobOnServer, **answer: Any) -> NodeImageOnServer:  # noqa: ANN401 - JSON
    """Make a NodeImage that has a job's entry, with what the node says of it."""
    made = NodeImageOnServer(cluster, name)
    owners = [owner(of.namespace, of.name, uid=of.uid)]
    # As patient as the job is by default: one that is less is granted anew.
    bounds = {"timeoutSeconds": 600, "backoffLimit": 3}
    wanted = entry("v1", createdAt=ago(40), ownerReferences=owners, pullPolicy=bounds)
    made.create({REPOSITORY: {"tags": [wanted]}})
    agent = {"version": "0.1.0", "runtime": "containerd://2.3.7", "startedAt": ago(900), "reportedAt": ago(3)}
    statuses = {REPOSITORY: {"tags": [{"tag": "v1", "version": 1, "startTime": ago(30), **answer}]}}
    status = {"desired": 1, "imageStatuses": statuses, "prewarm": {"agent": agent}}
    cluster.request("PATCH", f"/apis/apps.kruise.io/v1beta1/nodeimages/{name}/status", {"status": status})
    return made


def has_image() -> Json:
    """Return what a node says that has the image."""
    return {"phase": "Succeeded", "completionTime": ago(20), "imageID": f"a@{DIGEST}", "digest": DIGEST}


def has_failed(message: str = "no such tag") -> Json:
    """Return what a node says that could not bring it."""
    words = {"reason": "ImageNotFound", "message": message}
    return {"phase": "Failed", "completionTime": ago(20), "attempt": 4, **words}


PULLING = {"phase": "Pulling", "progress": 50, "bytes": {"done": 1 << 20, "total": 2 << 20}}
