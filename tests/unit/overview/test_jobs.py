"""What is shown of a job is what its object says, whoever wrote it and however odd a part of it is."""

from typing import Any

import msgspec
import pytest

from daemon.coordinator.account import Account, ReasonCount
from daemon.coordinator.decoding import job_of as seen_job_of
from daemon.coordinator.jobstatus import next_status
from daemon.overview.documents import Bytes, Counts, Digest, FailedImage, Job, ReasonGroup
from daemon.overview.jobs import in_order, is_finished, job_of, list_of
from tests.unit.overview.objects import IMAGE, NOW, at, job


ACCOUNT = Account(
    selected=10,
    warm=4,
    stale=2,
    cold=3,
    skipped=1,
    waiting=2,
    pulling=2,
    succeeded=4,
    failed=1,
    failed_nodes=("n9",),
    failures=(ReasonCount(reason="DiskLow", count=1, nodes=("n9",), message="no space", retry_at=NOW),),
    skips=(ReasonCount(reason="NodeNotReady", count=1, nodes=("n8",), message="not Ready"),),
    digests=(("sha256:1", 4), ("sha256:2", 2)),
    bytes_done=10,
    bytes_total=40,
    pull_seconds=30.0,
    limit=2,
)


def written(account: Account = ACCOUNT, **spec: Any) -> Job:  # noqa: ANN401 - JSON
    """Return a job with the status that a coordinator writes."""
    status = next_status(seen_job_of(job(**spec)), account, now=NOW, deadline_passed=False)
    return job_of(job(status, **spec))


def test_what_a_coordinator_writes_is_shown_whole() -> None:
    """Counts, reasons, digests, bytes and times are those of the status."""
    found = written(parallelism=2)

    assert Counts(selected=10, warm=4, stale=2, cold=3, skipped=1) == found.nodes
    assert ("4/10", 2, 2, 1) == (found.summary, found.pulling, found.waiting, found.failed)
    assert (Bytes(done=10, total=40), found.is_observed) == (found.bytes, True)
    assert (Digest(digest="sha256:1", nodes=4), Digest(digest="sha256:2", nodes=2)) == found.digests
    failed = ReasonGroup(reason="DiskLow", count=1, nodes=("n9",), message="no space", retry_at=NOW)
    assert ((failed,), "InProgress") == (found.failures, found.reason)
    assert found.eta is not None


def test_the_spec_is_shown_beside_it() -> None:
    """Image, policy, parallelism and the additions of a job's spec."""
    prewarm = {"suspend": True, "priority": 5, "gate": True, "refresh": {"schedule": "0 2 * * *", "timeZone": "UTC"}}

    found = job_of(job(parallelism="10%", imagePullPolicy="Always", prewarm=prewarm))

    assert (IMAGE, "Never", "Always", "10%") == (
        found.image,
        found.completion,
        found.image_pull_policy,
        found.parallelism,
    )
    assert (True, 5, True, "0 2 * * *", "UTC") == (
        found.is_suspended,
        found.priority,
        found.is_gating,
        found.schedule,
        found.time_zone,
    )


def test_a_status_of_openkruise_gives_what_it_has() -> None:
    """Its counts are shown, and what its CRDs do not keep is null and not zero."""
    found = job_of(job({"desired": 8, "active": 2, "succeeded": 5, "failed": 1, "message": "job is running"}))

    assert ("5/8", 2, 1, None, None) == (found.summary, found.active, found.failed, found.nodes, found.waiting)
    assert found.is_observed


@pytest.mark.parametrize(
    ("status", "generation", "expected"),
    [
        (None, 1, False),
        ({"desired": 1, "observedGeneration": 1}, 2, False),
        ({"desired": 1, "observedGeneration": 2}, 2, True),
    ],
    ids=["no status", "of an earlier spec", "of this spec"],
)
def test_whether_a_status_is_about_the_spec_is_told(
    status: dict[str, object] | None, generation: int, *, expected: bool
) -> None:
    """A spec that no coordinator has looked at is not shown as if its status were its own."""
    assert expected == job_of(job(status, generation=generation)).is_observed


def test_one_odd_field_hides_nothing_else() -> None:
    """A status that another has written wrongly costs the field alone."""
    odd = {"desired": 3, "succeeded": "two", "prewarm": {"summary": 7, "nodes": {"warm": 2, "cold": 1}, "eta": "soon"}}

    found = job_of(job(odd, parallelism=[1]))

    assert (3, None, None) == (found.desired, found.succeeded, found.eta)
    assert Counts(selected=3, warm=2, cold=1) == found.nodes


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"metadata": {}}', b'{"metadata": {"name": 1}}'])
def test_what_is_no_job_is_refused(content: bytes) -> None:
    """An object without a name is none."""
    with pytest.raises(ValueError, match=r"name|metadata"):
        job_of(content)


def test_a_job_knows_its_list() -> None:
    """It is the one that controls it; another owner of that kind is none."""
    owner = {"kind": "ImageListPullJob", "name": "nightly", "uid": "l1"}

    own = job_of(job(metadata={"ownerReferences": [{**owner, "controller": True}]}))
    other = job_of(job(metadata={"ownerReferences": [owner]}))

    assert ("nightly", "l1") == (own.list, own.list_uid)
    assert ("", "") == (other.list, other.list_uid)


def test_jobs_of_a_list_are_behind_it_in_its_order() -> None:
    """Whatever they are called; others by name, and a namesake's jobs of earlier days behind."""
    nightly = _list("nightly", images=["c:1", "a:1", "b:1"])
    children = [_child(f"nightly-{image[0]}", image=image) for image in ("a:1", "b:1", "c:1")]
    base, zebra = job_of(job(name="base")), job_of(job(name="zebra"))

    found = in_order((nightly,), jobs=(zebra, *children, base), known=(nightly,))

    names = [each.name for each in found]
    assert ["base", "nightly", "nightly-c", "nightly-a", "nightly-b", "zebra"] == names


def _list(name: str, *, images: list[str]) -> Job:
    metadata = {"name": name, "namespace": "team", "uid": f"uid-{name}"}
    return list_of(msgspec.json.encode({"metadata": metadata, "spec": {"images": images}}))


def _child(name: str, *, image: str) -> Job:
    owner = {"kind": "ImageListPullJob", "name": "nightly", "uid": "uid-nightly", "controller": True}
    return job_of(job(name=name, image=image, metadata={"ownerReferences": [owner]}))


def test_a_list_counts_images() -> None:
    """READY is images of images, and each that failed is named."""
    failed = {"imagePullJob": "nightly-1", "name": "b:1", "message": "no such tag"}
    content = msgspec.json.encode(
        {
            "metadata": {"name": "nightly", "namespace": "team", "uid": "l1"},
            "spec": {"images": ["a:1", "b:1"], "completionPolicy": {"type": "Always"}},
            "status": {"desired": 2, "active": 0, "completed": 2, "succeeded": 1, "failedImageStatuses": [failed]},
        }
    )

    found = list_of(content)

    assert (("a:1", "b:1"), "1/2", 1) == (found.images, found.summary, found.failed)
    assert (FailedImage(image="b:1", job="nightly-1", message="no such tag"),) == found.failed_images


@pytest.mark.parametrize(("kind", "expected"), [("Always", True), ("Never", False)])
def test_a_job_that_goes_on_for_ever_has_not_finished(kind: str, *, expected: bool) -> None:
    """Whoever wrote a completionTime."""
    assert expected == is_finished(job_of(job({"desired": 1, "completionTime": at(0)}, kind=kind)))


def test_a_finished_job_that_was_edited_runs_again() -> None:
    """Its completionTime is of the run before."""
    status = {"desired": 1, "completionTime": at(0), "observedGeneration": 1}

    assert not is_finished(job_of(job(status, kind="Always", generation=2)))
