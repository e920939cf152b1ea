"""A job's status: OpenKruise's fields and words as they are there, ours beside them, and when it is written."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.imagepulljob import CompletionType
from daemon.coordinator.account import Account
from daemon.coordinator.jobstatus import (
    Urgency,
    is_finished,
    next_status,
    said_before,
    stands,
    status_patch,
    urgency_of,
)
from daemon.coordinator.seen import SeenJob
from tests.unit.coordinator.jobs_told import (
    ALWAYS,
    NEVER,
    NOW,
    Status,
    accounts,
    after,
    condition_of,
    reason,
    seen_job,
    seen_jobs,
    status_of,
    with_status,
)


RUNNING = Account(selected=4, warm=1, cold=2, skipped=1, waiting=1, pulling=1, succeeded=1, limit=1)
DONE = Account(selected=3, warm=3, succeeded=3)
COUNTS = ("desired", "active", "succeeded", "failed")


def _merged(target: object, patch: object) -> object:
    """Apply a merge patch as RFC 7386 has it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found


def _patched(status: Status, wanted: Status) -> Any:  # noqa: ANN401 - decoded JSON
    """Return what an API server makes of the patch."""
    return _merged(status, status_patch(seen_job(status), wanted)["status"])


def _without_ours(status: Status) -> Status:
    """Leave what OpenKruise's CRDs know."""
    return {name: status[name] for name in status.keys() - {"prewarm", "conditions", "observedGeneration"}}


@given(job=seen_jobs(), account=accounts(), deadline_passed=st.booleans())
def test_the_counts_add_up_whatever_the_nodes_do(*, job: SeenJob, account: Account, deadline_passed: bool) -> None:
    """Every selected node is in one of four groups, and every one that counts in one of the other counts."""
    status = status_of(job, account, deadline_passed=deadline_passed)

    nodes, prewarm = status["prewarm"]["nodes"], status["prewarm"]
    assert account.selected == sum(nodes.values())
    assert account.selected - nodes["skipped"] == status["desired"]
    assert status["desired"] == status["active"] + prewarm["waiting"] + status["succeeded"] + status["failed"]
    assert f"{nodes['warm']}/{account.selected}" == prewarm["summary"]


@given(job=seen_jobs(), account=accounts(), deadline_passed=st.booleans())
def test_every_count_is_written_also_when_it_is_none(*, job: SeenJob, account: Account, deadline_passed: bool) -> None:
    """OpenKruise's clients read a 0, and nothing in a status is null."""
    status = status_of(job, account, deadline_passed=deadline_passed)

    assert [int] * 4 == [type(status[name]) for name in COUNTS]
    assert None not in status.values()
    assert None not in status["prewarm"].values()


@given(job=seen_jobs(), account=accounts(), deadline_passed=st.booleans(), seconds=st.integers(0, 100_000))
def test_a_status_that_is_written_is_not_written_again(
    *, job: SeenJob, account: Account, deadline_passed: bool, seconds: int
) -> None:
    """The same nodes give the same status later on, but for an eta that has passed."""
    first = status_of(job, account, deadline_passed=deadline_passed)
    second = status_of(with_status(job, first), account, seconds=seconds, deadline_passed=deadline_passed)

    for status in (first, second):
        status["prewarm"].pop("eta", None)
    assert first == second


@given(job=seen_jobs(), before=accounts(), now=accounts(), deadline_passed=st.booleans())
def test_a_patch_makes_the_one_status_of_the_other(
    *, job: SeenJob, before: Account, now: Account, deadline_passed: bool
) -> None:
    """What has vanished is null in it, at any depth, and what is the same is left out."""
    earlier = status_of(job, before)
    wanted = status_of(with_status(job, earlier), now, seconds=60, deadline_passed=deadline_passed)

    patch = status_patch(with_status(job, earlier), wanted)

    assert wanted == _merged(earlier, patch["status"])
    assert {"resourceVersion": "8"} == patch["metadata"]
    assert {} == status_patch(with_status(job, wanted), wanted)["status"]


@given(job=seen_jobs(), before=accounts(), now=accounts(), deadline_passed=st.booleans())
def test_only_what_has_changed_is_urgent(*, job: SeenJob, before: Account, now: Account, deadline_passed: bool) -> None:
    """A job's end and a condition's change are told at once, progress can wait."""
    earlier = status_of(job, before)
    later = status_of(with_status(job, earlier), now, seconds=60, deadline_passed=deadline_passed)

    urgency = urgency_of(earlier, later)

    states = [{one["type"]: one["status"] for one in status["conditions"]} for status in (earlier, later)]
    is_at_once = states[0] != states[1] or earlier.get("completionTime") != later.get("completionTime")
    assert is_at_once == (urgency is Urgency.AT_ONCE)
    assert (earlier == later) == (urgency is Urgency.NOTHING)


@given(job=seen_jobs(), before=accounts(), now=accounts())
def test_what_has_finished_stays_as_it_is(*, job: SeenJob, before: Account, now: Account) -> None:
    """Nodes that come, go or fail afterwards change nothing of a job that has ended."""
    ended = status_of(job, before, deadline_passed=True)

    later = status_of(with_status(job, ended), now, seconds=60)

    assert not is_finished(job, ended) or ended == later


def test_the_first_status_is_told_at_once() -> None:
    """Who has made a job sees that somebody cares."""
    status = status_of(seen_job(), RUNNING)

    assert Urgency.AT_ONCE is urgency_of({}, status)
    assert "2026-01-31T02:00:00Z" == status["startTime"]
    assert 1 == status["observedGeneration"]


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (RUNNING, "job is running, progress 33.3%"),
        (Account(selected=2, cold=2, waiting=2), "job is running, progress 0.0%"),
        (DONE, "job has completed"),
        (Account(selected=2, cold=1, warm=1, succeeded=1, failed=1), "job has completed"),
        (Account(), "job has completed, no node is selected"),
    ],
)
def test_the_message_has_openkruise_s_words(account: Account, expected: str) -> None:
    """Scripts compare them; where OpenKruise stays silent (8.2 number 3) ours begin in the same way."""
    assert expected == status_of(seen_job(), account)["message"]


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (DONE, "job is running, progress 100.0%"),
        (Account(), "job is stalled: NoNodesSelected: no node is selected"),
        (
            Account(selected=1, skipped=1, skips=(reason("NoAgent", 1, "n1"),)),
            "job is stalled: NoAgent: every selected node is skipped: 1 NoAgent (n1)",
        ),
        (
            Account(selected=2, warm=1, cold=1, succeeded=1, failed=1, failures=(reason("Forbidden", 1, "n1"),)),
            "job is stalled, progress 100.0%: Forbidden: 1 of 2 nodes failed: 1 Forbidden (n1)",
        ),
        (
            Account(selected=3, warm=1, cold=2, succeeded=1, waiting=1, pulling=1, refused=("n1",)),
            "job is running, progress 33.3%, 1 node takes no write: n1",
        ),
    ],
)
def test_a_job_that_goes_on_says_why_it_does_not_get_on(account: Account, expected: str) -> None:
    """The column MESSAGE of `kubectl get`, which OpenKruise's v1beta1 lost, tells the whole story (8.2 number 15)."""
    assert expected == status_of(seen_job(completion=NEVER), account)["message"]


@pytest.mark.parametrize("completion", [ALWAYS, NEVER])
def test_a_suspended_job_says_so(completion: CompletionType) -> None:
    """With how far it was."""
    status = status_of(seen_job(completion=completion, suspend=True), RUNNING)

    assert "job is suspended, progress 33.3%" == status["message"]


def test_a_deadline_fails_what_is_open_each_once() -> None:
    """The failed ones and the open ones, sorted, with their reasons (8.2 number 14: some were named twice)."""
    account = Account(
        selected=4,
        warm=1,
        cold=3,
        waiting=1,
        granted=1,
        succeeded=1,
        failed=1,
        failed_nodes=("b",),
        failures=(reason("DiskLow", 1, "b"),),
        open_nodes=("a", "b", "c"),
    )

    status = status_of(seen_job(), account, deadline_passed=True)

    assert [4, 0, 1, 3] == [status[name] for name in COUNTS]
    assert ["a", "b", "c"] == status["failedNodes"]
    assert "job exceeds activeDeadlineSeconds" == status["message"]
    assert [("DeadlineExceeded", 2), ("DiskLow", 1)] == [
        (each["reason"], each["count"]) for each in status["prewarm"]["failures"]
    ]


def test_a_deadline_does_not_fail_a_job_whose_nodes_have_all_ended() -> None:
    """It is asked after the end."""
    assert "job has completed" == status_of(seen_job(), DONE, deadline_passed=True)["message"]


def test_the_names_of_failed_nodes_are_bounded() -> None:
    """A job over ten thousand nodes must fit into etcd (8.2 number 14)."""
    names = tuple(f"n{index:05}" for index in range(3_000))
    account = Account(selected=6_000, cold=6_000, failed=3_000, waiting=3_000, failed_nodes=names, open_nodes=names)

    status = status_of(seen_job(), account, deadline_passed=True)

    assert 1_000 == len(status["failedNodes"])
    assert 6_000 == status["failed"]


def test_lists_of_reasons_are_bounded() -> None:
    """Sixteen reasons with ten nodes each, and words that no status should be full of are cut."""
    names = tuple(f"n{index}" for index in range(50))
    groups = tuple(reason(f"R{index}", 50, *names, message="x" * 5_000) for index in range(20))
    account = Account(selected=1_000, cold=1_000, failed=1_000, failures=groups)

    failures = status_of(seen_job(completion=NEVER), account)["prewarm"]["failures"]

    assert 16 == len(failures)
    assert {10} == {len(group["nodes"]) for group in failures}
    assert {1_024} == {len(group["message"]) for group in failures}


def test_an_edited_job_that_had_finished_begins_again() -> None:
    """Its first status counts nothing yet, so that nobody takes the old counts for new ones (kruise#1386)."""
    ended = status_of(seen_job(), DONE)

    again = status_of(seen_job(ended, generation=2), Account(), seconds=0)

    assert "completionTime" not in again
    assert ["2026-01-31T02:00:01Z"] * 2 == [again["startTime"], again["prewarm"]["lastRefreshTime"]]
    assert [2, 0, 0] == [again["observedGeneration"], again["desired"], again["succeeded"]]
    assert "False" == condition_of(again, "Complete")["status"]
    assert Urgency.AT_ONCE is urgency_of(ended, again)
    assert "completionTime" not in _patched(ended, again)


def test_a_job_that_began_again_goes_on_like_any_other() -> None:
    """Its counts are the new run's, and its start stays."""
    ended = status_of(seen_job(), DONE)
    again = status_of(seen_job(ended, generation=2), Account(), seconds=50)

    running = status_of(seen_job(again, generation=2), RUNNING, seconds=55)
    ended_again = status_of(seen_job(running, generation=2), DONE, seconds=60)

    assert [again["startTime"]] * 2 == [running["startTime"], running["prewarm"]["lastRefreshTime"]]
    assert 3 == running["desired"]
    assert "2026-01-31T02:01:00Z" == ended_again["completionTime"]


def test_where_the_generation_is_not_kept_what_has_finished_has_finished() -> None:
    """On OpenKruise's CRDs an edit of a completed job does nothing, as there."""
    ended = _without_ours(status_of(seen_job(), DONE))

    assert ended == status_of(seen_job(ended, generation=5), RUNNING, seconds=60)


def test_the_fields_of_others_stay() -> None:
    """A later release's field, or another controller's condition, is not ours to remove."""
    other = {"type": "team.example/Checked", "status": "True", "reason": "Fine", "message": ""}

    status = status_of(seen_job({"desired": 0, "later": 1, "conditions": [other]}), RUNNING)

    assert 1 == status["later"]
    assert other == condition_of(status, "team.example/Checked")


def test_an_eta_comes_with_the_first_end() -> None:
    """Before it nobody can tell; then so many at a time, each as long as the mean."""
    waits = Account(selected=5, cold=5, waiting=4, pulling=1, limit=2)
    runs = Account(selected=5, cold=4, warm=1, waiting=2, pulling=2, succeeded=1, limit=2, pull_seconds=30)

    first = status_of(seen_job(), waits)
    second = status_of(seen_job(first), runs, seconds=30)

    assert "eta" not in first["prewarm"]
    assert "2026-01-31T02:01:30Z" == second["prewarm"]["eta"]


def test_an_eta_stands_until_it_is_past() -> None:
    """It is a time: told again each second it would be a write each second."""
    runs = Account(selected=2, cold=1, warm=1, pulling=1, succeeded=1, pull_seconds=30)
    told = status_of(seen_job(), runs)

    later = status_of(seen_job(told), runs, seconds=20)
    past = status_of(seen_job(later), runs, seconds=31)

    assert told == later
    assert "eta" not in past["prewarm"]
    assert Urgency.PROGRESS is urgency_of(later, past)
    assert past == status_of(seen_job(past), runs, seconds=90)


@pytest.mark.parametrize("suspend", [True, False])
def test_who_is_paused_has_no_eta(*, suspend: bool) -> None:
    """Nothing that stands still will have ended."""
    account = Account(selected=2, cold=1, warm=1, waiting=1, succeeded=1, pull_seconds=30, limit=int(suspend))

    assert "eta" not in status_of(seen_job(suspend=suspend), account)["prewarm"]


def test_bytes_are_told_of_pulls_that_run() -> None:
    """And of nothing else."""
    pulls = Account(selected=1, cold=1, pulling=1, bytes_done=3, bytes_total=9)

    first = status_of(seen_job(), pulls)
    second = status_of(seen_job(first), Account(selected=1, cold=1, pulling=1, bytes_done=5, bytes_total=9))

    assert {"done": 3, "total": 9} == first["prewarm"]["bytes"]
    assert Urgency.PROGRESS is urgency_of(first, second)
    assert "bytes" not in status_of(seen_job(second), DONE)["prewarm"]


def test_the_next_refresh_is_told_unless_one_runs() -> None:
    """So a new coordinator knows whether the renewal that it finds under way was over."""
    job = seen_job(completion=NEVER)
    before = Account(selected=2, warm=2, succeeded=2, next_refresh=NOW)
    whole = msgspec.structs.replace(before, last_refresh=NOW, next_refresh=after(86_400))
    half = msgspec.structs.replace(whole, warm=1, stale=1)

    quiet = status_of(job, before, seconds=-60)
    runs = status_of(with_status(job, quiet), msgspec.structs.replace(half, succeeded=1, waiting=1, renewing=2))
    gap = status_of(with_status(job, runs), msgspec.structs.replace(half, renewing=1))
    over = status_of(with_status(job, gap), whole)
    again = status_of(with_status(job, over), msgspec.structs.replace(half, succeeded=1, waiting=1))

    told = [status["prewarm"].get("nextRefreshTime") for status in (quiet, runs, gap, over, again)]
    tomorrow = "2026-02-01T02:00:00Z"
    assert ["2026-01-31T02:00:00Z", None, None, tomorrow, tomorrow] == told
    assert "2026-01-31T02:00:00Z" == over["prewarm"]["lastRefreshTime"]


def test_a_write_whose_answer_was_pruned_is_not_repeated() -> None:
    """OpenKruise's CRDs drop our fields: what the server made of a write is what counts."""
    job = seen_job()
    sent = status_of(job, RUNNING)
    answered = _without_ours(sent)
    progressed = {**sent, "prewarm": {**sent["prewarm"], "waiting": 0}}
    ended = status_of(seen_job(sent), DONE, seconds=5)

    assert not stands(sent, current={})
    assert stands(sent, current=answered, sent=sent, answered=answered)
    assert stands(progressed, current=answered, sent=sent, answered=answered)
    assert not stands(ended, current=answered, sent=sent, answered=answered)
    assert not stands(sent, current={**answered, "active": 9}, sent=sent, answered=answered)


def test_what_was_pruned_is_gone_on_from() -> None:
    """Times of conditions would be new in each status otherwise, and each standstill a new one."""
    sent = status_of(seen_job(), RUNNING)
    answered = _without_ours(sent)
    job = seen_job(answered)

    said = said_before(answered, sent=sent, answered=answered)
    later = next_status(job, RUNNING, now=after(60), deadline_passed=False, earlier=said)

    assert sent == later
    assert {"desired": 9} == said_before({"desired": 9}, sent=sent, answered=answered)


@pytest.mark.parametrize(
    "raw",
    [
        {"conditions": "none", "prewarm": 5, "desired": "x", "startTime": 3},
        {"prewarm": {"nodes": [], "eta": "soon", "lastRefreshTime": 7}, "conditions": [1, {"type": []}]},
        {"completionTime": "yesterday", "observedGeneration": 1},
    ],
)
def test_a_status_of_any_shape_is_gone_on_from(raw: Status) -> None:
    """Where a schema is loose, anybody may have written anything."""
    status = status_of(seen_job(raw, generation=2), RUNNING)

    assert 2 == status["observedGeneration"]
    assert "False" == condition_of(status, "Ready")["status"]
