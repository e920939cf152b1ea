"""
The story that this product is built from: a team rebuilds its base image each night under the same tag.

Told in the release notes of OpenKruise 1.6, here on three nodes with a real
containerd and a real agent each, with the manifest as it was printed, in both API versions. The Nodes are made by the
test; a kubelet plays no part.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Hosts
from tests.servers.faults import Fault, Hang
from tests.servers.fixtures_coordinator import JoinNode, RealNode
from tests.servers.images import Push, PushedImage
from tests.servers.jobs import JobOnServer, counted, said, totals
from tests.servers.nodes import GATE, taint
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


ARTICLE = Path(__file__).parents[2] / "examples/base-image-job.yaml"
IMAGE = "docker.io/library/base:latest"

pytestmark = [
    pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"]),
    pytest.mark.usefixtures("coordinator"),
    # Three containerds, and a minute until a schedule's time comes.
    pytest.mark.timeout(240),
]

Rebuild = Callable[[], PushedImage]


@pytest.fixture
def rebuild(push: Push, registry: Registry, hosts: Hosts) -> Rebuild:
    """Rebuild the base image under its tag, as the team does each night."""
    hosts.add("docker.io", registry.url)
    builds = iter(range(100))
    return lambda: push("library/base", tag="latest", layers=[64 << 10, 1024], seed=next(builds))


@pytest.fixture
def apply(deployed: ApiServer, namespace: str, version: str) -> Callable[[], JobOnServer]:
    """Apply the article's manifest, with kubectl, in this version of the API."""

    def apply() -> JobOnServer:
        manifest = ARTICLE.read_text().replace("apps.kruise.io/v1alpha1", f"apps.kruise.io/{version}")
        deployed.kubectl("--namespace", namespace, "apply", "-f", "-", stdin=manifest)
        return JobOnServer(deployed, namespace, "base-image-job", version=version)

    return apply


@pytest.fixture(autouse=True)
def _job_goes(deployed: ApiServer, namespace: str) -> Iterator[None]:
    """Take the job away at the end: it selects every node of the cluster."""
    yield
    JobOnServer(deployed, namespace, "base-image-job").delete()


def kept(node: RealNode) -> str:
    """Return the digest of the base image that a node's containerd has, "" where it has none."""
    return node.containerd.images().get(IMAGE, "")


def digests(status: Json) -> dict[str, int]:
    """Return on how many nodes each digest is, as the job tells it."""
    return {found["digest"]: found["nodes"] for found in status["prewarm"].get("digests", [])}


def test_the_job_warms_every_node(
    apply: Callable[[], JobOnServer],
    rebuild: Rebuild,
    three_nodes: tuple[RealNode, ...],
    deployed: ApiServer,
    namespace: str,
) -> None:
    """Each node has base:latest, `kubectl wait` says so, and the job goes on, since it is of type Never."""
    image = rebuild()

    job = apply()
    deployed.kubectl("--namespace", namespace, "wait", "--for=condition=Ready", "imagepulljob/base-image-job")
    status = job.status

    assert [image.digest] * 3 == [kept(node) for node in three_nodes]
    assert (3, 0, 3, 0) == totals(status)
    assert (3, 0, 0, 0) == counted(status)
    assert "3/3" == status["prewarm"]["summary"]
    assert {image.digest: 3} == digests(status)
    assert "completionTime" not in status


def test_the_nightly_refresh_brings_what_was_rebuilt(
    apply: Callable[[], JobOnServer], rebuild: Rebuild, three_nodes: tuple[RealNode, ...]
) -> None:
    """The tag has moved, and at the job's hour, in its time zone, every node gets the new image."""
    old = rebuild()
    job = apply()
    job.until_ready(nodes=3)
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    # The next full minute, or the one after that where it is too near.
    fire = (dt.datetime.now(tz=zone) + dt.timedelta(seconds=65)).replace(second=0, microsecond=0)

    new = rebuild()
    schedule = f"{fire.minute} {fire.hour} * * *"
    job.edit({"prewarm": {"refresh": {"schedule": schedule, "timeZone": "Asia/Kolkata"}}})
    announced = job.until(lambda status: status["observedGeneration"] == 2, what="has seen the schedule")
    before = [kept(node) for node in three_nodes]
    status = job.until(
        lambda status: {new.digest: 3} == digests(status) and said(status, "Ready") == "True",
        what="every node has the new image",
        timeout_seconds=120,
    )

    assert [old.digest] * 3 == before
    assert [new.digest] * 3 == [kept(node) for node in three_nodes]
    assert fire == dt.datetime.fromisoformat(announced["prewarm"]["nextRefreshTime"])
    assert fire <= dt.datetime.fromisoformat(status["prewarm"]["lastRefreshTime"])
    assert fire + dt.timedelta(days=1) == dt.datetime.fromisoformat(status["prewarm"]["nextRefreshTime"])


def test_a_node_that_joins_by_scale_out_pulls_by_itself(
    apply: Callable[[], JobOnServer], rebuild: Rebuild, three_nodes: tuple[RealNode, ...], join_node: JoinNode
) -> None:
    """Nobody touches the job: a fourth node and its agent are enough."""
    image = rebuild()
    job = apply()
    job.until_ready(nodes=3)

    fourth = join_node()
    status = job.until_ready(nodes=4)

    assert [image.digest] * 4 == [kept(node) for node in (*three_nodes, fourth)]
    assert {image.digest: 4} == digests(status)


def test_a_gated_node_takes_pods_once_it_is_warm(
    apply: Callable[[], JobOnServer],
    rebuild: Rebuild,
    three_nodes: tuple[RealNode, ...],
    join_node: JoinNode,
    hosts: Hosts,
    faults: FaultProxy,
) -> None:
    """A new node comes with the startup taint; it is there while the image is on its way, and goes when it is there."""
    image = rebuild()
    job = apply()
    job.edit({"prewarm": {"gate": True}})
    job.until_ready(nodes=3)
    hosts.add("docker.io", faults.url)
    faults.add(Fault(Hang(after_bytes=1024), kind=Kind.BLOB, reference=image.layers[0].digest))

    fourth = join_node(taints=[taint(GATE)])
    until(lambda: faults.traffic.bytes_of(image.layers[0].digest) > 0, what="the pull has begun", timeout_seconds=60)
    was_closed = fourth.node.has_taint(GATE)
    faults.clear()
    opened = fourth.node.until_untainted(GATE)

    assert was_closed
    assert image.digest == kept(fourth)
    assert [] == opened["spec"].get("taints", [])
    assert all(not node.node.has_taint(GATE) for node in three_nodes)
