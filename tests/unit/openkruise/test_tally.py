"""How the stand-in counts a job's nodes."""

from datetime import timedelta

import msgspec
import pytest
from msgspec import UNSET

from tests.servers.openkruise.manager_job import CompletionPolicy, Expression, Selector
from tests.servers.openkruise.manager_nodeimage import SecretReference
from tests.servers.openkruise.manager_pace import Pace
from tests.servers.openkruise.manager_selection import selected
from tests.servers.openkruise.manager_tally import slots, tally
from tests.unit.openkruise.given import NOW, PACE, entry, job, node_image, status


DONE = node_image("node-a", entries=(entry(),), statuses=(status(),))
FAILED = node_image("node-b", entries=(entry(),), statuses=(status(phase="Failed"),))
OPEN = node_image("node-c", entries=(entry(version=1),), statuses=(status(),))
BARE = node_image("node-d")


def test_a_node_counts_by_its_answer_to_the_version_asked_for() -> None:
    """An answer to another version is none."""
    found = tally(job(), node_images=[DONE, FAILED, OPEN, BARE], pace=PACE)

    assert ("node-d",) == found.not_synced
    assert (4, 1, 1, 1) == (found.status.desired, found.status.active, found.status.succeeded, found.status.failed)
    assert ("node-b",) == found.status.failed_nodes
    assert "job is running, progress 50.0%" == found.status.message
    assert NOW == found.status.start_time
    assert UNSET is found.status.completion_time


def test_an_always_job_completes_with_its_last_node() -> None:
    """A failure is an end."""
    found = tally(job(), node_images=[DONE, FAILED], pace=PACE)

    assert (NOW, "job has completed") == (found.status.completion_time, found.status.message)


def test_a_never_job_never_completes() -> None:
    """It says 100 % and goes on."""
    found = tally(job(completion=CompletionPolicy(type="Never")), node_images=[DONE], pace=PACE)

    assert (UNSET, "job is running, progress 100.0%") == (found.status.completion_time, found.status.message)


def test_no_node_is_the_end_of_an_always_job_at_once() -> None:
    """Nothing is left to do."""
    assert NOW == tally(job(), node_images=[], pace=PACE).status.completion_time


def test_at_the_deadline_all_that_is_not_done_has_failed() -> None:
    """Not sorted."""
    started = job(completion=CompletionPolicy(active_deadline_seconds=60))
    begun = msgspec.structs.replace(started, status=msgspec.structs.replace(started.status, start_time=NOW))

    found = tally(begun, node_images=[DONE, FAILED, OPEN, BARE], pace=Pace(now=NOW + timedelta(seconds=6), speed=10))

    assert ("node-b", "node-c", "node-d") == found.status.failed_nodes
    assert (0, 3) == (found.status.active, found.status.failed)
    assert "job exceeds activeDeadlineSeconds" == found.status.message


def test_a_node_without_a_secret_is_not_synced_and_counts_all_the_same() -> None:
    """Twice, as OpenKruise has it."""
    found = tally(job(), node_images=[DONE], secrets=[SecretReference(namespace="n", name="s")], pace=PACE)

    assert (("node-a",), 1) == (found.not_synced, found.status.succeeded)


@pytest.mark.parametrize(("parallelism", "expected"), [(None, 0), (0, 0), (1, 0), (3, 2), ("4", 3)])
def test_an_active_node_takes_a_slot(parallelism: int | str | None, expected: int) -> None:
    """One at a time where the job does not say."""
    wide = job(parallelism=parallelism)

    assert expected == slots(wide, status=tally(wide, node_images=[OPEN], pace=PACE).status)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, ["node-a", "node-d"]),
        (Selector(), ["node-a", "node-d"]),
        (Selector(names=("node-d", "node-z")), ["node-d"]),
        (Selector(match_labels={"zone": "b"}), []),
        (Selector(match_expressions=(Expression(key="zone", operator="In", values=("a",)),)), ["node-a", "node-d"]),
        (Selector(match_expressions=(Expression(key="zone", operator="NotIn", values=("a",)),)), []),
        (Selector(match_expressions=(Expression(key="zone", operator="Exists"),)), ["node-a", "node-d"]),
        (Selector(match_expressions=(Expression(key="zone", operator="DoesNotExist"),)), []),
    ],
)
def test_a_job_selects_node_images(selector: Selector | None, expected: list[str]) -> None:
    """By name or by label; a name that is not there is skipped."""
    found = selected(job(selector=selector), node_images=[BARE, DONE])

    assert expected == [each.metadata.name for each in found]
