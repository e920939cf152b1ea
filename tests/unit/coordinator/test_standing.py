"""Where one node stands for one job, by what its NodeImage says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.api.imagepulljob import Refresh
from daemon.api.nodeimage import EndedOwner, EntryPrewarm, ImagePullPolicy, Phase, TagEntry, TagStatus
from daemon.api.reasons import Reason
from daemon.coordinator.reckoning import standing_of
from daemon.coordinator.seen import ImageKey, SeenNodeImage
from daemon.coordinator.silence import Skip
from daemon.coordinator.standing import Group, Stand, Standing, Task
from daemon.entries import tag_entry
from tests.unit.coordinator.claims import REPOSITORY, job


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ImageKey(REPOSITORY, "v1")
IMAGE_ID = f"{REPOSITORY}@sha256:{'a' * 64}"


def task(**given: Any) -> Task:  # noqa: ANN401 - what claims.job takes
    """Return what a job asks."""
    return Task(job=job(**given), key=KEY)


def entry(one: Task, *, version: int = 1, at: datetime = NOON, **prewarm: Any) -> TagEntry:  # noqa: ANN401 - EntryPrewarm's members
    """Return the entry of a job's grant."""
    made = tag_entry(one.job, now=at, version=version, spread=0.0)[1]
    return replace(made, prewarm=EntryPrewarm(**prewarm)) if prewarm else made


def said(phase: Phase, *, version: int = 1, at: datetime = NOON, image_id: str = "", reason: str = "") -> TagStatus:
    """Return what a node says."""
    ended_at = at if phase in {Phase.SUCCEEDED, Phase.FAILED} else None
    return TagStatus(
        tag="v1",
        phase=phase,
        version=version,
        start_time=at,
        completion_time=ended_at,
        image_id=image_id,
        reason=reason,
    )


def stand(
    one: Task,
    found: TagEntry | None,
    status: TagStatus | None = None,
    *,
    before: Standing | None = None,
    is_sent: bool = False,
    skip: Skip | None = None,
    now: datetime = NOON + HOUR,
) -> Standing:
    """Tell where the node stands."""
    image = SeenNodeImage(
        name="n1",
        uid="u1",
        entries={} if found is None else {KEY: found},
        statuses={} if status is None else {KEY: status},
    )
    return standing_of(one, node="n1", image=image, skip=skip, is_sent=is_sent, before=before, now=now)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (None, (Stand.WAITING, Group.COLD)),
        (said(Phase.SUCCEEDED, image_id=IMAGE_ID), (Stand.WAITING, Group.STALE)),
        (said(Phase.FAILED), (Stand.WAITING, Group.COLD)),
    ],
)
def test_a_node_without_an_entry_waits(status: TagStatus | None, wanted: tuple[Stand, Group]) -> None:
    """It takes no slot and may have one; whether an image lies there tells stale from cold."""
    found = stand(task(), None, status)

    assert wanted == (found.stand, found.group)
    assert (True, False) == (found.is_candidate, found.holds_slot)


def test_another_jobs_entry_is_no_grant() -> None:
    """Only an owner has one."""
    assert Stand.WAITING is stand(task(uid="b"), entry(task(uid="a")), said(Phase.PULLING)).stand


def test_a_grant_that_is_sent_takes_its_slot_before_it_is_there() -> None:
    """Whatever the NodeImage says yet."""
    found = [stand(task(), None, is_sent=True), stand(task(), entry(task()), said(Phase.SUCCEEDED), is_sent=True)]

    assert [True, True] == [one.holds_slot for one in found]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (None, Stand.GRANTED),
        (said(Phase.WAITING), Stand.GRANTED),
        (said(Phase.PULLING), Stand.PULLING),
        (said(Phase.SUCCEEDED, version=0, image_id=IMAGE_ID), Stand.GRANTED),
        (said(Phase.FAILED, reason=Reason.AGENT_SILENT), Stand.GRANTED),
    ],
)
def test_a_grant_that_has_not_ended_takes_a_slot(status: TagStatus | None, wanted: Stand) -> None:
    """Only a status of the entry's version counts, and a silence that the coordinator has told is no end."""
    found = stand(task(), entry(task()), status)

    assert (wanted, True) == (found.stand, found.holds_slot)


def test_an_end_is_warm_stale_or_cold() -> None:
    """By the phase, and by what lies on the node."""
    one = task()
    statuses = [
        said(Phase.SUCCEEDED, image_id=IMAGE_ID),
        said(Phase.FAILED, image_id=IMAGE_ID, at=NOON + HOUR),
        said(Phase.FAILED, at=NOON + HOUR),
    ]

    found = [stand(one, entry(one), status) for status in statuses]

    assert [
        (Stand.SUCCEEDED, Group.WARM),
        (Stand.FAILED, Group.STALE),
        (Stand.FAILED, Group.COLD),
    ] == [(each.stand, each.group) for each in found]


def test_a_suspended_grant_takes_no_slot_until_its_job_is_resumed() -> None:
    """Then it counts at once, also before the entry says so: no other is granted in its place."""
    held, resumed = task(suspend=True), task()
    suspended = entry(held)

    found = [stand(one, suspended, said(Phase.WAITING, reason=Reason.SUSPENDED)) for one in (held, resumed)]

    assert [False, True] == [one.holds_slot for one in found]


def test_a_node_that_is_left_out_is_in_no_other_group_and_takes_no_slot() -> None:
    """Whatever it was granted."""
    found = stand(task(), entry(task()), said(Phase.PULLING), skip=Skip(Reason.NODE_NOT_READY))

    assert (Group.SKIPPED, False, False) == (found.group, found.holds_slot, found.is_candidate)


def test_an_image_that_is_pulled_again_under_its_version_is_no_grant() -> None:
    """Kept warm: it had ended, takes no slot, and keeps its end until it has another."""
    one = task()
    ended = stand(one, entry(one), said(Phase.SUCCEEDED, image_id=IMAGE_ID))

    again = stand(one, entry(one), said(Phase.PULLING), before=ended)

    assert (Stand.SUCCEEDED, False) == (again.stand, again.holds_slot)


def test_a_due_node_whose_image_is_pulled_again_still_waits_for_its_turn() -> None:
    """It neither takes a slot by that nor loses its place."""
    one = task(refresh=Refresh(schedule="0 13 * * *"))
    due = stand(one, entry(one), said(Phase.SUCCEEDED, image_id=IMAGE_ID), now=NOON + 2 * HOUR)

    again = stand(one, entry(one), said(Phase.PULLING), before=due, now=NOON + 2 * HOUR)

    assert (True, True) == (due.is_candidate, again.is_candidate)


def test_an_owner_that_ended_before_a_version_stays_ended_while_it_runs() -> None:
    """Another job's renewal opens nothing again."""
    one = task()
    shared = entry(one, version=7, ended=(EndedOwner(uid="a", phase=Phase.SUCCEEDED),))

    assert Stand.SUCCEEDED is stand(one, shared, said(Phase.PULLING, version=7, image_id=IMAGE_ID)).stand


@pytest.mark.parametrize(("is_never", "wanted"), [(True, Stand.FAILED), (False, Stand.SUCCEEDED)])
def test_an_image_that_is_lost_in_anothers_turn_is_tried_again_for_who_goes_on(is_never: bool, wanted: Stand) -> None:  # noqa: FBT001 - a case
    """A Never job is not done with a node that has no image; an Always job had its turn."""
    one = task(is_never=is_never)
    shared = entry(one, version=7, ended=(EndedOwner(uid="a", phase=Phase.SUCCEEDED),))
    lost = said(Phase.FAILED, version=7, at=NOON + HOUR)

    assert wanted is stand(one, shared, lost).stand


def test_what_an_earlier_run_brought_counts_no_more_once_it_has_ended() -> None:
    """A pull of before still takes its slot; its end is no answer."""
    one = replace(task(is_never=False), rerun_at=NOON + HOUR)

    found = [stand(one, entry(one), said(phase, image_id=IMAGE_ID)) for phase in (Phase.PULLING, Phase.SUCCEEDED)]

    assert [(Stand.PULLING, True), (Stand.WAITING, False)] == [(each.stand, each.holds_slot) for each in found]


def test_an_end_without_asking_is_no_answer_to_a_job_that_asks_always() -> None:
    """Nor is a pull without asking free of its slot."""
    asking = task(asks_always=True)
    lax = replace(entry(asking), image_pull_policy=ImagePullPolicy.IF_NOT_PRESENT)

    found = [stand(asking, lax, said(phase, image_id=IMAGE_ID)) for phase in (Phase.PULLING, Phase.SUCCEEDED)]

    assert [(Stand.PULLING, True), (Stand.WAITING, False)] == [(each.stand, each.holds_slot) for each in found]


def test_a_renewal_falls_due_at_its_fire_and_lapses_with_its_window() -> None:
    """Until then it is warm; due it is stale and waits; after the window it is warm again until the next fire."""
    one = task(refresh=Refresh(schedule="0 13 * * *", starting_deadline_seconds=3600))
    status = said(Phase.SUCCEEDED, image_id=IMAGE_ID)

    early, due, late = (stand(one, entry(one), status, now=NOON + hours * HOUR) for hours in (0.5, 1.5, 2.5))

    assert [Group.WARM, Group.STALE, Group.WARM] == [each.group for each in (early, due, late)]
    assert (NOON + HOUR, NOON + 2 * HOUR, NOON + 25 * HOUR) == (
        early.due_at,
        due.due_at and due.due_at.replace(microsecond=0),
        late.due_at,
    )
    assert (True, True) == (due.is_renewal, due.is_candidate)


def test_a_failed_node_waits_for_its_next_round() -> None:
    """A minute after the failure it is due, with the next round's number."""
    one = task()
    status = said(Phase.FAILED, reason="RegistryUnavailable")

    before, after = (stand(one, entry(one), status, now=NOON + timedelta(seconds=seconds)) for seconds in (59, 60))

    assert (Stand.FAILED, NOON + timedelta(minutes=1)) == (before.stand, before.due_at)
    assert (Stand.WAITING, 1) == (after.stand, after.round)


def test_a_failed_node_of_an_always_job_stays_failed() -> None:
    """It has one turn."""
    found = stand(task(is_never=False), entry(task(is_never=False)), said(Phase.FAILED), now=NOON + 24 * HOUR)

    assert (Stand.FAILED, None) == (found.stand, found.due_at)
