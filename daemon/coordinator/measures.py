"""
What happens in a coordinator in the words of its metrics, and its newest snapshot in counts.

Pure but for the class, which only hands on. Names of metrics are observe/'s.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, Conflict, Denied, Invalid, NotFound, Oversized, Throttled
from daemon.coordinator.conditions import STALLED, SUSPENDED
from daemon.coordinator.requests import Outcome
from daemon.coordinator.snapshot import CoordinatorState, JobState, ListState
from daemon.coordinator.statejson import by_condition
from daemon.observe.coordinator_catalogue import WriteOutcome
from daemon.observe.coordinator_metrics import CoordinatorMetrics, Figures, JobFigures


_ENDED: Final = "finished"
_OUTCOMES: Final[tuple[tuple[type[ClusterError], WriteOutcome], ...]] = (
    (Conflict, WriteOutcome.CONFLICT),
    # A test of ours that failed, or a schema that refuses: the same answer, told apart by the read that follows.
    (Invalid, WriteOutcome.CONFLICT),
    (NotFound, WriteOutcome.GONE),
    (Denied, WriteOutcome.REFUSED),
    (Oversized, WriteOutcome.REFUSED),
    (Throttled, WriteOutcome.THROTTLED),
)


class Measures:
    """Tells the metrics what happened; reads are counted with the other requests alone."""

    def __init__(self, metrics: CoordinatorMetrics) -> None:
        self._metrics = metrics

    def ended(self, outcome: Outcome) -> None:
        """Count a write that is over."""
        if outcome.request.write is not None:
            self._metrics.write_ended(outcome.request.urgency.name.lower(), outcome=write_outcome(outcome))


def write_outcome(outcome: Outcome) -> WriteOutcome:
    """Name what became of a write; after an answer that never came, or none to be understood, nobody knows."""
    if not outcome.was_sent:
        return WriteOutcome.UNSENT
    if outcome.error is None:
        return WriteOutcome.DONE
    kinds = (name for kind, name in _OUTCOMES if isinstance(outcome.error, kind))
    return next(kinds, WriteOutcome.UNKNOWN)


def figures_of(state: CoordinatorState, *, last_sync: Moment | None) -> Figures:
    """Count a snapshot; of jobs that have finished only that they have."""
    return Figures(
        is_synced=state.is_synced,
        last_sync_at=_at(last_sync),
        jobs_by_condition=by_condition(state.jobs),
        lists_by_condition=by_condition(state.lists),
        stalled_lists=tuple(_stalled(state.lists)),
        jobs=tuple(_job(job) for job in state.jobs if job.course != _ENDED),
        agents_by_version=state.agents_by_version,
        nodes_without_agent=state.without_agent,
        nodes_skipped=state.skipped,
        nodes_refused=state.refused,
        gates_closed=state.gates_closed,
        writes_waiting=state.writes_waiting,
        writes_running=state.writes_running,
        throttled_seconds=state.throttled_seconds,
    )


def _job(job: JobState) -> JobFigures:
    return JobFigures(
        name=f"{job.namespace}/{job.name}",
        nodes=job.nodes,
        stall_reason=job.conditions.get(STALLED, ""),
        is_suspended=SUSPENDED in job.conditions,
        eta_at=job.eta_at,
        refresh_deadline_at=job.refresh_deadline_at,
    )


def _stalled(lists: Iterable[ListState]) -> Iterator[tuple[str, str]]:
    for one in lists:
        if STALLED in one.conditions:
            yield f"{one.namespace}/{one.name}", one.conditions[STALLED]


def _at(moment: Moment | None) -> datetime | None:
    return moment.at if moment is not None else None
