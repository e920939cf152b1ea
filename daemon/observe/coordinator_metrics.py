"""
The coordinator's metrics: what happened is told to it, what stands is asked of the leader when somebody reads.

It owns its registry, as the agent's do. A gauge of the cluster is made from the newest figures at each read, so a job
that is gone leaves no sample behind. Names and help are coordinator_catalogue.py's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.observe import coordinator_catalogue as catalogue
from daemon.observe.catalogue import Described, Kind
from daemon.observe.coordinator_catalogue import WriteOutcome


# Each job costs some lines of text at each read; whoever has more looks at /state.
MOST_JOBS: Final = 500
# What an agent says of itself is any text, and a node may be in foreign hands.
MOST_VERSIONS: Final = 20
OTHER: Final = "other"


class JobFigures(msgspec.Struct, frozen=True, kw_only=True):
    """
    A job that goes on.

    Attributes:
        name: its namespace and name.
        nodes: the selected ones by state.
        stall_reason: why it stands still, "" where it does not.
        is_suspended: somebody has suspended it.
        eta_at: when its nodes are likely to have ended; None where nobody knows.
        refresh_deadline_at: until when nodes may begin in its latest refresh; None without one, or without a bound.
    """

    name: str
    nodes: Mapping[str, int]
    stall_reason: str = ""
    is_suspended: bool = False
    eta_at: datetime | None = None
    refresh_deadline_at: datetime | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the leader knows of the cluster, counted; `stalled_lists` are lists by name, each with its reason."""

    is_synced: bool = False
    last_sync_at: datetime | None = None
    jobs_by_condition: Mapping[str, int] = {}
    jobs: tuple[JobFigures, ...] = ()
    lists_by_condition: Mapping[str, int] = {}
    stalled_lists: tuple[tuple[str, str], ...] = ()
    agents_by_version: Mapping[str, int] = {}
    nodes_without_agent: int = 0
    nodes_skipped: Mapping[str, int] = {}
    nodes_refused: int = 0
    gates_closed: int = 0
    writes_waiting: Mapping[str, int] = {}
    writes_running: int = 0
    throttled_seconds: float = 0.0


class CoordinatorMetrics:
    """
    Counts what one coordinator does; from any thread.

    Args:
        version: ours.
        figures: the leader's newest figures, None where this one does not lead; asked when /metrics is read.
        has_process: whether to show the process's own figures, which an agent in the same one shows already.
    """

    def __init__(self, *, version: str, figures: Callable[[], Figures | None], has_process: bool = True) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._leader = self._gauge(catalogue.LEADER)
        self._leaderships = self._counter(catalogue.LEADERSHIPS)
        self._stands_aside = self._gauge(catalogue.STANDS_ASIDE)
        self._gates_opened = self._counter(catalogue.GATES_OPENED)
        self._writes = self._counter(catalogue.WRITES)
        self._unreadable = self._counter(catalogue.UNREADABLE)
        self._api_requests = self._counter(catalogue.API_REQUESTS)
        self._watch_restarts = self._counter(catalogue.WATCH_RESTARTS)
        self._events_dropped = self._counter(catalogue.EVENTS_DROPPED)
        self._gauge(catalogue.BUILD_INFO).labels(version).set(1)
        self._registry.register(_FiguresCollector(figures))
        if has_process:
            ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return everything as Prometheus's text, of metrics.CONTENT_TYPE."""
        return generate_latest(self._registry)

    def leads(self, *, is_leader: bool) -> None:
        """Tell that this coordinator came to lead, or ceased to."""
        self._leader.set(int(is_leader))
        self._leaderships.labels("won" if is_leader else "lost").inc()

    def beside(self, row: str, *, stands_aside: bool) -> None:
        """Tell what is seen of OpenKruise, and whether this coordinator stands aside for it."""
        self._stands_aside.clear()
        self._stands_aside.labels(row).set(int(stands_aside))

    def gate_opened(self, reason: str) -> None:
        """Count a startup taint that was taken off."""
        self._gates_opened.labels(reason).inc()

    def write_ended(self, write_class: str, *, outcome: WriteOutcome) -> None:
        """Count a write by its class and what became of it."""
        self._writes.labels(write_class, outcome.value).inc()

    def passed_over(self, resource: str) -> None:
        """Count an object that can't be read."""
        self._unreadable.labels(resource).inc()

    def api_requested(self, verb: str, resource: str, code: str) -> None:
        """Count a request, as cluster's Telemetry tells it."""
        self._api_requests.labels(verb, resource, code).inc()

    def watch_restarted(self, reason: str) -> None:
        """Count a watch that began again, as cluster's Telemetry tells it."""
        self._watch_restarts.labels(reason).inc()

    def event_dropped(self) -> None:
        """Count an event that was not sent."""
        self._events_dropped.inc()

    def _counter(self, described: Described) -> Counter:
        return Counter(described.name, described.help, described.labels, registry=self._registry)

    def _gauge(self, described: Described) -> Gauge:
        return Gauge(described.name, described.help, described.labels, registry=self._registry)


class _FiguresCollector(Collector):
    """Shows the newest figures; of a coordinator that does not lead, nothing."""

    def __init__(self, figures: Callable[[], Figures | None]) -> None:
        self._figures = figures

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without asking."""
        return _families(Figures(), samples=False)

    def collect(self) -> Iterator[Metric]:
        """Ask."""
        figures = self._figures()
        return _families(figures or Figures(), samples=figures is not None)


def _families(figures: Figures, *, samples: bool) -> Iterator[Metric]:
    shown = sorted(figures.jobs, key=lambda job: job.name)[:MOST_JOBS]
    last_sync = [((), figures.last_sync_at.timestamp())] if figures.last_sync_at is not None else []
    values: dict[Described, Iterable[tuple[tuple[str, ...], float]]] = {
        catalogue.SYNCED: [((), float(figures.is_synced))],
        catalogue.LAST_SYNC: last_sync,
        catalogue.JOBS: _labelled(figures.jobs_by_condition),
        catalogue.JOB_NODES: [((job.name, state), nodes) for job in shown for state, nodes in job.nodes.items()],
        catalogue.JOB_STALLED: [((job.name, job.stall_reason), 1) for job in shown if job.stall_reason],
        catalogue.JOB_SUSPENDED: [((job.name,), 1) for job in shown if job.is_suspended],
        catalogue.JOB_ETA: [((job.name,), job.eta_at.timestamp()) for job in shown if job.eta_at],
        catalogue.JOB_REFRESH_DEADLINE: [
            ((job.name,), job.refresh_deadline_at.timestamp()) for job in shown if job.refresh_deadline_at
        ],
        catalogue.LISTS: _labelled(figures.lists_by_condition),
        catalogue.LIST_STALLED: [(one, 1) for one in sorted(figures.stalled_lists)[:MOST_JOBS]],
        catalogue.AGENTS: _labelled(_bounded(figures.agents_by_version)),
        catalogue.NODES_WITHOUT_AGENT: [((), figures.nodes_without_agent)],
        catalogue.NODES_SKIPPED: _labelled(figures.nodes_skipped),
        catalogue.NODES_REFUSED: [((), figures.nodes_refused)],
        catalogue.GATES_CLOSED: [((), figures.gates_closed)],
        catalogue.WRITES_WAITING: _labelled(figures.writes_waiting),
        catalogue.WRITES_RUNNING: [((), figures.writes_running)],
        catalogue.THROTTLED: [((), figures.throttled_seconds)],
    }
    for described, found in values.items():
        family = _family(described)
        for labels, value in found if samples else ():
            family.add_metric(labels, value)
        yield family


def _family(described: Described) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if described.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(described.name, described.help, labels=described.labels)


def _labelled(counts: Mapping[str, int]) -> list[tuple[tuple[str, ...], float]]:
    return [((name,), count) for name, count in counts.items()]


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """Keep the commonest, and count the rest as one."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ranked[MOST_VERSIONS:])
    return {**dict(ranked[:MOST_VERSIONS]), **({OTHER: rest} if rest else {})}
