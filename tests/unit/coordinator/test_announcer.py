"""Each event of a job once, by what its status says and did not say before."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given

from daemon.api.imagepulljob import Refresh
from daemon.coordinator.account import Account
from daemon.coordinator.announcer import JobEvent, events_of, gate_opened_cold, regarding_job, regarding_node
from daemon.coordinator.seen import SeenJob, SeenNode
from tests.unit.coordinator.jobs_told import (
    NEVER,
    NOW,
    Status,
    accounts,
    after,
    reason,
    seen_job,
    seen_jobs,
    status_of,
    with_status,
)


NIGHTLY = seen_job(completion=NEVER, refresh=Refresh(schedule="0 2 * * *"))
QUIET = Account(selected=9, skipped=1, warm=8, succeeded=8, next_refresh=NOW)
DUE = msgspec.structs.replace(QUIET, last_refresh=NOW, next_refresh=after(86_400))
RENEWING = msgspec.structs.replace(DUE, warm=2, stale=6, succeeded=2, waiting=5, pulling=1, renewing=6)
RENEWED = msgspec.structs.replace(DUE, changed=7, warm=7, stale=1, succeeded=7, failed=1)
MISSING = Account(selected=1, cold=1, failed=1, failures=(reason("ImageNotFound", 1, "a"),))


def _events(job: SeenJob, course: Sequence[Account], *, first: Status | None = None) -> list[JobEvent]:
    """Take a job through what its nodes do, and return what is told."""
    told: list[JobEvent] = []
    status = first or {}
    for number, account in enumerate(course):
        later = status_of(with_status(job, status), account, seconds=number)
        told += events_of(job, status, later, account)
        status = later
    return told


@given(job=seen_jobs(), account=accounts())
def test_nothing_is_told_twice(job: SeenJob, account: Account) -> None:
    """A coordinator that starts, and finds what another has written, has no news."""
    status = status_of(job, account)
    later = status_of(with_status(job, status), account, seconds=3)

    assert () == events_of(job, later, status_of(with_status(job, later), account, seconds=4), account)


def test_a_refresh_is_told_when_it_begins_and_when_it_is_over() -> None:
    """With how many nodes it is about, how many got another image, and how many failed."""
    told = _events(NIGHTLY, [QUIET, RENEWING, msgspec.structs.replace(RENEWING, waiting=4, pulling=2), RENEWED])

    assert [
        ("Normal", "RefreshStarted", "8 nodes to renew, 1 skipped"),
        ("Normal", "RefreshFinished", "8 nodes: 7 with another image, 1 failed, 1 skipped"),
    ] == [(event.kind, event.reason, event.note) for event in told]


def test_a_node_that_is_tried_again_is_no_refresh() -> None:
    """Its round belongs to one that is over."""
    tried = msgspec.structs.replace(RENEWED, failed=0, waiting=1)

    assert 2 == len(_events(NIGHTLY, [QUIET, RENEWING, RENEWED, tried, RENEWED, tried, RENEWED]))


def test_a_gap_in_the_spread_is_no_end_of_a_refresh() -> None:
    """Between two nodes' turns nothing may be under way."""
    gap = msgspec.structs.replace(RENEWED, renewing=3)

    told = _events(NIGHTLY, [QUIET, RENEWING, gap, RENEWING, gap, RENEWED])

    assert ["RefreshStarted", "RefreshFinished"] == [event.reason for event in told]


def test_a_refresh_that_ends_between_two_statuses_is_told_whole() -> None:
    """Both events, in order."""
    assert ["RefreshStarted", "RefreshFinished"] == [event.reason for event in _events(NIGHTLY, [QUIET, RENEWED])]


def test_a_standstill_is_told_once_with_its_reason() -> None:
    """Also while it is tried again, and anew when the reason is another."""
    tried = Account(selected=1, cold=1, waiting=1)
    refused = msgspec.structs.replace(MISSING, failures=(reason("Forbidden", 1, "a"),))

    told = _events(seen_job(completion=NEVER), [tried, MISSING, tried, MISSING, tried, refused])

    assert [
        ("Warning", "Stalled", "ImageNotFound: 1 of 1 nodes failed: 1 ImageNotFound (a)"),
        ("Warning", "Stalled", "Forbidden: 1 of 1 nodes failed: 1 Forbidden (a)"),
    ] == [(event.kind, event.reason, event.note) for event in told]


@pytest.mark.parametrize(
    ("job", "course", "expected"),
    [
        (seen_job(), [Account()], ("Warning", "NoNodesSelected", "no node is selected")),
        (
            seen_job(completion=NEVER),
            [Account(), Account()],
            ("Warning", "Stalled", "NoNodesSelected: no node is selected"),
        ),
        (
            seen_job(),
            [Account(selected=1, cold=1, waiting=1), MISSING],
            ("Warning", "NodesFailed", "1 of 1 nodes failed: 1 ImageNotFound (a)"),
        ),
    ],
)
def test_an_end_that_nobody_wants_is_a_warning(
    job: SeenJob, course: list[Account], expected: tuple[str, str, str]
) -> None:
    """A selector that matches nothing completes an Always job, but not in silence (8.2 number 3)."""
    (event,) = _events(job, course)

    assert expected == (event.kind, event.reason, event.note)


def test_a_good_end_is_no_event() -> None:
    """The status says it, and each event is a write."""
    assert [] == _events(seen_job(), [Account(selected=1, warm=1, succeeded=1)])


def test_a_job_that_begins_again_is_no_refresh() -> None:
    """Its lastRefreshTime is the begin of a run."""
    ended = status_of(seen_job(), Account(selected=1, warm=1, succeeded=1))
    job = seen_job(ended, generation=2)

    assert [] == _events(job, [Account(), Account(selected=1, stale=1, waiting=1)], first=ended)


def test_a_gate_that_opens_cold_is_told_of_the_node() -> None:
    """With the jobs that are not warm there."""
    event = gate_opened_cold(("team/base", "team/model"), deadline_seconds=600)
    node = regarding_node(SeenNode(name="n1", uid="uid-n1", created_at=NOW))

    assert ("Warning", "GateOpenedCold") == (event.kind, event.reason)
    assert "not warm 600 s after the node's creation, and opened all the same: team/base, team/model" == event.note
    assert ("v1", "Node", "", "n1", "uid-n1") == (node.api_version, node.kind, node.namespace, node.name, node.uid)


def test_an_event_names_its_job_in_the_version_that_is_served() -> None:
    """`kubectl describe` finds it by kind, namespace, name and uid."""
    about = regarding_job(seen_job())

    assert ("apps.kruise.io/v1beta1", "ImagePullJob", "team", "base", "uid-1") == (
        about.api_version,
        about.kind,
        about.namespace,
        about.name,
        about.uid,
    )
