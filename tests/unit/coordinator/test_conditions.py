"""A job's conditions, in the field's words: OpenKruise has none (8.2 number 15)."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.imagepulljob import CompletionType
from daemon.api.reasons import NEEDS_A_PERSON, Reason, Word
from daemon.coordinator.account import Account
from daemon.coordinator.conditions import condition
from daemon.coordinator.seen import SeenJob
from daemon.coordinator.verdicts import names
from tests.unit.coordinator.jobs_told import (
    ALWAYS,
    NEVER,
    accounts,
    condition_of,
    reason,
    seen_job,
    seen_jobs,
    status_of,
    with_status,
)


RUNNING = Account(selected=3, warm=1, cold=2, waiting=1, pulling=1, succeeded=1)
WARM = Account(selected=3, warm=3, succeeded=3)
MISSING = Account(selected=2, cold=1, warm=1, succeeded=1, failed=1, failures=(reason("ImageNotFound", 1, "b"),))
AWAY = Account(selected=2, cold=1, warm=1, succeeded=1, failed=1, failures=(reason("RegistryUnavailable", 1, "b"),))
SKIPPED = Account(selected=3, skipped=3, skips=(reason("NoAgent", 2, "a", "b"), reason("NodeNotReady", 1, "c")))
ONE_OFF = Account(selected=4, skipped=1, warm=3, succeeded=3, skips=(reason("NodeLeaving", 1, "d"),))


def _told(job: SeenJob, account: Account, kind: str, *, deadline_passed: bool = False) -> tuple[str, str]:
    found = condition_of(status_of(job, account, deadline_passed=deadline_passed), kind)
    return found["status"], found["reason"]


@given(job=seen_jobs(), account=accounts(), deadline_passed=st.booleans())
def test_every_condition_is_whole_and_there_once(*, job: SeenJob, account: Account, deadline_passed: bool) -> None:
    """Whatever a node says, the API server takes it: a reason is one word, and nothing is left out."""
    conditions = status_of(job, account, deadline_passed=deadline_passed)["conditions"]

    types = [one["type"] for one in conditions]
    assert sorted(set(types)) == sorted(types)
    for one in conditions:
        assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", one["reason"])
        assert {"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"} == one.keys()


@given(job=seen_jobs(), account=accounts(), deadline_passed=st.booleans())
def test_a_job_ends_in_one_way_at_most(*, job: SeenJob, account: Account, deadline_passed: bool) -> None:
    """Complete and Failed exclude each other as a batch/v1 Job's do, and one of them holds when it has ended."""
    status = status_of(job, account, deadline_passed=deadline_passed)

    ends = [condition(status["conditions"], kind).get("status") == "True" for kind in ("Complete", "Failed")]
    assert ("completionTime" in status) == (ends.count(True) == 1)


@given(job=seen_jobs(), account=accounts(), deadline_passed=st.booleans())
def test_ready_is_every_node_that_counts(*, job: SeenJob, account: Account, deadline_passed: bool) -> None:
    """What `kubectl wait` waits for holds exactly when they are warm, and there is one."""
    ready = condition_of(status_of(job, account, deadline_passed=deadline_passed), "Ready")["status"]

    expected = account.selected > account.skipped and account.warm == account.selected - account.skipped
    assert ("True" if expected else "False") == ready


@given(job=seen_jobs(), before=accounts(), now=accounts())
def test_a_condition_keeps_its_time_while_it_stands(*, job: SeenJob, before: Account, now: Account) -> None:
    """Its lastTransitionTime is when the status changed, not when it was written."""
    earlier = status_of(job, before)
    later = status_of(with_status(job, earlier), now, seconds=60)

    times = {one["type"]: (one["status"], one["lastTransitionTime"]) for one in earlier["conditions"]}
    for one in later["conditions"]:
        status, time = times[one["type"]]
        assert (status == one["status"]) == (time == one["lastTransitionTime"])


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (RUNNING, {"Ready": "InProgress", "Complete": "InProgress", "Failed": "InProgress"}),
        (WARM, {"Ready": "AllWarm", "Complete": "Finished", "Failed": "Finished"}),
        (MISSING, {"Ready": "ImageNotFound", "Complete": "NodesFailed", "Failed": "NodesFailed"}),
        (Account(), {"Ready": "NoNodesSelected", "Complete": "NoNodesSelected", "Failed": "NoNodesSelected"}),
        (SKIPPED, {"Ready": "NoAgent", "Complete": "InProgress", "Stalled": "NoAgent"}),
        (ONE_OFF, {"Ready": "AllWarm", "Complete": "Finished", "Stalled": "Finished"}),
    ],
)
def test_an_always_job_says_how_it_goes(account: Account, expected: dict[str, str]) -> None:
    """In progress, finished, failed, without nodes (8.2 number 3), without one that could pull."""
    status = status_of(seen_job(), account)

    assert expected == {kind: condition_of(status, kind)["reason"] for kind in expected}


def test_a_job_past_its_deadline_has_failed() -> None:
    """With its own reason, also where only skipped nodes were left."""
    late = ("True", "DeadlineExceeded")

    assert late == _told(seen_job(), RUNNING, "Failed", deadline_passed=True)
    assert late == _told(seen_job(), SKIPPED, "Failed", deadline_passed=True)
    assert ("False", "DeadlineExceeded") == _told(seen_job(), RUNNING, "Ready", deadline_passed=True)


@pytest.mark.parametrize("account", [RUNNING, WARM, MISSING, AWAY, SKIPPED, Account()])
def test_a_never_job_neither_completes_nor_fails(account: Account) -> None:
    """It goes on for ever, whatever its nodes do."""
    status = status_of(seen_job(completion=NEVER), account, deadline_passed=True)

    assert ["Ready", "Suspended", "Stalled"] == [one["type"] for one in status["conditions"]]
    assert "completionTime" not in status


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (Account(), ("True", "NoNodesSelected")),
        (SKIPPED, ("True", "NoAgent")),
        (MISSING, ("True", "ImageNotFound")),
        (AWAY, ("False", "InProgress")),
        (RUNNING, ("False", "InProgress")),
        (WARM, ("False", "AllWarm")),
    ],
)
def test_a_standstill_is_what_a_person_has_to_mend(account: Account, expected: tuple[str, str]) -> None:
    """A registry that is away comes back by itself, a tag that does not exist does not."""
    assert expected == _told(seen_job(completion=NEVER), account, "Stalled")


@pytest.mark.parametrize("name", list(Reason))
def test_each_failure_that_time_does_not_mend_is_a_standstill(name: Reason) -> None:
    """And no other is."""
    account = Account(selected=1, cold=1, failed=1, failures=(reason(name.value, 1, "a"),))

    status, told = _told(seen_job(completion=NEVER), account, "Stalled")

    assert ("True" if name in NEEDS_A_PERSON else "False") == status
    assert (name if name in NEEDS_A_PERSON else Word.IN_PROGRESS) == told


def test_one_node_that_mends_itself_is_no_standstill() -> None:
    """As long as a failure beside it may pass, or an image that was removed comes back."""
    mixed = Account(
        selected=2, cold=2, failed=2, failures=(reason("ImageNotFound", 1, "a"), reason("RegistryThrottled", 1, "b"))
    )
    refilling = msgspec.structs.replace(MISSING, warm=0, cold=2)

    assert "False" == _told(seen_job(completion=NEVER), mixed, "Stalled")[0]
    assert "False" == _told(seen_job(completion=NEVER), refilling, "Stalled")[0]


@pytest.mark.parametrize("completion", [ALWAYS, NEVER])
def test_nodes_that_take_no_write_are_a_standstill_when_nothing_else_is_left(completion: CompletionType) -> None:
    """They are named; while others go on they hold up nobody (8.2 number 9)."""
    job = seen_job(completion=completion)
    alone = Account(selected=2, warm=1, cold=1, succeeded=1, waiting=1, refused=("b",))
    beside = Account(selected=3, warm=1, cold=2, succeeded=1, waiting=2, refused=("b",))

    stalled = condition_of(status_of(job, alone), "Stalled")

    assert ["True", "NodesRefused", "1 node takes no write: b"] == [
        stalled[name] for name in ("status", "reason", "message")
    ]
    assert "False" == _told(job, beside, "Stalled")[0]


def test_a_standstill_lasts_while_it_is_tried_again() -> None:
    """A round each hour would end and begin it each time, with an event each time."""
    again = Account(selected=2, cold=1, warm=1, succeeded=1, waiting=1)
    job = seen_job(completion=NEVER)
    stalled = status_of(job, MISSING)

    trying = status_of(with_status(job, stalled), again, seconds=60)
    failed = status_of(with_status(job, trying), MISSING, seconds=90)
    mended = status_of(with_status(job, trying), WARM, seconds=90)
    edited = status_of(with_status(job, trying, generation=2), again, seconds=90)

    told = [condition_of(status, "Stalled") for status in (stalled, trying, failed)]
    assert [told[0]] * 3 == told
    assert ["False"] * 2 == [condition_of(status, "Stalled")["status"] for status in (mended, edited)]


def test_another_reason_ends_a_standstill_that_lasted() -> None:
    """Once the round has ended, what it met is what counts."""
    job = seen_job(completion=NEVER)
    stalled = status_of(job, MISSING)

    assert ("False", "InProgress") == _told(with_status(job, stalled), AWAY, "Stalled")


@pytest.mark.parametrize(
    ("job", "account", "message"),
    [
        (seen_job(suspend=True), RUNNING, "spec.prewarm.suspend is true"),
        (seen_job(), msgspec.structs.replace(RUNNING, limit=0), "spec.parallelism is 0, so no further node begins"),
    ],
)
def test_a_suspended_job_says_by_what(job: SeenJob, account: Account, message: str) -> None:
    """It is on purpose, and therefore no standstill."""
    status = status_of(job, account)

    suspended = condition_of(status, "Suspended")
    assert ["True", "Suspended", message] == [suspended[name] for name in ("status", "reason", "message")]
    assert "Suspended" == condition_of(status, "Ready")["reason"]
    assert "False" == condition_of(status, "Stalled")["status"]


def test_a_suspended_job_without_nodes_waits_for_them() -> None:
    """Whoever suspends it wants it later."""
    status = status_of(seen_job(suspend=True), Account())

    assert "completionTime" not in status


@pytest.mark.parametrize(
    ("problem", "expected"),
    [("spec.image: is none", "InvalidReference"), ("spec.parallelism: must be at least 0", "InvalidSpec")],
)
def test_a_spec_that_cannot_be_used_is_a_standstill(problem: str, expected: str) -> None:
    """On loose CRDs such a job can exist; it says so instead of nothing."""
    status = status_of(seen_job(problems=(problem,)), Account())

    stalled = condition_of(status, "Stalled")
    assert ["True", expected, problem] == [stalled[name] for name in ("status", "reason", "message")]
    assert f"job is stalled: {expected}: {problem}" == status["message"]


def test_a_condition_tells_the_reasons_and_one_s_own_words() -> None:
    """So that who reads it knows where to look."""
    account = Account(
        selected=9,
        cold=5,
        warm=4,
        succeeded=4,
        failed=5,
        failures=(reason("DiskLow", 4, "a", "b", "c", "d", message="1 GiB free"), reason("Forbidden", 1, "e")),
    )

    message = condition_of(status_of(seen_job(), account), "Failed")["message"]

    assert "5 of 9 nodes failed: 4 DiskLow (a, b, c and 1 more: 1 GiB free), 1 Forbidden (e)" == message


@pytest.mark.parametrize(
    ("nodes", "count", "expected"),
    [((), 0, ""), ((), 4, ""), (("a",), 1, "a"), (("a", "b", "c", "d"), 4, "a, b, c and 1 more")],
)
def test_few_nodes_are_named_and_the_others_counted(nodes: tuple[str, ...], count: int, expected: str) -> None:
    """A thousand names are no message."""
    assert expected == names(nodes, count=count)
