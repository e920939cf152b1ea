"""
A batch/v1 Job that brings one image to one node by running it, field by field as kube-fledged 0.10 makes it.

An init container copies a program into a folder that both containers see, and the image runs that. Its busybox is
stood in for by two programs that do no more than is asked here (tests/servers/cluster/echoing.py).
"""

from typing import Any, Final

from tests.servers.cluster import echoing


Json = dict[str, Any]

LABEL: Final = "imagecache"
_VOLUME: Final = "tmp-bin"
_HOUR_SECONDS: Final = 3600


def pull_job(image: str, *, node: str, name: str, cache: str, tools: str) -> Json:
    """
    Return the Job.

    Args:
        image: to bring.
        node: its hostname label.
        name: the Job's; kube-fledged has the server make one up.
        cache: the ImageCache that it is for, which its label says.
        tools: the image of the init container.
    """
    labels = {"app": "kubefledged", "kubefledged": "kubefledged-image-manager", LABEL: cache}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _HOUR_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": _pod(image, node=node, tools=tools)},
        },
    }


def _pod(image: str, *, node: str, tools: str) -> Json:
    mounts = {"volumeMounts": [{"name": _VOLUME, "mountPath": echoing.FOLDER}]}
    policy = {"imagePullPolicy": "IfNotPresent"}
    copy = ["/cp", "/echo", echoing.FOLDER]
    say = [f"{echoing.FOLDER}/echo", "Image pulled successfully!"]
    return {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "initContainers": [{"name": "busybox", "image": tools, "command": copy, **mounts, **policy}],
        "containers": [{"name": "imagepuller", "image": image, "command": say, **mounts, **policy}],
        "volumes": [{"name": _VOLUME, "emptyDir": {}}],
        "restartPolicy": "Never",
        "tolerations": [{"operator": "Exists"}],
    }
