"""What a list makes of its jobs: the least that has to be done, in the list's order."""

from typing import Any

import pytest

from daemon.coordinator.lists.plan import Amendment, Plan, plan_of, spec_of
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.seen import SeenJob
from tests.unit.coordinator.lists.told import ONE, THREE, TWO, child, image_list


FINISHED = {"completionTime": "2026-01-31T03:00:00Z", "observedGeneration": 1}


def planned(seen: SeenList, *children: SeenJob, **options: Any) -> Plan:  # noqa: ANN401
    """Return the plan of a list that goes on."""
    return plan_of(seen, children, **{"is_over": False, **options})


def test_missing_images_are_made_in_the_list_s_order() -> None:
    """What is there stays."""
    there = child(TWO)

    assert Plan(jobs={TWO: there}, creates=(THREE, ONE)) == planned(image_list(THREE, TWO, ONE), there)


def test_a_job_s_spec_is_the_list_s_less_what_is_the_list_s_own() -> None:
    """No time to live of its own, no bound of the whole; the rest as it is written, unknown fields too."""
    seen = image_list(
        ONE,
        completionPolicy={"ttlSecondsAfterFinished": 5, "activeDeadlineSeconds": 900},
        prewarm={"listParallelism": 3, "priority": 2},
        parallelism="10%",
        later=True,
    )

    assert {
        "image": ONE,
        "completionPolicy": {"type": "Always", "activeDeadlineSeconds": 900},
        "prewarm": {"priority": 2},
        "parallelism": "10%",
        "later": True,
    } == spec_of(seen, image=ONE)
    assert "prewarm" not in spec_of(image_list(ONE, prewarm={"listParallelism": 3}), image=ONE)


def test_an_image_s_job_is_known_by_its_text_whatever_it_is_called() -> None:
    """OpenKruise's are called by chance; of several the oldest counts, and the others go."""
    younger, older = child(ONE, name="base-x7k2p", uid="a", seconds=9), child(ONE, name="base-q1w2e", uid="b")

    assert Plan(jobs={ONE: older}, deletes=(younger,)) == planned(image_list(ONE), younger, older)


def test_a_job_of_no_listed_image_is_deleted() -> None:
    """Its image was taken off the list."""
    gone = child(TWO)

    assert (gone,) == planned(image_list(ONE), child(ONE), gone).deletes


def test_a_job_that_is_being_deleted_is_no_image_s() -> None:
    """Its image is made anew, and it is not deleted again."""
    going = child(ONE, metadata={"deletionTimestamp": "2026-01-31T03:00:00Z"})

    assert Plan(creates=(ONE,)) == planned(image_list(ONE), going)


def test_a_job_whose_image_was_edited_by_hand_is_put_back() -> None:
    """It is known by its name; one of OpenKruise's is told by its image alone, so it goes and another comes."""
    edited = child("nginx:1", name=child(ONE).name)
    other = child("nginx:2", name="base-x7k2p", uid="b")
    plan = planned(image_list(ONE, TWO), edited, other)

    assert ((Amendment(image=ONE, job=edited),), (other,), (TWO,)) == (plan.amends, plan.deletes, plan.creates)


@pytest.mark.parametrize(
    "edit",
    [
        {"parallelism": 5},
        {"prewarm": {"suspend": True}},
        {"prewarm": {"priority": 5}},
        {"imagePullPolicy": "Always"},
        {"pullPolicy": {"timeoutSeconds": 7}},
        {"selector": {"names": ["n1"]}},
        {"completionPolicy": {"activeDeadlineSeconds": 900}},
        {"kind": "Never"},
    ],
    ids=str,
)
def test_an_edit_reaches_a_job_that_goes_on(edit: dict[str, Any]) -> None:
    """In place: it is the same job."""
    there = child(ONE)

    assert Plan(jobs={ONE: there}, amends=(Amendment(image=ONE, job=there),)) == planned(image_list(ONE, **edit), there)


@pytest.mark.parametrize(
    "edit",
    [
        {"parallelism": 5},
        {"prewarm": {"suspend": True}},
        {"prewarm": {"priority": 5}},
        {"prewarm": {"listParallelism": 5}},
        {"completionPolicy": {"ttlSecondsAfterFinished": 5}},
    ],
    ids=str,
)
def test_how_it_would_go_on_does_not_run_a_finished_job_again(edit: dict[str, Any]) -> None:
    """An edit would."""
    there = child(ONE, status=FINISHED)

    assert Plan(jobs={ONE: there}) == planned(image_list(ONE, **edit), there)


def test_another_policy_runs_a_finished_job_again() -> None:
    """As an edit of the job would (openkruise/kruise#1386)."""
    there = child(ONE, status=FINISHED)

    assert 1 == len(planned(image_list(ONE, imagePullPolicy="Always"), there).amends)


def test_a_time_to_live_of_openkruise_s_does_not_matter() -> None:
    """A list's job has none, whatever it says: nothing is written for it."""
    theirs = child(ONE, completionPolicy={"ttlSecondsAfterFinished": 5})

    assert Plan(jobs={ONE: theirs}) == planned(image_list(ONE), theirs)


def test_what_was_written_is_not_written_again() -> None:
    """A schema may have dropped a part of it."""
    pruned = child(ONE)

    assert () == planned(image_list(ONE, prewarm={"priority": 5}), pruned, settled={pruned.uid}).amends


def test_a_finished_list_makes_nothing_anew() -> None:
    """What somebody has deleted of it stays away, as with OpenKruise."""
    there = child(ONE, status=FINISHED)

    assert Plan(jobs={ONE: there}) == planned(image_list(ONE, TWO), there, is_over=True)


def test_a_list_that_can_t_be_used_leaves_its_jobs_as_they_are() -> None:
    """The schema of OpenKruise lets it pass."""
    assert Plan() == planned(image_list(ONE, ONE), child(ONE))
