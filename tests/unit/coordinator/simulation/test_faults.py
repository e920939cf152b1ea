"""Writes that fail: refused, lost after they were done, never sent, in the way of others; in virtual time."""

from collections.abc import Callable

import pytest

from daemon.cluster.errors import ClusterError, Denied, Invalid, ServerFailed, Throttled
from daemon.cluster.interface import Write
from tests.unit.coordinator.simulation.apiserver import IMAGES, said
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import IMAGE, Cluster, counted, key_of
from tests.unit.coordinator.simulation.documents import Json
from tests.unit.coordinator.simulation.story import FOREIGN
from tests.unit.coordinator.simulation.weather import ROUGH, Weather


def writes_about(*nodes: str) -> Callable[[Write], bool]:
    """Tell whether a write is about the NodeImage of one of these nodes."""
    return lambda write: any(write.path.endswith(f"/nodeimages/{node}") for node in nodes)


@pytest.mark.parametrize(
    "weather", [Weather(refused=0.1), Weather(conflicting=0.1), Weather(unsent=0.1), Weather(lost=0.1)]
)
@pytest.mark.parametrize("seed", range(4))
def test_one_write_in_ten_that_fails_changes_nothing_in_the_end(weather: Weather, seed: int) -> None:
    """Each node is brought the image once, and within the ceiling, whatever became of the writes."""
    cluster = Cluster(seed, nodes=8, weather=weather)
    Observer(cluster)
    cluster.lead()

    cluster.job("ends", parallelism=3)
    cluster.job("stays", kind="Never", parallelism=2, image="registry.example.com/other:v1")
    cluster.until(lambda: cluster.has_ended("ends") and cluster.is_ready("stays"), seconds=600)

    assert [1] * 8 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]
    assert (8, 0, 0, 0) == counted(cluster.status("ends")) == counted(cluster.status("stays"))
    check_tallies(cluster)


@pytest.mark.parametrize("seed", range(4))
def test_writes_that_fail_in_every_way_at_once_still_end(seed: int) -> None:
    """A third of all writes fails, and answers take their time."""
    cluster = Cluster(seed, nodes=6, weather=ROUGH)
    Observer(cluster)
    cluster.lead()

    for number in range(5):
        cluster.job(f"job-{number}", parallelism=2, imagePullPolicy="Always")
    cluster.until(lambda: all(cluster.has_ended(f"job-{number}") for number in range(5)), seconds=1800)

    assert {6} == {cluster.status(f"job-{number}")["succeeded"] for number in range(5)}


@pytest.mark.parametrize("error", [Denied("a policy says no", code=403), Invalid("the schema says no", code=422)])
def test_a_node_whose_nodeimage_takes_no_write_holds_up_no_other(error: ClusterError) -> None:
    """The others are brought in; it is named, tried again each minute and no more, and brought in once it is mended."""
    cluster = Cluster(nodes=6)
    Observer(cluster)
    leader = cluster.lead()
    cluster.run(5)
    about_it = writes_about("n02")
    asked: list[float] = []

    def refuse(write: Write) -> ClusterError | None:
        if not about_it(write):
            return None
        asked.append(cluster.timeline.seconds)
        return error

    cluster.api.refuses = refuse
    cluster.job("app", kind="Never", parallelism=1)
    cluster.run(600)
    status = cluster.status("app")
    cluster.api.refuses = lambda _write: None
    cluster.until(lambda: cluster.is_ready("app"), seconds=70)

    assert (5, 0, 1, 0) == counted(status)
    assert "n02" in status["message"]
    assert 40 >= len(asked), len(asked)
    assert {"n02"} == {subject for subject, _ in leader.refusals}
    check_tallies(cluster)
    check_quiet(cluster)


def test_a_job_whose_status_takes_no_write_holds_up_no_other() -> None:
    """Its nodes and other jobs go on; its status is tried again each minute."""
    cluster = Cluster(nodes=3)
    leader = cluster.lead()
    cluster.api.refuses = lambda write: (
        Denied("a policy says no", code=403) if write.path.endswith("/imagepulljobs/bad/status") else None
    )

    cluster.job("bad", parallelism=3)
    cluster.job("good", parallelism=3, image="registry.example.com/other:v1")
    cluster.until(lambda: cluster.has_ended("good"), seconds=60)
    cluster.run(300)
    cluster.api.refuses = lambda _write: None
    cluster.until(lambda: cluster.has_ended("bad"), seconds=70)

    assert 5 <= len(leader.refusals) <= 15
    check_quiet(cluster)


@pytest.mark.parametrize(
    "error", [ServerFailed("out of order", code=500), Throttled("slow down", code=429, retry_after_seconds=5)]
)
def test_an_api_server_in_trouble_is_left_alone_for_a_while(error: ClusterError) -> None:
    """Ten minutes of errors cost some dozens of requests, and then everything goes on."""
    cluster = Cluster(nodes=30)
    Observer(cluster)
    leader = cluster.lead()
    cluster.run(5)
    cluster.api.refuses = lambda _write: error
    cluster.job("app", parallelism=30)
    before = len(leader.sent_requests)

    cluster.run(600)
    during = len(leader.sent_requests) - before
    cluster.api.refuses = lambda _write: None
    cluster.until(lambda: cluster.has_ended("app"), seconds=120)

    assert 2_000 > during, during
    assert [1] * 30 == [cluster.pulls_of(node) for node in sorted(cluster.agents)]


@pytest.mark.parametrize("part", ["nodeimages/n02", "imagepulljobs/ends/status"])
def test_one_object_whose_writes_fail_is_not_hammered(part: str) -> None:
    """What stands behind one object's writes may be broken (a webhook): it is tried less and less often."""
    cluster = Cluster(nodes=6)
    leader = cluster.lead()
    cluster.run(5)
    asked: list[float] = []

    def refuse(write: Write) -> ClusterError | None:
        if not write.path.endswith(part):
            return None
        asked.append(cluster.timeline.seconds)
        return ServerFailed("failed calling webhook", code=500)

    cluster.api.refuses = refuse
    cluster.job("ends", parallelism=6, selector={"names": ["n00", "n01"]})
    cluster.job("stays", kind="Never", parallelism=6, image="registry.example.com/other:v1")
    cluster.run(600)
    requests = len(leader.sent_requests)
    cluster.api.refuses = lambda _write: None
    cluster.until(lambda: cluster.has_ended("ends") and cluster.is_ready("stays"), seconds=70)

    assert 10 <= len(asked) <= 30, len(asked)
    assert 150 >= requests, requests
    check_quiet(cluster)


@pytest.mark.parametrize("seed", range(4))
def test_a_foreign_writer_on_the_same_list_keeps_its_entry(seed: int) -> None:
    """Somebody who writes to the same atomic list between our reads and writes loses nothing, and neither do we."""
    cluster = Cluster(seed, nodes=4, weather=Weather(latency=(0.05, 0.3), lag=(0.1, 0.5)))
    Observer(cluster)
    cluster.lead()
    cluster.run(5)
    cluster.job("app", kind="Never", parallelism=2)
    repository = key_of(IMAGE)[0]

    def add(number: int) -> None:
        node = f"n0{number % 4}"
        found = cluster.api.read(IMAGES, node)
        tags = [*(said(found, "spec", "images", repository, "tags") or ()), {**FOREIGN, "tag": f"by-hand-{number}"}]
        images = {**(said(found, "spec", "images") or {}), repository: {"tags": tags}}
        cluster.api.change(IMAGES, node, lambda found: {**found, "spec": {"images": images}})

    for number in range(40):
        add(number)
        cluster.run(cluster.chance.uniform(0.0, 0.6))
    cluster.until(lambda: cluster.is_ready("app"), seconds=120)

    tags = [
        entry["tag"]
        for image in cluster.api.objects(IMAGES)
        for entry in said(image, "spec", "images", repository, "tags")
    ]
    assert sorted([f"by-hand-{number}" for number in range(40)] + ["v1"] * 4) == sorted(tags)
    check_quiet(cluster)


def test_an_entry_that_somebody_took_away_or_changed_is_put_right() -> None:
    """What a job wants stands there again within a second, with a new version where it was gone."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    cluster.job("app", kind="Never", parallelism=2)
    cluster.until(lambda: cluster.is_ready("app"))

    cluster.api.change(IMAGES, "n00", lambda found: {**found, "spec": {"images": {}}})
    cluster.until(lambda: bool(cluster.entry("n00")) and cluster.is_ready("app"), seconds=10)

    check_tallies(cluster)
    check_quiet(cluster)


def test_schemas_that_drop_our_fields_are_not_written_to_for_ever() -> None:
    """On OpenKruise's CRDs, which know nothing of status.prewarm or conditions, a job at rest costs no write."""
    kept = {"startTime", "completionTime", "desired", "active", "succeeded", "failed", "message", "failedNodes"}

    def prune(resource: str, document: Json) -> Json:
        if resource != "imagepulljobs" or "status" not in document:
            return document
        return {**document, "status": {name: value for name, value in document["status"].items() if name in kept}}

    cluster = Cluster(nodes=4)
    cluster.api.prunes = prune
    cluster.lead()
    cluster.job("ends", parallelism=2)
    cluster.job("stays", kind="Never", parallelism=2, image="registry.example.com/other:v1")
    cluster.run(120)

    before = len(writes_of(cluster))
    cluster.run(600)
    quiet = writes_of(cluster)[before:]
    cluster.lead()
    cluster.run(600)

    assert "completionTime" in cluster.status("ends")
    assert 4 == cluster.status("stays")["succeeded"]
    assert [] == quiet
    # Only by writing it once a new leader finds out what the schema takes.
    assert ["patch /apis/apps.kruise.io/v1beta1/namespaces/team/imagepulljobs/stays/status"] == writes_of(cluster)
