"""
What the coordinator's figures are measured on: an API server with daemonset.yaml applied, and as many Nodes as asked.

Nodes are made as kubelets register themselves, sixteen at a time. Nothing runs on them: their agents are hollow ones,
in a process of their own.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from bench.hollow.answer import Said, Statuses
from bench.hollow.patch import status_patch
from bench.hollow.process import HollowProcess
from bench.hollow.seen import ImageKey, Metadata
from bench.hollow.senders import TIMEOUT_SECONDS, Request, Senders
from bench.stage import scratch
from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.times import format_time
from daemon.cluster.access import Access
from daemon.cluster.interface import Operation
from daemon.cluster.kubeconfig import read_kubeconfig
from daemon.cluster.transport import HttpApi
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.crds import ours, until_served
from tests.servers.deployment import apply
from tests.servers.jobs import JobOnServer


Json = dict[str, Any]

NODES: Final = "/api/v1/nodes"
NODE_IMAGES: Final = "/apis/apps.kruise.io/v1beta1/nodeimages"
JOBS: Final = "/apis/apps.kruise.io/v1beta1/namespaces/default/imagepulljobs"
NAMESPACE: Final = "default"
LIFTED: Final = ("--write-rate", "100000")
"""Lifts the coordinator's budget of writes."""

DIGEST: Final = f"sha256:{'5' * 64}"
SETTLED_SECONDS: Final = 120.0
REFERENCE_ROUNDS: Final = 3


class CoordinatorStage:
    """An API server, and who makes and removes its objects."""

    def __init__(self, folder: Path, apiserver: ApiServer, senders: Senders) -> None:
        self.folder = folder
        self.apiserver = apiserver
        self._senders = senders
        self._runs = 0

    @contextlib.contextmanager
    def coordinator(self, *options: str) -> Iterator[CoordinatorProcess]:
        """Run a coordinator that leads."""
        self._runs += 1
        name = f"coordinator-{self._runs}"
        coordinator = CoordinatorProcess(self.apiserver, self.folder / name, name=name, options=options)
        with coordinator, _noting(coordinator.tail):
            coordinator.until_leading()
            yield coordinator

    @contextlib.contextmanager
    def hollow(self, *options: str) -> Iterator[HollowProcess]:
        """Run hollow agents for every node."""
        self._runs += 1
        hollow = HollowProcess(self.apiserver.kubeconfig, self.folder / f"hollow-{self._runs}", options=options)
        with hollow, _noting(hollow.process.tail):
            yield hollow

    def send_all(self, requests: Sequence[Request]) -> None:
        """Have requests answered, sixteen at a time."""
        for request in requests:
            self._senders.send(request)
        self._senders.finish()

    def make_nodes(self, names: Sequence[str], *, is_ready: bool = True) -> None:
        """Make Nodes with the labels that a cloud's nodes have."""
        self.send_all([partial(_create, path=NODES, body=node(name, is_ready=is_ready)) for name in names])

    def remove_nodes(self) -> None:
        """Remove every Node; their NodeImages are the coordinator's to remove."""
        self.apiserver.request("DELETE", NODES)

    def remove_node_images(self) -> None:
        """Remove every NodeImage, while no coordinator does."""
        self.apiserver.request("DELETE", NODE_IMAGES)

    def node_images(self) -> list[Json]:
        """Return every NodeImage."""
        items: list[Json] = self.apiserver.request("GET", NODE_IMAGES)["items"]
        return items

    def until_node_images(
        self, count: int, fits: Callable[[Json], bool] = lambda _object: True, *, what: str = "are there"
    ) -> None:
        """
        Wait until so many NodeImages fit, by one watch: lists would load the server that is measured.

        Raises:
            TimeoutError: they do not in time.
        """
        ends_at = time.monotonic() + SETTLED_SECONDS
        found: set[str] = set()
        while time.monotonic() < ends_at:
            # Where the server ends a watch early, what there is comes again.
            found = set()
            for event in self.apiserver.watch(f"{NODE_IMAGES}?watch=1&timeoutSeconds=60", timeout_seconds=70):
                if event["type"] == "ERROR":
                    break
                is_fitting = event["type"] != "DELETED" and fits(event["object"])
                (found.add if is_fitting else found.discard)(event["object"]["metadata"]["name"])
                if len(found) == count:
                    return
        raise TimeoutError(f"{len(found)} of {count} NodeImages {what} after {SETTLED_SECONDS:g} s")

    def until_reported(self, count: int) -> None:
        """Wait until so many agents have said that they are there."""
        self.until_node_images(count, lambda found: "prewarm" in found.get("status", {}), what="have an agent")

    def job(self, name: str) -> JobOnServer:
        """Return a job by its name; nothing is there before it is created."""
        return JobOnServer(self.apiserver, NAMESPACE, name)

    def rates(self, *, rounds: int = REFERENCE_ROUNDS) -> list[float]:
        """
        Return the status patches a second that the senders reach, each round over every NodeImage.

        What they write is what a hollow node says of one image; it is gone again afterwards. Nothing else may run.
        """
        items = self.node_images()
        found = [Metadata(**_picked(one["metadata"])) for one in items]
        bare = [one for one, item in zip(found, items, strict=True) if "imageStatuses" not in item.get("status", {})]
        key, status = _answer(0)
        self._rate(bare, {key: status}, said=Said())
        said = Said(has_status=True, has_images=True, has_agent=True)
        rates = []
        for version in range(1, rounds + 1):
            key, status = _answer(version)
            rates.append(self._rate(found, {key: status}, said=said))
            said = structs.replace(said, statuses={key: status})
        self._rate(found, {}, said=structs.replace(said, statuses={key: status}))
        return rates

    def _rate(self, found: Sequence[Metadata], statuses: Statuses, *, said: Said) -> float:
        now = datetime.now(UTC)
        requests = [
            partial(
                _patch,
                path=f"{NODE_IMAGES}/{one.name}/status",
                operations=status_patch(one, statuses, said=said, started_at=now, now=now),
            )
            for one in found
        ]
        began = time.monotonic()
        self.send_all(requests)
        return len(found) / (time.monotonic() - began)


@contextlib.contextmanager
def coordinator_stage() -> Iterator[CoordinatorStage]:
    """Set the stage."""
    with scratch() as folder, ApiServer(folder / "api") as apiserver:
        apply(apiserver)
        until_served(apiserver, ours())
        with Senders(access_of(apiserver)) as senders:
            yield CoordinatorStage(folder, apiserver, senders)


@contextlib.contextmanager
def _noting(tail: Callable[[], str]) -> Iterator[None]:
    """Add the end of a process' log to whatever goes wrong while it runs."""
    try:
        yield
    except Exception as error:
        error.add_note(tail())
        raise


def access_of(apiserver: ApiServer) -> Access:
    """Return the administrator's access, as our transport takes it."""
    return read_kubeconfig(apiserver.kubeconfig)


def node_names(count: int) -> list[str]:
    """Return names of so many nodes, as a cloud gives them."""
    return [f"ip-10-0-{number // 250}-{number % 250}.example.internal" for number in range(count)]


def node(name: str, *, is_ready: bool) -> Json:
    """Return a Node as a kubelet registers it, with the labels that a cloud's have."""
    now = format_time(datetime.now(UTC))
    condition = {"type": "Ready", "status": "True" if is_ready else "False", "reason": "Bench", "message": "a bench"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "node.kubernetes.io/instance-type": "m6i.2xlarge",
                "topology.kubernetes.io/region": "eu-central-1",
                "topology.kubernetes.io/zone": "eu-central-1a",
            },
        },
        "status": {"conditions": [{**condition, "lastHeartbeatTime": now, "lastTransitionTime": now}]},
    }


def _answer(version: int) -> tuple[ImageKey, TagStatus]:
    now = datetime.now(UTC).replace(microsecond=0)
    key = ImageKey("registry.example/reference", "1.0")
    status = TagStatus(
        tag=key.tag,
        phase=Phase.SUCCEEDED,
        version=version,
        progress=100,
        start_time=now,
        completion_time=now,
        image_id=DIGEST,
        attempt=1,
        digest=DIGEST,
        changed=True,
    )
    return key, status


def _picked(metadata: Json) -> Json:
    return {name: metadata[name] for name in ("name", "uid", "generation")}


def _create(api: HttpApi, *, path: str, body: Json) -> None:
    api.create(path, body, timeout_seconds=TIMEOUT_SECONDS)


def _patch(api: HttpApi, *, path: str, operations: Sequence[Operation]) -> None:
    api.patch(path, operations, timeout_seconds=TIMEOUT_SECONDS)
