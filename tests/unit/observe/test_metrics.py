"""What Prometheus reads: every documented metric under its name, bounded labels, and free space that never blocks."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from daemon.api.reasons import Reason
from daemon.observe.asked import Asked
from daemon.observe.catalogue import METRICS, PULL_BUCKETS_SECONDS, Described, Kind, Result
from daemon.observe.metrics import CONTENT_TYPE, MOST_REGISTRIES, OTHER_REGISTRIES, AgentMetrics, Space
from tests.servers.processes import until


ROOMY = Space(free_bytes=70, size_bytes=100, floor_bytes=20)


@pytest.fixture
def metrics() -> AgentMetrics:
    """An agent's metrics on a node with space."""
    return AgentMetrics(version="1.2.3", space=Asked(lambda: ROOMY))


def _families(metrics: AgentMetrics) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}


def _value(metrics: AgentMetrics, name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for family in _families(metrics).values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found[0] if found else None


def _family_name(described: Described) -> str:
    """Return a metric's name as the parser knows it, without a counter's ending."""
    return described.name.removesuffix("_total") if described.kind is Kind.COUNTER else described.name


def test_the_catalogue_is_what_is_shown(metrics: AgentMetrics) -> None:
    """Each metric has its name, kind and help there, nothing else is called prewarm_, and no _created is shown."""
    shown = {
        name: (family.type, family.documentation)
        for name, family in _families(metrics).items()
        if not name.startswith("process_")
    }

    assert {_family_name(described): (described.kind, described.help) for described in METRICS} == shown
    assert b"_created" not in metrics.text()


def test_the_process_s_own_figures_are_there(metrics: AgentMetrics) -> None:
    """Memory, CPU, descriptors and the start, under the names that every Prometheus knows."""
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"} <= _families(metrics).keys()


@pytest.mark.parametrize("described", METRICS, ids=lambda described: described.name)
def test_each_metric_keeps_the_conventions(described: Described) -> None:
    """Prefix, base units, _total for counters alone, and a sentence of help."""
    assert described.name.startswith("prewarm_")
    assert (described.kind is Kind.COUNTER) == described.name.endswith("_total")
    assert not described.name.endswith(("_ms", "_mb", "_percent"))
    assert described.help.endswith(".")


def _everything(metrics: AgentMetrics) -> None:
    metrics.attempt_ended(Result.FAILED, reason=Reason.DISK_FULL)
    metrics.pull_ended("docker.io", result=Result.PULLED, seconds=4)
    metrics.bytes_arrived("docker.io", count=5)
    metrics.image_failed(Reason.UNAUTHORIZED)
    metrics.image_evicted()
    metrics.registry_throttled("docker.io")
    metrics.node_counted({"waiting": 2, "pulling": 1}, running=1, waiting=2)
    metrics.reasons_counted({Reason.DISK_LOW: 3})
    metrics.runtime_seen(is_up=True)
    metrics.synced(datetime(2026, 1, 31, tzinfo=UTC))
    metrics.api_requested("patch", "nodeimages/status", "200")
    metrics.watch_restarted("expired")
    metrics.status_written("written")
    metrics.event_dropped()


@pytest.mark.parametrize(
    ("expected", "name", "labels"),
    [
        (1, "prewarm_attempts_total", {"result": "failed", "reason": "DiskFull"}),
        (1, "prewarm_pull_duration_seconds_count", {"registry": "docker.io", "result": "pulled"}),
        (4, "prewarm_pull_duration_seconds_sum", {"registry": "docker.io", "result": "pulled"}),
        (0, "prewarm_pull_duration_seconds_bucket", {"registry": "docker.io", "result": "pulled", "le": "2.5"}),
        (1, "prewarm_pull_duration_seconds_bucket", {"registry": "docker.io", "result": "pulled", "le": "5.0"}),
        (5, "prewarm_pull_bytes_total", {"registry": "docker.io"}),
        (1, "prewarm_failures_total", {"reason": "Unauthorized"}),
        (1, "prewarm_evictions_total", {}),
        (1, "prewarm_registry_throttles_total", {"registry": "docker.io"}),
        (2, "prewarm_images", {"state": "waiting"}),
        (3, "prewarm_images_by_reason", {"reason": "DiskLow"}),
        (1, "prewarm_pulls_running", {}),
        (2, "prewarm_pulls_waiting", {}),
        (1, "prewarm_runtime_up", {}),
        (1769817600, "prewarm_last_sync_timestamp_seconds", {}),
        (1, "prewarm_api_requests_total", {"verb": "patch", "resource": "nodeimages/status", "code": "200"}),
        (1, "prewarm_watch_restarts_total", {"reason": "expired"}),
        (1, "prewarm_status_writes_total", {"result": "written"}),
        (1, "prewarm_events_dropped_total", {}),
        (70, "prewarm_image_filesystem_free_bytes", {}),
        (100, "prewarm_image_filesystem_size_bytes", {}),
        (20, "prewarm_image_filesystem_floor_bytes", {}),
        (1, "prewarm_build_info", {"version": "1.2.3"}),
    ],
)
def test_what_is_told_is_shown(metrics: AgentMetrics, expected: float, name: str, labels: dict[str, str]) -> None:
    """Each method moves the metric that its name says."""
    _everything(metrics)

    assert expected == _value(metrics, name, **labels)


def test_each_label_of_the_catalogue_is_used(metrics: AgentMetrics) -> None:
    """The documented labels are those of the samples."""
    _everything(metrics)
    families = _families(metrics)

    shown = {
        described.name: {label for sample in families[_family_name(described)].samples for label in sample.labels}
        for described in METRICS
    }

    assert {described.name: set(described.labels) for described in METRICS} == {
        name: labels - {"le"} for name, labels in shown.items()
    }


def test_the_text_is_prometheus_s_own(metrics: AgentMetrics) -> None:
    """In the format that every Prometheus reads without negotiation."""
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
    assert metrics.text().endswith(b"\n")


def test_a_reason_that_is_over_holds_of_no_image(metrics: AgentMetrics) -> None:
    """An alert on it ends; a reason that has never been has no sample."""
    metrics.reasons_counted({Reason.DISK_LOW: 3})

    metrics.reasons_counted({Reason.EVICTION_LOOP: 1})

    assert 0 == _value(metrics, "prewarm_images_by_reason", reason="DiskLow")
    assert 1 == _value(metrics, "prewarm_images_by_reason", reason="EvictionLoop")
    assert 2 == len(_families(metrics)["prewarm_images_by_reason"].samples)


def test_two_agents_count_apart(metrics: AgentMetrics) -> None:
    """Nothing is global."""
    other = AgentMetrics(version="1", space=Asked(lambda: ROOMY))

    metrics.image_evicted()

    assert 0 == _value(other, "prewarm_evictions_total")


def test_registries_are_bounded(metrics: AgentMetrics) -> None:
    """Who can write NodeImages cannot fill our memory; those known before keep their names."""
    for number in range(MOST_REGISTRIES + 30):
        metrics.bytes_arrived(f"registry-{number}", count=1)
    metrics.bytes_arrived("registry-0", count=1)

    assert 2 == _value(metrics, "prewarm_pull_bytes_total", registry="registry-0")
    assert 30 == _value(metrics, "prewarm_pull_bytes_total", registry=OTHER_REGISTRIES)
    assert MOST_REGISTRIES + 1 == len(_families(metrics)["prewarm_pull_bytes"].samples)


def test_pull_buckets_are_wide() -> None:
    """From an unchanged tag to an hour."""
    assert (0.1, 3600) == (min(PULL_BUCKETS_SECONDS), max(PULL_BUCKETS_SECONDS))


def test_a_filesystem_that_cannot_be_measured_has_no_sample() -> None:
    """An absent sample says so; 0 would be a full disk."""

    def fail() -> Space:
        raise OSError

    metrics = AgentMetrics(version="1", space=Asked(fail))

    assert [] == _families(metrics)["prewarm_image_filesystem_free_bytes"].samples


class Slow:
    """Something that is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = 0

    def __call__(self) -> int:
        """Answer with how often it was asked."""
        self.asked += 1
        assert self.let.wait(10)
        return self.asked


class Dial:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def slow() -> Iterator[Slow]:
    """A slow answer that is let at the end."""
    slow = Slow()
    yield slow
    slow.let.set()


def test_a_late_answer_is_not_waited_for(slow: Slow) -> None:
    """A scrape goes on without it, and who comes meanwhile does not ask again."""
    asked = Asked(slow, patience_seconds=0.01)

    first = asked.value()
    until(lambda: slow.asked, what="it is asked", timeout_seconds=5)
    answers = [first, asked.value(), asked.value()]

    assert [None, None, None] == answers
    assert 1 == slow.asked


def test_a_late_answer_serves_the_next(slow: Slow) -> None:
    """It was not asked for in vain."""
    asked = Asked(slow, patience_seconds=0.01)

    early = asked.value()
    slow.let.set()

    assert early is None
    assert 1 == until(asked.value, what="the answer", timeout_seconds=5)
    assert 1 == slow.asked


def test_an_answer_is_good_for_a_while(slow: Slow) -> None:
    """Many readers ask once in that time."""
    slow.let.set()
    clock = Dial()
    asked = Asked(slow, keep_seconds=5, patience_seconds=10, monotonic=clock)

    early = asked.value()
    clock.seconds = 4.9
    kept = asked.value()
    clock.seconds = 5
    late = asked.value()

    assert (1, 1, 2) == (early, kept, late)


def test_that_there_is_no_answer_is_kept_too() -> None:
    """A runtime that is away is not asked at each read."""
    asks: list[None] = []

    def fail() -> int:
        asks.append(None)
        raise OSError

    asked = Asked(fail, patience_seconds=10)

    assert (None, None) == (asked.value(), asked.value())
    assert 1 == len(asks)


def test_a_process_without_threads_to_spare_asks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on processes costs one answer, and not all that would follow."""
    asked = Asked(lambda: 7, patience_seconds=10)

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", none_left)
        early = asked.value()

    assert early is None
    assert 7 == asked.value()
