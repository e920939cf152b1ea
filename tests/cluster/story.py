"""
What the story needs on a cluster with Prewarm: the article's job, an image for it, Pods, and nodes that come and go.

Fixtures here are imported by the modules whose tests use them.
"""

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.conftest import PushApp
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.node import Node
from tests.servers.cluster.pods import PULLED, PodOnServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import PushedImage
from tests.servers.jobs import JobOnServer
from tests.servers.nodes import GATE
from tests.servers.objects import Json
from tests.servers.processes import until


ARTICLE: Final = Path(__file__).parents[2] / "examples/base-image-job.yaml"
# The machine may be busy with other tests' clusters.
PATIENT_SECONDS: Final = 120.0
_SEEDS: Final = itertools.count(1)

Apply = Callable[[PushedImage], JobOnServer]
MakePod = Callable[..., PodOnServer]
Join = Callable[..., Node]


@pytest.fixture
def apply(cluster: LabCluster) -> Iterator[Apply]:
    """Apply the article's manifest for an image, as the README's command does: the registry is put before its name."""
    job = JobOnServer(cluster.apiserver, "default", "base-image-job")

    def apply(image: PushedImage) -> JobOnServer:
        text = ARTICLE.read_text().replace("image: base:latest", f"image: {image.reference}")
        cluster.apiserver.kubectl("apply", "--filename=-", stdin=text)
        return job

    yield apply
    job.delete()
    job.until_gone()


@pytest.fixture
def join(cluster: LabCluster, names: Names) -> Iterator[Join]:
    """Have a node join, closed by the startup taint or open; it leaves when the test ends, if it is still there."""
    joined: list[str] = []

    def join(name: str, *, closed: bool = True) -> Node:
        joined.append(name)
        return cluster.join(name, taints=(f"{GATE}:NoSchedule",) if closed else ())

    yield join
    for name in joined:
        if cluster.find(name):
            drain(cluster, name)
            cluster.leave(name)
        elif name in cluster.nodes:
            cluster.nodes.pop(name).stop()


@pytest.fixture
def pods(cluster: LabCluster, names: Names, join: Join) -> Iterator[MakePod]:
    """Make Pods that are gone when the test ends, before the nodes that joined for it are."""
    made: list[PodOnServer] = []

    def make(image: PushedImage, *, node: str, policy: str = "IfNotPresent") -> PodOnServer:
        pod = PodOnServer(cluster.apiserver, names("app"))
        made.append(pod)
        pod.create(image.reference, node=node, policy=policy)
        return pod

    yield make
    if made:
        # In one command, since each ends in its own time.
        cluster.apiserver.kubectl("delete", "pods", *(pod.name for pod in made), "--ignore-not-found")


@pytest.fixture
def network(cluster: LabCluster) -> Iterator[None]:
    """Make the way to the registry well again at the end."""
    yield
    cluster.network.clear()


def built(push: PushApp, repository: str, *, size_bytes: int = 1024) -> PushedImage:
    """Build an image that there was never before; with the same repository again, its tag moves."""
    return push(repository, layers=(size_bytes,), seed=next(_SEEDS))


def drain(cluster: LabCluster, name: str) -> None:
    """Drain a node as a person does."""
    seconds = int(PATIENT_SECONDS)
    cluster.apiserver.kubectl(
        *("drain", name, "--ignore-daemonsets", f"--timeout={seconds}s"), timeout_seconds=seconds + 10
    )


@contextmanager
def cordoned(cluster: LabCluster, *nodes: str) -> Iterator[None]:
    """Let no Pod be placed on these nodes meanwhile."""
    cluster.apiserver.kubectl("cordon", *nodes)
    try:
        yield
    finally:
        cluster.apiserver.kubectl("uncordon", *nodes)


def until_pulled(pod: PodOnServer) -> str:
    """Return the kubelet's word on where the running Pod's image came from."""
    pod.until_running(timeout_seconds=PATIENT_SECONDS)
    return until(lambda: pod.notes(PULLED), what=f"the kubelet tells of {pod.name}'s image", timeout_seconds=60)[0]


def kept(cluster: LabCluster, image: PushedImage) -> dict[str, str]:
    """Return what each node's containerd has under the image's name, "" where nothing."""
    return {name: node.ctr.images().get(image.reference, "") for name, node in cluster.nodes.items()}


def renew(cluster: LabCluster, job: JobOnServer, *, after: Json) -> None:
    """Have every node renew the image now, as the documents say; in a later second than that of a status."""
    shown = dt.datetime.fromisoformat(after["conditions"][0]["lastTransitionTime"])
    now = until(lambda: _whole_second_after(shown), what="the next second", timeout_seconds=60)
    change = {"spec": {"prewarm": {"refresh": {"at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}}}}
    cluster.apiserver.kubectl("patch", "imagepulljob", job.name, "--type=merge", f"--patch={json.dumps(change)}")


def _whole_second_after(moment: dt.datetime) -> dt.datetime | None:
    now = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    return now if now > moment else None


def node_of(pod: Json) -> str:
    """Return where a Pod was placed, "" where it waits."""
    placed: str = pod["spec"].get("nodeName", "")
    return placed


def is_placed(pod: Json) -> bool:
    """Tell whether it has a node."""
    return node_of(pod) != ""


def is_unschedulable(pod: Json) -> bool:
    """Tell whether the scheduler found no node for it."""
    found = pod.get("status", {}).get("conditions", [])
    return any((one["type"], one.get("reason")) == ("PodScheduled", "Unschedulable") for one in found)


def opened_cold(cluster: LabCluster, name: str) -> list[Json]:
    """Return the events that tell of a node which was opened before its images were there."""
    found: list[Json] = cluster.apiserver.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    return [event for event in found if (event["reason"], event["regarding"]["name"]) == ("GateOpenedCold", name)]
