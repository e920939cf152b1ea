"""
A node's disk fills up: its kubelet takes images that no Pod has used, and then evicts Pods, ours first.

The kubelet's thresholds are its own, images from 15 % free on, and so is our floor of 20 %: what is there to be tried
is how the two go together.
"""

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import PushApp
from tests.cluster.crowded import TAINT, Crowded
from tests.cluster.ours import Ours
from tests.cluster.slowly import MIB, PATIENT_SECONDS, Slowly
from tests.servers.apiserver import ApiServer
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.pods import PodOnServer, is_running
from tests.servers.cluster.product import Product
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, job, totals
from tests.servers.objects import Json
from tests.servers.processes import until


# Of the coordinators, beside the crowded one.
NODES = 1
SEEDS = iter(range(300, 400))
# Without the runtime's own word a removal would be noticed within a minute.
NOTICED_SECONDS = 30.0
# What an image's bytes are enough to mend, and what they are not.
SHORT_SHARE = 0.14
FULL_SHARE = 0.05


@pytest.fixture(scope="module")
def crowded(cluster: LabCluster, product: Product) -> Crowded:
    """A node with a small disk, and our agent on it."""
    crowded = Crowded(cluster, "crowded")
    product.until_up()
    return crowded


@pytest.fixture
def ours(cluster: LabCluster, crowded: Crowded) -> Iterator[Ours]:
    """Our Pods, all of them up; afterwards there is room again, and they are."""
    ours = Ours(cluster)
    ours.until_all_ready(timeout_seconds=PATIENT_SECONDS)
    yield ours
    crowded.empty()
    ours.until_all_ready(timeout_seconds=PATIENT_SECONDS)


@pytest.fixture
def kept(cluster: LabCluster, crowded: Crowded, ours: Ours, push: PushApp, names: Names) -> Iterator[Slowly]:
    """
    An image that a job keeps on the crowded node; it is there by now, and no Pod has ever used it.

    It goes with the test: taken with the next one's, it would leave room enough for that to be pulled at once.
    """
    del ours
    name = names("kept")
    image = push(name, tag="v1", layers=(8 * MIB, 8 * MIB), seed=next(SEEDS))
    kept = Slowly(cluster, image, JobOnServer(cluster.apiserver, "default", name), nodes=[crowded.name])
    kept.job.create(job(image.reference, kind="Never", selector=kept.selector))
    kept.job.until_ready(nodes=1, timeout_seconds=PATIENT_SECONDS)
    yield kept
    kept.job.delete()
    kept.nodes[crowded.name].until_status(lambda status: not status.get("imageStatuses"), what="nothing is wanted")
    crowded.remove(image.reference)


@pytest.fixture
def workload(cluster: LabCluster, crowded: Crowded, push: PushApp, names: Names) -> Iterator[PodOnServer]:
    """
    Somebody's Pod of no particular priority, which runs on the crowded node.

    For some seconds after a full disk the kubelet refuses what comes; then it is made anew, as its owner would.
    """
    pod = PodOnServer(cluster.apiserver, names("workload"))
    image = push("workload", seed=next(SEEDS))
    until(
        lambda: is_taken_in(pod, image.reference, node=crowded.name),
        what=f"{crowded.name} takes Pods",
        timeout_seconds=PATIENT_SECONDS,
    )
    yield pod
    pod.delete()


def is_taken_in(pod: PodOnServer, reference: str, *, node: str) -> bool:
    """Create a Pod, and tell whether it runs; one that the kubelet refuses is taken away again."""
    pod.create(reference, node=node, tolerations=[{"key": TAINT, "operator": "Exists"}])
    found = pod.until(
        lambda found: is_running(found) or found["status"].get("phase") == "Failed",
        what="runs or is refused",
        timeout_seconds=PATIENT_SECONDS,
    )
    if not is_running(found):
        pod.delete()
    return is_running(found)


def taken(crowded: Crowded, kept: Slowly) -> Json:
    """Fill the disk until the kubelet has taken the image, and return what the node says when it has noticed."""
    crowded.let_kubelet_look()
    crowded.fill(free_share=SHORT_SHARE)
    until(lambda: not crowded.has(kept.image.reference), what="it is taken", timeout_seconds=PATIENT_SECONDS)
    return kept.until_said(crowded.name, lambda said: "imageID" not in said, timeout_seconds=NOTICED_SECONDS)


def is_warm(said: Json) -> bool:
    """Tell whether a node says that the image is there."""
    return "Succeeded" == said["phase"] and "imageID" in said


def evicted(apiserver: ApiServer) -> list[str]:
    """Return the names of the Pods that kubelets have evicted, the first one first."""
    events = apiserver.request("GET", "/apis/events.k8s.io/v1/events")["items"]
    own = [event for event in events if ("Evicted", "Pod") == (event["reason"], event["regarding"]["kind"])]
    return [event["regarding"]["name"] for event in sorted(own, key=lambda event: int(version(event)))]


def version(found: Json) -> str:
    """Return an object's resourceVersion."""
    text: str = found["metadata"]["resourceVersion"]
    return text


def test_what_the_kubelet_takes_is_brought_back_and_the_third_time_is_told(
    ours: Ours, crowded: Crowded, kept: Slowly
) -> None:
    """Nothing is pulled below the floor; when there is room the image comes back, and no Pod of ours is evicted."""
    restarts, versions, once = ours.restarts(), kept.versions(), kept.total_bytes

    first = taken(crowded, kept)
    waiting = kept.until_said(crowded.name, lambda said: "DiskLow" == said.get("reason"))
    sent = [kept.sent_bytes]
    crowded.empty()
    kept.until_said(crowded.name, is_warm)
    sent.append(kept.sent_bytes)
    second = taken(crowded, kept)
    crowded.empty()
    kept.until_said(crowded.name, is_warm)
    sent.append(kept.sent_bytes)
    third = taken(crowded, kept)

    assert [once, 2 * once, 3 * once] == sent
    assert "must stay free" in waiting["message"]
    assert {"Waiting", "Pulling"} >= {said["phase"] for said in (first, waiting, second, third)}
    assert "EvictionLoop" not in {said.get("reason") for said in (first, second)}
    assert "EvictionLoop" == third["reason"]
    assert third["message"].startswith("removed 3 times in a day: the kubelet")
    assert "give the node more disk, warm fewer images, or raise" in third["message"]
    assert versions == kept.versions()
    assert restarts == ours.restarts()


@pytest.mark.usefixtures("workload")
def test_an_agent_that_is_evicted_comes_back_and_brings_what_was_taken(
    cluster: LabCluster, ours: Ours, crowded: Crowded, kept: Slowly
) -> None:
    """Where images are not enough the kubelet evicts the least Pod, ours; its successor looks, and misses the image."""
    before, versions, once = ours.agents(), kept.versions(), kept.total_bytes
    evicted_before = evicted(cluster.apiserver)
    crowded.let_kubelet_look()

    crowded.fill(free_share=FULL_SHARE)
    until(lambda: not crowded.has(kept.image.reference), what="it is taken", timeout_seconds=PATIENT_SECONDS)
    until(
        lambda: before[crowded.name] in evicted(cluster.apiserver),
        what="the agent is evicted",
        timeout_seconds=PATIENT_SECONDS,
    )
    crowded.empty()
    until(lambda: crowded.has(kept.image.reference), what="it is back", timeout_seconds=PATIENT_SECONDS)
    kept.until_said(crowded.name, is_warm)
    status = kept.job.until_ready(nodes=1, timeout_seconds=PATIENT_SECONDS)
    ours.until_all_ready(timeout_seconds=PATIENT_SECONDS)
    gone = evicted(cluster.apiserver)[len(evicted_before) :]
    after = ours.agents()

    assert before[crowded.name] == gone[0]
    assert before[crowded.name] != after[crowded.name]
    assert {**before, crowded.name: after[crowded.name]} == after
    assert 0 == totals(status)[3]
    assert versions == kept.versions()
    assert 2 * once == kept.sent_bytes
    assert {0} == {*ours.restarts().values()}
