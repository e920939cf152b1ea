"""
A cluster at three in the morning, in which each question of docs/runbook.md is a real one.

Two jobs and a list on seven nodes, with the statuses that a coordinator and agents write: the nightly refresh of `base`
runs and will not end in its window, a registry throttles and has an outage, one node is not Ready, one has no agent,
one keeps losing its image to the kubelet, and `gpu-runtime` fills the disks. Nobody coordinates.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.behaviour.status_objects import ago
from tests.servers.apiserver import ApiServer
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import NodeImageOnServer, entry, owner
from tests.servers.nodes import NodeOnServer


Json = dict[str, Any]

BASE: Final = "registry.example.com/base"
GPU: Final = "quay.example.com/gpu-runtime"
TOOLS: Final = "registry.example.com/tools"
OLD: Final = f"sha256:{'a' * 64}"
NEW: Final = f"sha256:{'b' * 64}"
GIB: Final = 1 << 30
HOUR: Final = 3_600

KINDS: Final = "/apis/apps.kruise.io/v1beta1"
TIMEOUT: Final = "dial tcp 10.0.0.1:443: i/o timeout"
THROTTLED: Final = "429 Too Many Requests"
EVICTED: Final = (
    "removed 3 times in a day: the kubelet collects images that no Pod has used first when the disk is above its "
    "thresholds; give the node more disk, warm fewer images, or raise imageGCHighThresholdPercent and lower "
    "imagefs.available of evictionHard, which takes images first"
)
NODES: Final = tuple(f"worker-{number}" for number in range(1, 8))


def make_night(cluster: ApiServer) -> None:
    """Make it all, on a server that has our kinds."""
    for namespace in ("team-a", "team-b"):
        cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    base = _job(cluster, "team-a", "base", image=f"{BASE}:latest", status=_base_status(), prewarm=_refresh())
    gpu = _job(cluster, "team-b", "gpu-runtime", image=f"{GPU}:v7", status=_all_warm())
    _list(cluster)
    for name in NODES:
        NodeOnServer(cluster, name).create(is_ready=name != "worker-4")
        _sizes(cluster, name)
        _node_image(cluster, name, base=base, gpu=gpu)


def _refresh() -> Json:
    """Return a nightly refresh that began an hour ago and has an hour left."""
    began = datetime.now(UTC) - timedelta(hours=1)
    schedule = f"{began.minute} {began.hour} * * *"
    return {"refresh": {"schedule": schedule, "startingDeadlineSeconds": 2 * HOUR}}


def _job(cluster: ApiServer, namespace: str, name: str, *, image: str, status: Json, **spec: Any) -> JobOnServer:  # noqa: ANN401 - JSON
    made = JobOnServer(cluster, namespace, name)
    made.create(job(image, kind="Never", imagePullPolicy="Always", **spec))
    path = f"{KINDS}/namespaces/{namespace}/imagepulljobs/{name}/status"
    # Without observedGeneration a status is about the spec as it is, also after a test has edited that.
    cluster.request("PATCH", path, {"status": status})
    return made


def _list(cluster: ApiServer) -> None:
    """Make a list of two images; the second has failed everywhere."""
    spec = {"images": [f"{TOOLS}:v2", f"{TOOLS}:nope"], "completionPolicy": {"type": "Never"}}
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob"}
    place = f"{KINDS}/namespaces/team-b/imagelistpulljobs"
    made = cluster.request("POST", place, {**kind, "metadata": {"name": "nightly"}, "spec": spec})
    failed = {"name": f"{TOOLS}:nope", "imagePullJob": "nightly-a-nope", "message": "5 of 5 nodes failed"}
    status = {"desired": 2, "succeeded": 1, "completed": 2, "failedImageStatuses": [failed]}
    cluster.request("PATCH", f"{place}/nightly/status", {"status": status})
    reference = {**kind, "name": "nightly", "uid": made["metadata"]["uid"], "controller": True}
    # Their names are in another order than the images.
    for name, image, told in (
        ("nightly-b-v2", f"{TOOLS}:v2", _all_warm()),
        ("nightly-a-nope", f"{TOOLS}:nope", {"desired": 5, "failed": 5, "conditions": [_not_ready("ImageNotFound")]}),
    ):
        _job(cluster, "team-b", name, image=image, status=told, selector={"names": []})
        path = f"{KINDS}/namespaces/team-b/imagepulljobs/{name}"
        cluster.request("PATCH", path, {"metadata": {"ownerReferences": [reference]}})


def _base_status() -> Json:
    nodes = {"warm": 1, "stale": 1, "cold": 3, "skipped": 2}
    failures = [
        {"reason": "RegistryThrottled", "count": 1, "nodes": ["worker-6"], "message": THROTTLED},
        {"reason": "RegistryUnavailable", "count": 1, "nodes": ["worker-3"], "message": TIMEOUT},
    ]
    skipped = [
        {"reason": "NoAgent", "count": 1, "nodes": ["worker-5"], "message": "nothing on the node has answered"},
        {"reason": "NodeNotReady", "count": 1, "nodes": ["worker-4"], "message": "the node is not Ready"},
    ]
    told = {
        "summary": "1/7",
        "nodes": nodes,
        "pulling": 1,
        "waiting": 0,
        "bytes": {"done": GIB // 2, "total": GIB},
        "eta": ago(-1.5 * HOUR),
        "lastRefreshTime": ago(HOUR),
        "digests": [{"digest": NEW, "nodes": 1}, {"digest": OLD, "nodes": 1}],
        "failures": failures,
        "skipped": skipped,
    }
    counts = {"desired": 5, "active": 2, "succeeded": 1, "failed": 2}
    return {**counts, "conditions": [_not_ready("InProgress")], "prewarm": told}


def _all_warm() -> Json:
    ready = {"type": "Ready", "status": "True", "reason": "AllWarm", "message": "5 of 5 nodes have the image"}
    told = {"summary": "5/7", "nodes": {"warm": 5, "stale": 0, "cold": 0, "skipped": 2}, "pulling": 0, "waiting": 0}
    return {
        "desired": 5,
        "active": 0,
        "succeeded": 5,
        "failed": 0,
        "conditions": [{**ready, "lastTransitionTime": ago(HOUR)}],
        "prewarm": told,
    }


def _not_ready(reason: str) -> Json:
    words = {"status": "False", "reason": reason, "message": f"says {reason}"}
    return {"type": "Ready", "lastTransitionTime": ago(HOUR), **words}


def _sizes(cluster: ApiServer, name: str) -> None:
    """Have the node's kubelet tell its images."""
    images = [
        {"names": [f"{GPU}@{NEW}", f"{GPU}:v7"], "sizeBytes": 9 * GIB},
        {"names": [f"{BASE}@{NEW}", f"{BASE}:latest"], "sizeBytes": GIB},
        {"names": ["docker.io/library/redis:7"], "sizeBytes": GIB // 8},
    ]
    cluster.request("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"images": images}})


def _node_image(cluster: ApiServer, name: str, *, base: JobOnServer, gpu: JobOnServer) -> None:
    has_agent = name != "worker-5"
    made = NodeImageOnServer(cluster, name)
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}
    made.create({BASE: {"tags": [_entry("latest", base)]}, GPU: {"tags": [_entry("v7", gpu)]}}, labels=labels)
    if not has_agent:
        return
    version = "0.0.9" if name == "worker-4" else "0.1.0"
    agent = {"version": version, "runtime": "containerd://2.3.7", "startedAt": ago(24 * HOUR), "reportedAt": ago(9)}
    statuses = {BASE: {"tags": [_base_answer(name)]}, GPU: {"tags": [_has("v7", f"{GPU}@{NEW}")]}}
    status: Json = {"desired": 2, "imageStatuses": statuses, "prewarm": {"agent": agent}}
    if name == "worker-7":
        status["conditions"] = [_low_on_space()]
    cluster.request("PATCH", f"{KINDS}/nodeimages/{name}/status", {"status": status})


def _entry(tag: str, of: JobOnServer) -> Json:
    owners = [owner(of.namespace, of.name, uid=of.uid)]
    bounds = {"timeoutSeconds": 600, "backoffLimit": 3}
    # Granted within the refresh, in a round that leaves half an hour until the next.
    fields: Json = {"createdAt": ago(HOUR / 2), "prewarm": {"round": 5}, "pullPolicy": bounds}
    return entry(tag, policy="Always", ownerReferences=owners, **fields)


def _base_answer(name: str) -> Json:
    began, ended = {"startTime": ago(80)}, {"completionTime": ago(40)}
    answer = {"tag": "latest", "version": 1, **began}
    match name:
        case "worker-2":
            size = {"done": GIB // 2, "total": GIB}
            return {**answer, "phase": "Pulling", "progress": 50, "bytes": size, "attempt": 1, "stage": "Downloading"}
        case "worker-3":
            words = {"reason": "RegistryUnavailable", "message": TIMEOUT, "attempt": 4}
            return {**answer, "phase": "Failed", **ended, **words}
        case "worker-6":
            words = {"reason": "RegistryThrottled", "message": THROTTLED, "attempt": 4}
            return {**answer, "phase": "Failed", **ended, **words, "imageID": f"{BASE}@{OLD}", "digest": OLD}
        case "worker-7":
            return {**answer, "phase": "Waiting", "reason": "EvictionLoop", "message": EVICTED, "attempt": 0}
    return _has("latest", f"{BASE}@{NEW}")


def _has(tag: str, image_id: str) -> Json:
    times = {"startTime": ago(80), "completionTime": ago(40)}
    digest = image_id.partition("@")[2]
    return {
        "tag": tag,
        "version": 1,
        "phase": "Succeeded",
        "progress": 100,
        **times,
        "imageID": image_id,
        "digest": digest,
    }


def _low_on_space() -> Json:
    words = {"reason": "DiskLow", "message": "12.1 GiB free on /, 20.0 GiB must stay free"}
    return {"type": "SpaceSufficient", "status": "False", "lastTransitionTime": ago(HOUR), **words}
