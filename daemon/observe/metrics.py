"""
The agent's metrics: what happened is told to it in the agent's words, and read as Prometheus's text.

It owns its registry, so two agents in one process (tests) count apart. Names and help are catalogue.py's; what a change
of the node's state means is agent/measures.py's. No image is ever a label: a cluster has too many of them.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.api.reasons import Reason
from daemon.observe import catalogue
from daemon.observe.asked import Asked
from daemon.observe.catalogue import Described, Result


CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# A registry costs up to 16 KiB here and 120 lines on each read; a node that pulls from more than a few is rare.
MOST_REGISTRIES = 20
OTHER_REGISTRIES = "other"


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """The filesystem that holds images: free, in all, and what must stay free, in bytes."""

    free_bytes: int
    size_bytes: int
    floor_bytes: int


class AgentMetrics:
    """
    Counts what one agent does; from any thread.

    Args:
        version: ours.
        space: measures the image filesystem, asked when /metrics is read; without an answer its samples are left out.
    """

    def __init__(self, *, version: str, space: Asked[Space]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._labels = _Bounded(MOST_REGISTRIES)
        self._reasons: set[Reason] = set()
        self._pull_seconds = self._histogram(catalogue.PULL_SECONDS)
        self._pull_bytes = self._counter(catalogue.PULL_BYTES)
        self._pulls_running = self._gauge(catalogue.PULLS_RUNNING)
        self._pulls_waiting = self._gauge(catalogue.PULLS_WAITING)
        self._images = self._gauge(catalogue.IMAGES)
        self._images_by_reason = self._gauge(catalogue.IMAGES_BY_REASON)
        self._attempts = self._counter(catalogue.ATTEMPTS)
        self._failures = self._counter(catalogue.FAILURES)
        self._evictions = self._counter(catalogue.EVICTIONS)
        self._throttles = self._counter(catalogue.REGISTRY_THROTTLES)
        self._runtime_up = self._gauge(catalogue.RUNTIME_UP)
        self._last_sync = self._gauge(catalogue.LAST_SYNC)
        self._api_requests = self._counter(catalogue.API_REQUESTS)
        self._watch_restarts = self._counter(catalogue.WATCH_RESTARTS)
        self._status_writes = self._counter(catalogue.STATUS_WRITES)
        self._other_daemon = self._gauge(catalogue.OTHER_DAEMON)
        self._events_dropped = self._counter(catalogue.EVENTS_DROPPED)
        self._gauge(catalogue.BUILD_INFO).labels(version).set(1)
        self._registry.register(_SpaceCollector(space))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return everything as Prometheus's text, of CONTENT_TYPE."""
        return generate_latest(self._registry)

    def attempt_ended(self, result: Result, *, reason: Reason | None) -> None:
        """Count the end of an attempt; `reason` is None where nothing went wrong."""
        self._attempts.labels(result.value, reason.value if reason else "").inc()

    def pull_ended(self, registry: str, *, result: Result, seconds: float) -> None:
        """Note how long an attempt took that asked the registry."""
        self._pull_seconds.labels(self._labels.of(registry), result.value).observe(max(0.0, seconds))

    def bytes_arrived(self, registry: str, *, count: int) -> None:
        """Add what came from a registry."""
        self._pull_bytes.labels(self._labels.of(registry)).inc(max(0, count))

    def image_failed(self, reason: Reason) -> None:
        """Count an image that gets no further attempt."""
        self._failures.labels(reason.value).inc()

    def image_evicted(self) -> None:
        """Count a removal of a wanted image."""
        self._evictions.inc()

    def registry_throttled(self, registry: str) -> None:
        """Count a pause of a registry."""
        self._throttles.labels(self._labels.of(registry)).inc()

    def node_counted(self, images: Mapping[str, int], *, running: int, waiting: int) -> None:
        """Tell how many images are in each state, how many attempts run and how many images wait."""
        for state, count in images.items():
            self._images.labels(state).set(count)
        self._pulls_running.set(running)
        self._pulls_waiting.set(waiting)

    def reasons_counted(self, images: Mapping[Reason, int]) -> None:
        """Tell how many images have which reason, and that what held of some before holds of none."""
        self._reasons |= images.keys()
        for reason in self._reasons:
            self._images_by_reason.labels(reason.value).set(images.get(reason, 0))

    def runtime_seen(self, *, is_up: bool) -> None:
        """Tell whether the runtime answers."""
        self._runtime_up.set(int(is_up))

    def synced(self, at: datetime) -> None:
        """Tell when the API server last said what is wanted."""
        self._last_sync.set(at.timestamp())

    def api_requested(self, verb: str, resource: str, code: str) -> None:
        """Count a request, as cluster's Telemetry tells it."""
        self._api_requests.labels(verb, resource, code).inc()

    def watch_restarted(self, reason: str) -> None:
        """Count a watch that began again, as cluster's Telemetry tells it."""
        self._watch_restarts.labels(reason).inc()

    def status_written(self, result: str) -> None:
        """Count a write of the status: written, refused or failed."""
        self._status_writes.labels(result).inc()

    def other_daemon_seen(self, *, is_there: bool) -> None:
        """Tell whether another daemon writes the status too."""
        self._other_daemon.set(int(is_there))

    def event_dropped(self) -> None:
        """Count an event that was not sent."""
        self._events_dropped.inc()

    def _counter(self, described: Described) -> Counter:
        return Counter(described.name, described.help, described.labels, registry=self._registry)

    def _gauge(self, described: Described) -> Gauge:
        return Gauge(described.name, described.help, described.labels, registry=self._registry)

    def _histogram(self, described: Described) -> Histogram:
        return Histogram(
            described.name,
            described.help,
            described.labels,
            buckets=catalogue.PULL_BUCKETS_SECONDS,
            registry=self._registry,
        )


class _Bounded:
    """Lets the first so many names be labels; what comes later is one label, for each costs memory for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def of(self, name: str) -> str:
        with self._lock:
            if name not in self._names and len(self._names) >= self._most:
                return OTHER_REGISTRIES
            self._names.add(name)
            return name


class _SpaceCollector(Collector):
    """Shows the image filesystem as it is when it is looked at; what cannot be measured has no sample."""

    def __init__(self, space: Asked[Space]) -> None:
        self._space = space

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without measuring."""
        return (_family(described, None) for described in _SPACE)

    def collect(self) -> Iterator[Metric]:
        """Measure."""
        space = self._space.value()
        values = (space.free_bytes, space.size_bytes, space.floor_bytes) if space else (None, None, None)
        return (_family(described, value) for described, value in zip(_SPACE, values, strict=True))


_SPACE = (catalogue.FREE_BYTES, catalogue.SIZE_BYTES, catalogue.FLOOR_BYTES)


def _family(described: Described, value: float | None) -> Metric:
    return GaugeMetricFamily(described.name, described.help, value=value)
