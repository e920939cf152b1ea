"""What is suspended and resumed, and what is left alone because an edit would do harm."""

import json

import msgspec
import pytest

from daemon.overview.documents import Job
from daemon.overview.jobs import job_of, list_of
from daemon.overview.switching import Course, is_taken, steps_for, suspension, told, unheard
from tests.unit.overview.objects import at, job


ON = {"suspend": True}
OF_A_LIST = {"ownerReferences": [{"kind": "ImageListPullJob", "name": "nightly", "uid": "l1", "controller": True}]}
FINISHED = {"desired": 1, "completionTime": at(0)}


def course(found: Job, *, is_suspending: bool) -> Course:
    """Return what is done about one job."""
    (step,) = steps_for([found], is_suspending=is_suspending)
    return step.course


@pytest.mark.parametrize(
    ("found", "suspending", "resuming"),
    [
        (job(), Course.CHANGE, Course.SAME),
        (job(prewarm=ON), Course.SAME, Course.CHANGE),
        (job(FINISHED, kind="Always"), Course.FINISHED, Course.SAME),
        (job(FINISHED, kind="Always", prewarm=ON), Course.SAME, Course.FINISHED),
        (job(FINISHED, kind="Never"), Course.CHANGE, Course.SAME),
        (
            job(metadata=OF_A_LIST),
            Course.FOLLOWS,
            Course.FOLLOWS,
        ),
    ],
    ids=["running", "suspended", "finished", "finished suspended", "never", "of a list"],
)
def test_only_what_has_to_be_changed_is(found: bytes, suspending: Course, resuming: Course) -> None:
    """One that has finished would run again after an edit, and one of a list does as its list does."""
    read = job_of(found)

    assert (suspending, resuming) == (course(read, is_suspending=True), course(read, is_suspending=False))


def test_one_field_is_patched() -> None:
    """By a merge patch that touches nothing else, and as a trial where one is asked for."""
    write = suspension("/apis/x/jobs/a", is_suspending=True, is_trial=False)
    trial = suspension("/apis/x/jobs/a", is_suspending=False, is_trial=True)

    assert ({"spec": {"prewarm": {"suspend": True}}}, "/apis/x/jobs/a") == (json.loads(write.body), write.path)
    assert ({"spec": {"prewarm": {"suspend": False}}}, "/apis/x/jobs/a?dryRun=All") == (
        json.loads(trial.body),
        trial.path,
    )
    assert "application/merge-patch+json" == write.content_type


def test_each_is_told_in_a_line() -> None:
    """With its kind, name and namespace, and what was done."""
    (step,) = steps_for([job_of(job())], is_suspending=True)

    line = "imagepulljob.apps.kruise.io/base -n team: suspended"
    assert line == told(step, is_suspending=True, is_trial=False)
    assert f"{line} (server dry run)" == told(step, is_suspending=True, is_trial=True)


def test_a_list_is_told_as_one() -> None:
    """By its own kind."""
    content = msgspec.json.encode({"metadata": {"name": "nightly", "namespace": "team"}, "spec": {"images": ["a"]}})
    (step,) = steps_for([list_of(content)], is_suspending=True)

    assert told(step, is_suspending=True, is_trial=False).startswith("imagelistpulljob.apps.kruise.io/nightly ")


def test_an_answer_without_the_field_is_not_taken_for_suspended() -> None:
    """OpenKruise's CRDs drop it, and nothing would stop."""
    answered = job_of(job())

    assert not is_taken(answered, is_suspending=True)
    assert is_taken(job_of(job(prewarm=ON)), is_suspending=True)
    assert "unchanged: the CRDs here have no spec.prewarm" in unheard(answered)
