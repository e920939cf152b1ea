"""What a coordinator keeps of an ImageListPullJob, also of one that a schema should not have let pass."""

import msgspec

from daemon.coordinator.decoding import job_of
from daemon.coordinator.lists.decoding import list_of
from tests.unit.coordinator.lists.told import ONE, child, image_list


def test_a_list_is_kept_with_its_wish_and_its_spec_as_it_is_written() -> None:
    """Its images apart from what each of its jobs has."""
    seen = image_list(ONE, parallelism="10%")

    assert ("team", "base", "list", 7) == (seen.namespace, seen.name, seen.uid, seen.version)
    assert seen.wish is not None
    assert (ONE,) == seen.wish.images
    assert {"parallelism": "10%", "completionPolicy": {"type": "Always"}} == seen.template


def test_what_is_wrong_with_a_list_is_kept_in_its_place() -> None:
    """Each error names its field."""
    seen = image_list(ONE, ONE)

    assert (None, {}) == (seen.wish, seen.template)
    assert (f'spec.images[1]: Duplicate value: "{ONE}"',) == seen.problems


def test_a_deletion_that_leaves_the_jobs_is_told_from_others() -> None:
    """By the finalizer that the API server puts on it (metav1.FinalizerOrphanDependents)."""
    plain, orphaning = (
        {"name": "base", "uid": "u", "deletionTimestamp": "2026-01-31T02:00:00Z", "finalizers": finalizers}
        for finalizers in (["foregroundDeletion"], ["orphan"])
    )
    seen = [list_of(msgspec.json.encode({"metadata": metadata})) for metadata in (plain, orphaning)]

    assert [(True, False), (True, True)] == [(one.is_deleting, one.is_orphaning) for one in seen]


def test_a_job_names_the_list_that_controls_it() -> None:
    """One that only owns it, or another group's kind, does not."""
    owner = {"apiVersion": "apps.kruise.io/v1alpha1", "kind": "ImageListPullJob", "name": "base", "uid": "u"}
    owners = [{**owner, "controller": True}, owner, {**owner, "controller": True, "apiVersion": "example.com/v1"}]
    jobs = [
        job_of(msgspec.json.encode({"metadata": {"name": "x", "uid": "x", "ownerReferences": [one]}})) for one in owners
    ]

    assert [("u", "base"), ("", ""), ("", "")] == [(job.list_uid, job.list_name) for job in jobs]
    assert ("list", "base") == (child(ONE).list_uid, child(ONE).list_name)
