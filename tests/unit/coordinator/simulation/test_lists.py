"""An image list from its creation to its end, in virtual time: its jobs, what they come to, and what is written."""

import random
from collections import Counter
from typing import Any

import pytest

from daemon.cluster.errors import ClusterError, Denied
from daemon.cluster.interface import Write
from daemon.cluster.paths import Verb
from daemon.coordinator.lists.names import job_name
from tests.unit.coordinator.simulation.agents import Key, Pull
from tests.unit.coordinator.simulation.apiserver import IMAGES, JOBS, LISTS, Change, said
from tests.unit.coordinator.simulation.checks import check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import NAMESPACE, Cluster, condition, steady
from tests.unit.coordinator.simulation.documents import Json
from tests.unit.coordinator.simulation.weather import ROUGH


ONE, TWO, THREE = (f"registry.example.com/team/{name}:v1" for name in ("one", "two", "three"))
TWENTY = tuple(f"registry.example.com/team/app-{number:02}:v1" for number in range(20))


def has_ended(cluster: Cluster, name: str = "base") -> bool:
    """Tell whether a list has finished, as its spec is now."""
    found = cluster.api.read(LISTS, f"{NAMESPACE}/{name}")
    status = found.get("status") or {}
    return "completionTime" in status and status["observedGeneration"] == found["metadata"]["generation"]


def counts(status: Json) -> tuple[int, int, int, int]:
    """Return OpenKruise's four numbers of a list: desired, active, completed, succeeded."""
    return status["desired"], status["active"], status["completed"], status["succeeded"]


def failing(*images: str, reason: str = "ImageNotFound") -> Any:  # noqa: ANN401 - as pulls go
    """Let pulls of these images fail, and all others succeed."""
    tags = {image.rpartition(":")[0] for image in images}
    return lambda _node, key, _at: Pull(2.0, reason if key[0] in tags else "")


class Spec:
    """Counts the writes of NodeImages' specs, by node."""

    def __init__(self, cluster: Cluster) -> None:
        self.writes: Counter[str] = Counter()
        self._generations: dict[str, int] = {}
        cluster.api.watches.append(self._hear)

    def _hear(self, change: Change) -> None:
        metadata = change.document["metadata"]
        if change.resource == IMAGES and self._generations.get(metadata["uid"]) != metadata["generation"]:
            self._generations[metadata["uid"]] = metadata["generation"]
            self.writes[metadata["name"]] += 1


def test_each_image_has_a_job_whose_name_tells_it() -> None:
    """With the list's labels and spec, less what is the list's own; the list says when all are done."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    uid = cluster.make_list(
        "base",
        ONE,
        TWO,
        labels={"team": "a"},
        parallelism=2,
        completionPolicy={"ttlSecondsAfterFinished": 600, "activeDeadlineSeconds": 900},
        prewarm={"listParallelism": 2, "priority": 4},
    )
    cluster.until(lambda: has_ended(cluster))
    found = cluster.children(uid)
    status = cluster.list_status("base")

    assert {image: job_name("base", image=image) for image in (ONE, TWO)} == {
        image: job["metadata"]["name"] for image, job in found.items()
    }
    assert {
        "image": ONE,
        "parallelism": 2,
        "completionPolicy": {"type": "Always", "activeDeadlineSeconds": 900},
        "prewarm": {"priority": 4},
    } == found[ONE]["spec"]
    assert {"team": "a"} == found[ONE]["metadata"]["labels"]
    assert (2, 0, 2, 2) == counts(status)
    assert "4/4" == status["prewarm"]["summary"]
    assert ("True", "True") == tuple(condition(status, kind)["status"] for kind in ("Ready", "Complete"))
    assert "failedImageStatuses" not in status


def test_a_new_list_is_one_write_a_node() -> None:
    """Its jobs wait for each other; then one write of each NodeImage grants them all."""
    cluster = Cluster(nodes=3)
    cluster.lead()
    spec = Spec(cluster)

    cluster.make_list("base", *TWENTY, parallelism=3)
    cluster.until(lambda: has_ended(cluster))

    assert dict.fromkeys(("n00", "n01", "n02"), 1) == dict(spec.writes)


def test_once_all_is_said_nothing_is_written() -> None:
    """Several failed images change no order and no status (openkruise.md 8.2 number 6), nor does a new leader."""
    cluster = Cluster(nodes=3, pulls=failing(ONE, THREE))
    cluster.lead()
    cluster.make_list("base", THREE, TWO, ONE, parallelism=3)
    cluster.until(lambda: has_ended(cluster))
    status = cluster.list_status("base")

    assert [THREE, ONE] == [one["name"] for one in status["failedImageStatuses"]]
    assert "3 of 3 nodes failed: 3 ImageNotFound (n00, n01, n02" in status["failedImageStatuses"][0]["message"]
    assert (3, 0, 3, 1) == counts(status)
    assert ("True", "NodesFailed") == tuple(condition(status, "Failed")[key] for key in ("status", "reason"))
    assert [{"reason": "ImageNotFound", "count": 6, "nodes": ["n00", "n01", "n02"]}] == [
        {key: group[key] for key in ("reason", "count", "nodes")} for group in status["prewarm"]["failures"]
    ]
    check_quiet(cluster)


def test_a_never_list_with_failed_images_is_quiet_between_its_rounds() -> None:
    """What is tried again is written; in between nothing is."""
    cluster = Cluster(nodes=2, pulls=failing(ONE))
    cluster.lead()
    cluster.make_list("base", ONE, TWO, kind="Never", parallelism=2)
    cluster.until(lambda: condition(cluster.list_status("base"), "Stalled").get("status") == "True")
    status = cluster.list_status("base")

    assert "ImageNotFound" == condition(status, "Stalled")["reason"]
    assert f"1 of 2 images: {ONE}: 2 of 2 nodes failed" in condition(status, "Stalled")["message"]
    check_quiet(cluster, seconds=10.0)


def test_a_list_s_time_to_live_is_its_own() -> None:
    """The jobs that end first stay until the last has ended (openkruise/kruise#2213); then the list goes, and they."""
    cluster = Cluster(nodes=1, pulls=lambda _node, key, _at: Pull(500.0 if key[0].endswith("two") else 1.0, ""))
    cluster.lead()
    uid = cluster.make_list("base", ONE, TWO, completionPolicy={"ttlSecondsAfterFinished": 30})
    cluster.until(lambda: cluster.children(uid) != {} and "completionTime" in cluster.list_status("base"))
    there = set(cluster.children(uid))
    pulls = cluster.pulls_of("n00", image=ONE)
    cluster.run(60)

    assert {ONE, TWO} == there
    assert 1 == pulls
    assert [] == list(cluster.api.objects(LISTS))
    assert [] == list(cluster.api.objects(JOBS))


def test_an_image_that_is_added_to_a_finished_list_is_pulled_alone() -> None:
    """What is there stays as it is, and the list has finished again when the new one has."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    uid = cluster.make_list("base", ONE, TWO, parallelism=2)
    cluster.until(lambda: has_ended(cluster))
    before, first = cluster.children(uid), cluster.list_status("base")

    cluster.edit_list("base", images=[THREE, ONE, TWO])
    cluster.run(0.5)
    meanwhile = cluster.list_status("base")
    cluster.until(lambda: has_ended(cluster))
    after, second = cluster.children(uid), cluster.list_status("base")

    assert "completionTime" not in meanwhile
    assert [before[ONE], before[TWO]] == [after[ONE], after[TWO]]
    assert [1, 1, 1] == [cluster.pulls_of("n00", image=image) for image in (ONE, TWO, THREE)]
    assert (3, 0, 3, 3) == counts(second)
    assert first["completionTime"] < second["completionTime"]


def test_an_image_that_is_removed_loses_its_job_and_no_other_does() -> None:
    """Its entries go from the nodes."""
    cluster = Cluster(nodes=1)
    leader = cluster.lead()
    uid = cluster.make_list("base", ONE, TWO, kind="Never")
    cluster.until(lambda: condition(cluster.list_status("base"), "Ready").get("status") == "True")
    before = cluster.children(uid)

    cluster.edit_list("base", images=[TWO])
    cluster.run(5)

    assert [TWO] == list(cluster.children(uid))
    assert before[TWO]["metadata"]["uid"] == cluster.children(uid)[TWO]["metadata"]["uid"]
    assert cluster.entry("n00", image=ONE) is None
    assert 1 == cluster.list_status("base")["desired"]
    assert ("base", "Successful delete ImagePullJob") in {(name, event.reason) for name, event in leader.told}


def test_an_edit_changes_its_jobs_in_place() -> None:
    """OpenKruise deletes them all and begins anew."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    uid = cluster.make_list("base", ONE, TWO, kind="Never", parallelism=2)
    cluster.until(lambda: condition(cluster.list_status("base"), "Ready").get("status") == "True")
    before = cluster.children(uid)

    cluster.edit_list("base", pullPolicy={"timeoutSeconds": 77})
    cluster.run(5)
    after = cluster.children(uid)

    assert {77} == {job["spec"]["pullPolicy"]["timeoutSeconds"] for job in after.values()}
    assert {job["metadata"]["uid"] for job in before.values()} == {job["metadata"]["uid"] for job in after.values()}
    assert 77 == (cluster.entry("n00", image=ONE) or {})["pullPolicy"]["timeoutSeconds"]
    check_quiet(cluster)


def test_suspending_a_list_reruns_nothing_that_has_finished() -> None:
    """What runs is suspended, what has finished stays as it is, and resumed the list goes on where it was."""
    cluster = Cluster(nodes=1, pulls=lambda _node, key, _at: Pull(60.0 if key[0].endswith("two") else 1.0, ""))
    cluster.lead()
    uid = cluster.make_list("base", ONE, TWO)
    cluster.until(lambda: cluster.list_status("base").get("completed") == 1)
    finished = cluster.children(uid)[ONE]

    cluster.edit_list("base", prewarm={"suspend": True})
    cluster.run(5)
    suspended = cluster.list_status("base")
    cluster.edit_list("base", prewarm={"suspend": False})
    cluster.until(lambda: has_ended(cluster))

    assert "True" == condition(suspended, "Suspended")["status"]
    assert finished == cluster.children(uid)[ONE]
    assert 1 == cluster.pulls_of("n00", image=ONE)
    assert (2, 0, 2, 2) == counts(cluster.list_status("base"))


def test_a_finished_list_that_is_edited_runs_again() -> None:
    """As a job does (openkruise/kruise#1386): another policy asks every node anew."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    cluster.make_list("base", ONE, TWO)
    cluster.until(lambda: has_ended(cluster))
    first = cluster.list_status("base")
    cluster.run(10)

    cluster.edit_list("base", imagePullPolicy="Always")
    cluster.until(lambda: has_ended(cluster))
    second = cluster.list_status("base")

    assert [2, 2] == [cluster.pulls_of("n00", image=image) for image in (ONE, TWO)]
    assert first["completionTime"] < second["startTime"] <= second["completionTime"]
    check_quiet(cluster)


def test_the_jobs_of_a_finished_list_may_be_deleted() -> None:
    """Whoever tidies up is not undone, as with OpenKruise; a list that goes on gets them back."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    cluster.make_list("base", ONE)
    uid = cluster.make_list("stays", TWO, kind="Never")
    cluster.until(lambda: has_ended(cluster))
    said_before = cluster.list_status("base")

    cluster.delete(job_name("base", image=ONE))
    cluster.delete(job_name("stays", image=TWO))
    cluster.run(20)

    assert [TWO] == list(cluster.children(uid))
    assert 1 == len(list(cluster.api.objects(JOBS)))
    assert said_before == cluster.list_status("base")


def test_jobs_that_openkruise_made_are_its_images_jobs() -> None:
    """By owner and image, whatever they are called, and as long as the list; of two for an image the older stays."""
    cluster = Cluster(nodes=1)
    uid = cluster.make_list("base", ONE, TWO, completionPolicy={"ttlSecondsAfterFinished": 3_000})
    owner = {"apiVersion": "apps.kruise.io/v1alpha1", "kind": "ImageListPullJob", "name": "base", "uid": uid}
    made = []
    for name, image in (("base-x7k2p", ONE), ("base-q1w2e", TWO), ("base-zzzzz", TWO)):
        document = {
            "apiVersion": "apps.kruise.io/v1alpha1",
            "kind": "ImagePullJob",
            "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": [{**owner, "controller": True}]},
            "spec": {"image": image, "completionPolicy": {"ttlSecondsAfterFinished": 5, "type": "Always"}},
        }
        made.append(cluster.api.create(JOBS, document)["metadata"])
        cluster.run(2)
    cluster.lead()
    cluster.until(lambda: has_ended(cluster))
    cluster.run(60)

    assert {ONE: made[0]["uid"], TWO: made[1]["uid"]} == {
        image: job["metadata"]["uid"] for image, job in cluster.children(uid).items()
    }
    assert {1} == {job["metadata"]["generation"] for job in cluster.children(uid).values()}


def test_a_name_that_is_taken_is_said_and_tried_again() -> None:
    """The others go on; when the name is free, the list has its job at once."""
    cluster = Cluster(nodes=1)
    leader = cluster.lead()
    cluster.job(job_name("base", image=ONE), image="registry.example.com/else:v1")
    uid = cluster.make_list("base", ONE, TWO)
    cluster.until(lambda: cluster.list_status("base").get("succeeded") == 1)
    cluster.run(10)
    status = cluster.list_status("base")
    warnings = [event for name, event in leader.told if name == "base" and event.kind == "Warning"]

    cluster.delete(job_name("base", image=ONE))
    cluster.until(lambda: has_ended(cluster), seconds=20)

    assert ("True", "JobsRefused") == tuple(condition(status, "Stalled")[key] for key in ("status", "reason"))
    (failed,) = status["failedImageStatuses"]
    assert (ONE, job_name("base", image=ONE)) == (failed["name"], failed["imagePullJob"])
    assert "is there already and belongs to no ImageListPullJob" in failed["message"]
    assert ["FailedCreate", "Stalled"] == [event.reason for event in warnings]
    assert {ONE, TWO} == set(cluster.children(uid))


def test_a_list_that_is_made_anew_waits_for_the_jobs_of_the_old_one() -> None:
    """Their names are the same; they go, though no garbage collector runs, and nobody is warned."""
    cluster = Cluster(nodes=1)
    leader = cluster.lead()
    cluster.make_list("base", *TWENTY, kind="Never", parallelism=1)
    cluster.run(5)

    cluster.delete_list("base")
    uid = cluster.make_list("base", *TWENTY)
    cluster.until(lambda: has_ended(cluster))

    assert set(TWENTY) == set(cluster.children(uid))
    assert 20 == len(list(cluster.api.objects(JOBS)))
    assert [] == [event for _, event in leader.told if event.kind == "Warning"]


def test_a_deleted_list_s_jobs_go_though_no_garbage_collector_runs() -> None:
    """Also where it was deleted while nobody led; then it is asked for by name first."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    for name in ("one", "two"):
        cluster.make_list(name, ONE, TWO)
    cluster.run(5)

    cluster.delete_list("one")
    cluster.run(3)
    left = {said(job, "metadata", "ownerReferences")[0]["name"] for job in cluster.api.objects(JOBS)}
    cluster.kill()
    cluster.delete_list("two")
    cluster.lead()
    cluster.run(3)

    assert {"two"} == left
    assert [] == list(cluster.api.objects(JOBS))
    assert None is cluster.entry("n00", image=ONE)


def test_jobs_that_were_orphaned_are_left_alone() -> None:
    """With `kubectl delete --cascade=orphan` they lose their owner before the list goes, whoever hears what first."""
    cluster = Cluster(seed=3, nodes=1, weather=ROUGH)
    cluster.lead()
    uid = cluster.make_list("base", ONE, TWO, kind="Never")
    cluster.until(lambda: len(cluster.children(uid)) == 2)
    cluster.run(20)

    def orphaned(found: Json) -> Json:
        metadata = {key: value for key, value in found["metadata"].items() if key != "ownerReferences"}
        return {**found, "metadata": metadata}

    cluster.api.change(LISTS, f"{NAMESPACE}/base", lambda found: _with_finalizers(found, ["orphan"]))
    cluster.delete_list("base")
    cluster.run(20)
    still = len(cluster.children(uid))
    for job in cluster.children(uid).values():
        cluster.api.change(JOBS, f"{NAMESPACE}/{job['metadata']['name']}", orphaned)
    cluster.api.change(LISTS, f"{NAMESPACE}/base", lambda found: _with_finalizers(found, []))
    cluster.run(60)

    assert 2 == still
    assert [] == list(cluster.api.objects(LISTS))
    assert 2 == len(list(cluster.api.objects(JOBS)))
    assert cluster.entry("n00", image=ONE) is not None


def _with_finalizers(found: Json, finalizers: list[str]) -> Json:
    return {**found, "metadata": {**found["metadata"], "finalizers": finalizers}}


def test_the_api_server_s_refusal_of_one_job_holds_up_no_other() -> None:
    """A policy, say; its words stand in the list's status, and the job is made when they have gone."""
    cluster = Cluster(nodes=1)
    cluster.lead()

    def refuses(write: Write) -> ClusterError | None:
        is_it = write.verb is Verb.CREATE and b"team/one" in write.body
        return Denied("the policy says no", code=403) if is_it else None

    cluster.api.refuses = refuses
    cluster.make_list("base", ONE, TWO)
    cluster.until(lambda: cluster.list_status("base").get("succeeded") == 1)
    cluster.run(5)
    status = cluster.list_status("base")
    cluster.api.refuses = lambda _write: None
    cluster.until(lambda: has_ended(cluster), seconds=120)

    assert "the policy says no" == status["failedImageStatuses"][0]["message"]
    assert (2, 0, 2, 2) == counts(cluster.list_status("base"))


@pytest.mark.parametrize("parallelism", [1, 2, "50%"])
def test_list_parallelism_bounds_the_nodes_of_all_images_together(parallelism: int | str) -> None:
    """At any moment no more nodes than it says have a grant of the list that has not ended; and all come to it."""
    cluster = Cluster(nodes=4, pulls=steady(3.0))
    cluster.lead()
    uid = cluster.make_list("base", ONE, TWO, THREE, parallelism=4, prewarm={"listParallelism": parallelism})
    most = 0

    def hear(change: Change) -> None:
        nonlocal most
        if change.resource == IMAGES:
            most = max(most, len(_holding(cluster, uid)))

    cluster.api.watches.append(hear)
    cluster.until(lambda: has_ended(cluster))

    assert (1 if parallelism == 1 else 2) == most
    assert (3, 0, 3, 3) == counts(cluster.list_status("base"))
    check_tallies(cluster)


def _holding(cluster: Cluster, uid: str) -> set[str]:
    """Return the nodes that have an entry of the list's jobs which has not ended."""
    jobs = {job["metadata"]["uid"] for job in cluster.children(uid).values()}
    found = set()
    for image in cluster.api.objects(IMAGES):
        for repository, wanted in (said(image, "spec", "images") or {}).items():
            statuses = said(image, "status", "imageStatuses", repository, "tags") or ()
            for entry in wanted["tags"]:
                has_ended = any(
                    one["version"] == entry["version"] and one["phase"] in {"Succeeded", "Failed"} for one in statuses
                )
                if not has_ended and jobs & {owner["uid"] for owner in entry.get("ownerReferences", ())}:
                    found.add(image["metadata"]["name"])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_a_leader_may_die_at_any_moment(seed: int) -> None:
    """No job is made twice and none is missing, in rough weather, whatever is edited meanwhile."""
    chance = random.Random(seed)  # noqa: S311 - the same seed tells the same story
    cluster = Cluster(seed, nodes=3, weather=ROUGH, pulls=_by_chance(chance))
    cluster.lead()
    uid = cluster.make_list("base", *TWENTY[:8], parallelism=2, prewarm={"listParallelism": 2})
    images = list(TWENTY[:8])
    for _ in range(12):
        cluster.run(chance.choice((0.0, 0.02, 0.1, 0.5, 4.0)))
        cluster.lead()
        cluster.children(uid)
        if chance.random() < 0.4:
            images = sorted(chance.sample(TWENTY, 6))
            cluster.edit_list("base", images=images)
    cluster.until(lambda: has_ended(cluster), seconds=20_000)
    cluster.run(120)

    assert set(images) == set(cluster.children(uid))
    assert (6 if len(images) == 6 else 8) == cluster.list_status("base")["desired"]
    assert {f"base-{image.rpartition('/')[2].replace(':', '-')}" for image in images} == {
        job["metadata"]["name"].rpartition("-")[0] for job in cluster.children(uid).values()
    }
    check_tallies(cluster)


def _by_chance(chance: random.Random) -> Any:  # noqa: ANN401 - as pulls go
    def pulls(_node: str, _key: Key, _at: object) -> Pull:
        return Pull(chance.choice((0.3, 2.0, 9.0)), "")

    return pulls


def test_a_schema_that_drops_our_fields_is_not_written_to_for_ever() -> None:
    """As OpenKruise's CRDs do, in specs and statuses."""
    cluster = Cluster(nodes=2, pulls=failing(ONE, THREE))
    cluster.api.prunes = _pruned
    cluster.lead()
    uid = cluster.make_list("base", THREE, TWO, ONE, parallelism=2, prewarm={"priority": 3})
    cluster.until(lambda: "completionTime" in cluster.list_status("base"))
    cluster.run(30)
    status = cluster.list_status("base")
    before = len(writes_of(cluster))
    cluster.run(60)
    quiet = len(writes_of(cluster))
    cluster.lead()
    cluster.run(60)

    assert before == quiet
    assert {"desired", "active", "completed", "succeeded", "startTime", "completionTime", "failedImageStatuses"} == set(
        status
    )
    assert 3 == len(cluster.children(uid))
    assert status == cluster.list_status("base")
    assert 0 == len(writes_of(cluster))


def _pruned(resource: str, document: Json) -> Json:
    """Return what OpenKruise's schema leaves of a job or a list."""
    if resource not in {JOBS, LISTS}:
        return document
    ours = {"prewarm", "conditions", "observedGeneration"}
    found = {**document, "spec": {key: value for key, value in document["spec"].items() if key not in ours}}
    if "status" in document:
        found["status"] = {key: value for key, value in document["status"].items() if key not in ours}
    return found
