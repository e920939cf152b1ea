"""
One object of each kind in which every field of its schema stands, spec and status.

A job that ends and one that renews exclude each other's fields, so ImagePullJob is the first and ImageListPullJob the
second.
"""

from typing import Any, Final


Json = dict[str, Any]

_TIME: Final = "2026-01-31T02:00:00Z"
_EXPRESSIONS: Final = [{"key": "zone", "operator": "In", "values": ["a", "b"]}, {"key": "gpu", "operator": "Exists"}]
_SANDBOX: Final = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
_BYTES: Final = {"done": 7_340_032, "total": 9_000_000_000}
_TEMPLATE: Final[Json] = {
    "pullSecrets": ["regcred"],
    "parallelism": "10%",
    "pullPolicy": {"timeoutSeconds": 300, "backoffLimit": 1},
    "sandboxConfig": _SANDBOX,
    "imagePullPolicy": "Always",
}
_PREWARM: Final[Json] = {"suspend": True, "priority": -5, "gate": True, "minFree": "15%"}
_REFRESH: Final[Json] = {
    "schedule": "0 2 * * *",
    "timeZone": "Europe/Berlin",
    "spreadSeconds": 1800,
    "startingDeadlineSeconds": 14400,
    "at": _TIME,
}


def _condition(name: str) -> Json:
    return {
        "type": name,
        "status": "False",
        "observedGeneration": 3,
        "lastTransitionTime": _TIME,
        "reason": "NodesFailed",
        "message": "node-a has no space",
    }


def _group(reason: str) -> Json:
    return {"reason": reason, "count": 1, "nodes": ["node-a"], "message": "no space", "retryTime": _TIME}


_STATUS: Final[Json] = {
    "observedGeneration": 3,
    "conditions": [_condition("Ready"), _condition("Stalled")],
    "startTime": _TIME,
    "completionTime": _TIME,
    "prewarm": {
        "summary": "488/800",
        "nodes": {"warm": 488, "stale": 0, "cold": 311, "skipped": 1},
        "pulling": 10,
        "waiting": 301,
        "digests": [{"digest": "sha256:" + "a" * 64, "nodes": 488}],
        "bytes": _BYTES,
        "eta": _TIME,
        "lastRefreshTime": _TIME,
        "nextRefreshTime": _TIME,
        "failures": [_group("DiskLow")],
        "skipped": [_group("NodeNotReady")],
    },
}

JOB: Final[Json] = {
    "apiVersion": "apps.kruise.io/v1beta1",
    "kind": "ImagePullJob",
    "metadata": {"name": "full", "labels": {"team": "a"}},
    "spec": {
        **_TEMPLATE,
        "image": "registry.example.com:5000/team/app:v1",
        "completionPolicy": {"type": "Always", "activeDeadlineSeconds": 1200, "ttlSecondsAfterFinished": 60},
        "podSelector": {"matchLabels": {"app": "web"}, "matchExpressions": _EXPRESSIONS},
        "prewarm": _PREWARM,
    },
    "status": {
        **_STATUS,
        "desired": 799,
        "active": 10,
        "succeeded": 488,
        "failed": 1,
        "message": "job is running, progress 61.2%",
        "failedNodes": ["node-a"],
    },
}
LIST: Final[Json] = {
    "apiVersion": "apps.kruise.io/v1beta1",
    "kind": "ImageListPullJob",
    "metadata": {"name": "full", "labels": {"team": "a"}},
    "spec": {
        **_TEMPLATE,
        "images": ["nginx:1.27", "redis@sha256:" + "b" * 64],
        "completionPolicy": {"type": "Never"},
        "selector": {"matchLabels": {"zone": "a"}, "matchExpressions": _EXPRESSIONS},
        "prewarm": {**_PREWARM, "refresh": _REFRESH, "listParallelism": 20},
    },
    "status": {
        **_STATUS,
        "desired": 2,
        "active": 1,
        "completed": 1,
        "succeeded": 1,
        "failedImageStatuses": [{"imagePullJob": "full-x7k2p", "name": "nginx:1.27", "message": "see the job"}],
    },
}
NODE_IMAGE: Final[Json] = {
    "apiVersion": "apps.kruise.io/v1beta1",
    "kind": "NodeImage",
    "metadata": {"name": "full", "labels": {"kubernetes.io/hostname": "full"}},
    "spec": {
        "images": {
            "registry.example.com:5000/team/app": {
                "sandboxConfig": _SANDBOX,
                "pullSecrets": [{"namespace": "kruise-daemon-config", "name": "regcred-3fa9c1", "mode": "batch"}],
                "tags": [
                    {
                        "tag": "v1",
                        "createdAt": _TIME,
                        "version": 4,
                        "imagePullPolicy": "Always",
                        "ownerReferences": [
                            {
                                "apiVersion": "apps.kruise.io/v1beta1",
                                "kind": "ImagePullJob",
                                "namespace": "team",
                                "name": "full",
                                "uid": "3b6b0b7e",
                                "resourceVersion": "17",
                                "fieldPath": "spec",
                            }
                        ],
                        "pullPolicy": {
                            "timeoutSeconds": 300,
                            "backoffLimit": 1,
                            "ttlSecondsAfterFinished": 86211,
                            "activeDeadlineSeconds": 1800,
                        },
                        "prewarm": {
                            "priority": 5,
                            "minFree": "10Gi",
                            "suspended": True,
                            "round": 2,
                            "ended": [{"uid": "9c1d", "phase": "Failed"}],
                        },
                    }
                ],
            }
        }
    },
    "status": {
        "observedGeneration": 3,
        "conditions": [_condition("RuntimeReady"), _condition("SpaceSufficient"), _condition("SoleReporter")],
        "desired": 4,
        "succeeded": 1,
        "failed": 0,
        "pulling": 2,
        "waiting": 1,
        "imageStatuses": {
            "registry.example.com:5000/team/app": {
                "tags": [
                    {
                        "tag": "v1",
                        "phase": "Pulling",
                        "version": 4,
                        "progress": 42,
                        "startTime": _TIME,
                        "completionTime": _TIME,
                        "imageID": "registry.example.com:5000/team/app@sha256:" + "c" * 64,
                        "message": "in the runtime's words",
                        "reason": "RegistryThrottled",
                        "attempt": 2,
                        "digest": "sha256:" + "d" * 64,
                        "changed": False,
                        "bytes": _BYTES,
                        "stage": "Unpacking",
                    }
                ]
            }
        },
        "firstSyncStatus": {"syncAt": _TIME, "status": "Succeeded", "message": "text"},
        "prewarm": {
            "agent": {
                "version": "0.1.0",
                "runtime": "containerd://2.3.7",
                "startedAt": _TIME,
                "reportedAt": _TIME,
            }
        },
    },
}
ALL: Final = (JOB, LIST, NODE_IMAGE)
