"""What became of a write in the words of the metrics, and a snapshot in counts."""

from datetime import UTC, datetime

import pytest

from daemon.cluster.errors import (
    ClusterError,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Oversized,
    ServerFailed,
    Throttled,
    Unreachable,
)
from daemon.cluster.writes import merge_patch
from daemon.coordinator.measures import Measures, figures_of, write_outcome
from daemon.coordinator.requests import About, Outcome, Request, Urgency
from daemon.coordinator.snapshot import CoordinatorState, JobState, ListState
from daemon.observe.coordinator_catalogue import WriteOutcome
from daemon.observe.coordinator_metrics import CoordinatorMetrics, JobFigures


GRANT = Request(
    urgency=Urgency.GRANT, about=About.NODE_IMAGE, subject="n1", path="/n1", write=merge_patch("/n1", {"spec": {}})
)
READ = Request(urgency=Urgency.READ, about=About.NODE_IMAGE, subject="n1", path="/n1")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, WriteOutcome.DONE),
        (Conflict("another was first"), WriteOutcome.CONFLICT),
        (Invalid("a test failed"), WriteOutcome.CONFLICT),
        (NotFound("it is gone"), WriteOutcome.GONE),
        (Denied("forbidden"), WriteOutcome.REFUSED),
        (Oversized("too large"), WriteOutcome.REFUSED),
        (Throttled("slow down"), WriteOutcome.THROTTLED),
        (Unreachable("no answer"), WriteOutcome.UNKNOWN),
        (ServerFailed("etcd is away"), WriteOutcome.UNKNOWN),
    ],
)
def test_a_write_is_counted_by_what_became_of_it(error: ClusterError | None, expected: WriteOutcome) -> None:
    """A refusal is told apart from a conflict, and both from an answer that never came."""
    assert expected == write_outcome(Outcome(request=GRANT, error=error))


def test_what_was_not_sent_is_counted_as_such() -> None:
    """A leader that may have lost its Lease sends nothing."""
    assert WriteOutcome.UNSENT == write_outcome(Outcome(request=GRANT, was_sent=False))


def test_each_write_is_counted_once_under_its_class_and_reads_are_not() -> None:
    """Reads are among the requests."""
    metrics = CoordinatorMetrics(version="1", figures=lambda: None)
    measures = Measures(metrics)

    measures.ended(Outcome(request=GRANT))
    measures.ended(Outcome(request=READ))

    counted = [line for line in metrics.text().decode().splitlines() if line.startswith("prewarm_coordinator_writes_t")]
    assert ['prewarm_coordinator_writes_total{class="grant",outcome="done"} 1.0'] == counted


def test_a_snapshot_is_counted() -> None:
    """Jobs by each condition, and of those that go on their nodes."""
    at = datetime(2026, 1, 31, tzinfo=UTC)
    conditions = {"Stalled": "Forbidden", "Suspended": "Suspended"}
    running = JobState(
        namespace="team", name="a", conditions=conditions, nodes={"warm": 1}, eta_at=at, refresh_deadline_at=at
    )
    done = JobState(namespace="team", name="b", course="finished", conditions={"Ready": "AllWarm", "Complete": "F"})
    nightly = ListState(namespace="team", name="nightly", conditions={"Stalled": "JobsRefused"})
    state = CoordinatorState(
        is_synced=True,
        jobs=(running, done),
        lists=(nightly,),
        without_agent=3,
        skipped={"NoAgent": 5},
        writes_running=4,
    )

    figures = figures_of(state, last_sync=None)

    assert {"Ready": 1, "Complete": 1, "Failed": 0, "Suspended": 1, "Stalled": 1} == figures.jobs_by_condition
    expected = JobFigures(
        name="team/a",
        nodes={"warm": 1},
        stall_reason="Forbidden",
        is_suspended=True,
        eta_at=at,
        refresh_deadline_at=at,
    )
    assert (expected,) == figures.jobs
    assert 1 == figures.lists_by_condition["Stalled"]
    assert (("team/nightly", "JobsRefused"),) == figures.stalled_lists
    assert (3, {"NoAgent": 5}, 4) == (figures.nodes_without_agent, figures.nodes_skipped, figures.writes_running)
