"""
`status`: seconds of `prewarm status -A` over 100 jobs of 1,000 nodes each, and `status-job`: of one job with its nodes.

Measured is the whole process, as a person waits for it: Python, the kubeconfig, the API server's answers, the table.
The reference is kubectl's table of the same objects, ImagePullJobs for the one and NodeImages for the other; the two
take turns. Nothing runs beside them, and nobody changes the objects.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from bench.coordinator_stage import DIGEST, NODE_IMAGES, CoordinatorStage, coordinator_stage, node_names
from bench.figure import Figure, conclude, show, show_spread
from daemon.api.reasons import Reason
from daemon.api.times import format_time
from daemon.cluster.transport import HttpApi
from daemon.cluster.writes import merge_patch
from daemon.coordinator.account import Account, ReasonCount
from daemon.coordinator.decoding import job_of
from daemon.coordinator.jobstatus import next_status


NAME: Final = "status"
BOUND_SECONDS: Final = 2.0
JOBS: Final = 100
NODES: Final = 1_000
IMAGES_A_NODE: Final = 10
NAMESPACES: Final = ("team-a", "team-b", "team-c", "team-d")
WARM_UP: Final = 2
TURNS: Final = 15
TIMEOUT_SECONDS: Final = 30.0

Json = dict[str, Any]


def main() -> int:
    """Measure both commands in turn with kubectl's."""
    with coordinator_stage() as place:
        show(f"== {NAME}: {JOBS} jobs of {NODES:,} nodes, each node with {IMAGES_A_NODE} images")
        _make_jobs(place)
        _make_node_images(place)
        table = _turns(partial(_ours, place, "-A"), partial(_kubectl, place, "imagepulljobs", "-A"))
        job = _turns(partial(_ours, place, _job(0), "-n", _namespace(0)), partial(_kubectl, place, "nodeimages"))
    return conclude(
        [
            _figure(NAME, table, what="kubectl get imagepulljobs -A", bound=BOUND_SECONDS),
            _figure(f"{NAME}-job", job, what="kubectl get nodeimages", bound=None),
        ]
    )


def _figure(name: str, turns: tuple[list[float], list[float]], *, what: str, bound: float | None) -> Figure:
    ours, reference = turns
    show_spread(f"{name}, ours", ours, unit="s")
    show_spread(f"{name}, {what}", reference, unit="s")
    middle, other = statistics.median(ours), statistics.median(reference)
    return Figure(name=name, ours=middle, reference=other, ratio=middle / other, unit="s", bound=bound)


def _turns(*commands: Callable[[], None]) -> tuple[list[float], list[float]]:
    """Return the seconds of each of two commands, each first in every other turn."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(WARM_UP + TURNS):
        for place in (0, 1) if turn % 2 else (1, 0):
            began = time.monotonic()
            commands[place]()
            found[place].append(time.monotonic() - began)
    return found[0][WARM_UP:], found[1][WARM_UP:]


def _ours(place: CoordinatorStage, *arguments: str) -> None:
    command = [sys.executable, "-m", "daemon", "status", "--kubeconfig", str(place.apiserver.kubeconfig), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(place.folder)}
    done = subprocess.run(command, check=True, capture_output=True, env=environment, timeout=TIMEOUT_SECONDS)
    assert len(done.stdout.splitlines()) >= JOBS


def _kubectl(place: CoordinatorStage, *arguments: str) -> None:
    assert len(place.apiserver.kubectl("get", *arguments).splitlines()) > JOBS


def _make_jobs(place: CoordinatorStage) -> None:
    for namespace in NAMESPACES:
        place.apiserver.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    place.send_all([partial(_make_job, number=number) for number in range(JOBS)])


def _make_job(api: HttpApi, *, number: int) -> None:
    """Make a job with the status that a coordinator writes in the middle of a bad night."""
    collection = f"/apis/apps.kruise.io/v1beta1/namespaces/{_namespace(number)}/imagepulljobs"
    spec = {
        "image": f"{_repository(number)}:1.0",
        "parallelism": 50,
        "completionPolicy": {"type": "Never"},
        "prewarm": {"refresh": {"schedule": "0 2 * * *", "timeZone": "Europe/Berlin", "spreadSeconds": 1800}},
    }
    body: Json = {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "ImagePullJob",
        "metadata": {"name": _job(number)},
        "spec": spec,
    }
    api.create(collection, body, timeout_seconds=TIMEOUT_SECONDS)
    path = f"{collection}/{_job(number)}"
    seen = job_of(api.fetch(path, timeout_seconds=TIMEOUT_SECONDS))
    status = next_status(seen, _account(), now=datetime.now(UTC), deadline_passed=False)
    api.send(merge_patch(f"{path}/status", {"status": status}), timeout_seconds=TIMEOUT_SECONDS)


def _account() -> Account:
    names, now = node_names(NODES), datetime.now(UTC)
    reasons = (Reason.REGISTRY_UNAVAILABLE, Reason.REGISTRY_THROTTLED, Reason.DISK_LOW, Reason.ATTEMPT_TIMEOUT)
    words = "failed to pull and unpack image: failed to do request: Head: dial tcp 10.0.0.1:443: i/o timeout"
    failures = tuple(
        ReasonCount(reason=reason, count=50, nodes=tuple(names[place : place + 10]), message=words, retry_at=now)
        for place, reason in enumerate(reasons)
    )
    skips = (ReasonCount(reason=Reason.NODE_NOT_READY, count=50, nodes=tuple(names[-10:]), message="not Ready"),)
    return Account(
        selected=NODES,
        warm=600,
        stale=150,
        cold=200,
        skipped=50,
        waiting=100,
        pulling=50,
        succeeded=600,
        failed=200,
        failed_nodes=tuple(names[:200]),
        failures=failures,
        skips=skips,
        digests=tuple((f"sha256:{number:064x}", 120) for number in range(5)),
        bytes_done=10**10,
        bytes_total=4 * 10**10,
        pull_seconds=30.0,
        limit=50,
        last_refresh=now - timedelta(minutes=5),
    )


def _make_node_images(place: CoordinatorStage) -> None:
    jobs = place.apiserver.request("GET", "/apis/apps.kruise.io/v1beta1/imagepulljobs")["items"]
    owners = {job["metadata"]["name"]: job["metadata"] for job in jobs}
    place.send_all(
        [
            partial(_make_node_image, name=name, number=number, owners=owners)
            for number, name in enumerate(node_names(NODES))
        ]
    )


def _make_node_image(api: HttpApi, *, name: str, number: int, owners: Json) -> None:
    now = format_time(datetime.now(UTC))
    wanted = [(_repository(image), owners[_job(image)]) for image in range(IMAGES_A_NODE)]
    images = {repository: {"tags": [_entry(owner, now=now)]} for repository, owner in wanted}
    body: Json = {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "NodeImage",
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}},
        "spec": {"images": images},
    }
    api.create(NODE_IMAGES, body, timeout_seconds=TIMEOUT_SECONDS)
    statuses = {repository: {"tags": [_answer(number, now=now)]} for repository, _ in wanted}
    agent = {"version": "0.1.0", "runtime": "containerd://2.3.7", "startedAt": now, "reportedAt": now}
    status = {"desired": IMAGES_A_NODE, "imageStatuses": statuses, "prewarm": {"agent": agent}}
    api.send(merge_patch(f"{NODE_IMAGES}/{name}/status", {"status": status}), timeout_seconds=TIMEOUT_SECONDS)


def _entry(owner: Json, *, now: str) -> Json:
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob"}
    reference = {**kind, "namespace": owner["namespace"], "name": owner["name"], "uid": owner["uid"]}
    policy = {"timeoutSeconds": 600, "backoffLimit": 3}
    return {"tag": "1.0", "version": 1, "createdAt": now, "ownerReferences": [reference], "pullPolicy": policy}


def _answer(number: int, *, now: str) -> Json:
    """Say of an image what a node says: most have it, some pull it, some have failed."""
    if number % 10 < 6:
        ended = {"startTime": now, "completionTime": now, "imageID": DIGEST, "digest": DIGEST, "progress": 100}
        return {"tag": "1.0", "version": 1, "phase": "Succeeded", **ended}
    if number % 10 < 8:
        size = {"done": 10**8, "total": 2 * 10**8}
        return {"tag": "1.0", "version": 1, "phase": "Pulling", "startTime": now, "progress": 50, "bytes": size}
    failed = {"startTime": now, "completionTime": now, "reason": "RegistryUnavailable", "message": "i/o timeout"}
    return {"tag": "1.0", "version": 1, "phase": "Failed", "attempt": 4, **failed}


def _job(number: int) -> str:
    return f"job-{number}"


def _namespace(number: int) -> str:
    return NAMESPACES[number % len(NAMESPACES)]


def _repository(number: int) -> str:
    return f"registry.example.com/team/app-{number}"


if __name__ == "__main__":
    sys.exit(main())
