"""What Prometheus reads of a coordinator: every documented metric, and nothing of a job or a term that is gone."""

from datetime import UTC, datetime

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from daemon.observe.asked import Asked
from daemon.observe.catalogue import METRICS, Described, Kind
from daemon.observe.coordinator_catalogue import COORDINATOR_METRICS, WriteOutcome
from daemon.observe.coordinator_metrics import (
    MOST_JOBS,
    MOST_VERSIONS,
    OTHER,
    CoordinatorMetrics,
    Figures,
    JobFigures,
)
from daemon.observe.metrics import AgentMetrics, Space


FIGURES = Figures(
    is_synced=True,
    last_sync_at=datetime(2026, 1, 31, tzinfo=UTC),
    jobs_by_condition={"Ready": 2, "Stalled": 1},
    jobs=(
        JobFigures(
            name="team/base",
            nodes={"warm": 488, "cold": 312},
            stall_reason="ImageNotFound",
            is_suspended=True,
            eta_at=datetime(2026, 1, 31, 1, tzinfo=UTC),
            refresh_deadline_at=datetime(2026, 1, 31, 2, tzinfo=UTC),
        ),
    ),
    lists_by_condition={"Stalled": 1},
    stalled_lists=(("team/nightly", "JobsRefused"),),
    agents_by_version={"0.1.0": 799},
    nodes_without_agent=1,
    nodes_skipped={"AgentSilent": 4},
    nodes_refused=2,
    gates_closed=3,
    writes_waiting={"grant": 40},
    writes_running=16,
    throttled_seconds=2.5,
)


class Leader:
    """Figures that a test changes."""

    def __init__(self) -> None:
        self.figures: Figures | None = FIGURES


@pytest.fixture
def leader() -> Leader:
    """A coordinator that leads."""
    return Leader()


@pytest.fixture
def metrics(leader: Leader) -> CoordinatorMetrics:
    """The metrics of one that has done everything once."""
    metrics = CoordinatorMetrics(version="1.2.3", figures=lambda: leader.figures)
    metrics.leads(is_leader=True)
    metrics.beside("undecided", stands_aside=True)
    metrics.beside("leftover-webhooks", stands_aside=False)
    metrics.gate_opened("warm")
    metrics.write_ended("grant", outcome=WriteOutcome.DONE)
    metrics.passed_over("nodeimages")
    metrics.api_requested("patch", "nodeimages", "200")
    metrics.watch_restarted("expired")
    metrics.event_dropped()
    return metrics


def _families(metrics: CoordinatorMetrics) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}


def _value(metrics: CoordinatorMetrics, name: str, **labels: str) -> float | None:
    samples = [sample for family in _families(metrics).values() for sample in family.samples]
    return next((one.value for one in samples if (one.name, one.labels) == (name, labels)), None)


def _family_name(described: Described) -> str:
    return described.name.removesuffix("_total") if described.kind is Kind.COUNTER else described.name


def test_the_catalogue_is_what_is_shown(metrics: CoordinatorMetrics) -> None:
    """Each metric has its name, kind, help and labels there, and nothing else is called prewarm_."""
    shown = {
        name: (family.type, family.documentation, {label for one in family.samples for label in one.labels})
        for name, family in _families(metrics).items()
        if not name.startswith("process_")
    }

    assert shown == {
        _family_name(described): (described.kind, described.help, set(described.labels))
        for described in COORDINATOR_METRICS
    }
    assert b"_created" not in metrics.text()


@pytest.mark.parametrize("described", COORDINATOR_METRICS, ids=lambda described: described.name)
def test_each_metric_keeps_the_conventions(described: Described) -> None:
    """Prefix, base units, _total for counters alone, a sentence of help, and no label that Prometheus sets."""
    assert described.name.startswith("prewarm_")
    assert (described.kind is Kind.COUNTER) == described.name.endswith("_total")
    assert described.help.endswith(".")
    assert not {"job", "instance", "namespace", "pod"} & set(described.labels)


def test_an_agent_s_metrics_have_other_names() -> None:
    """One process may be both, and one text may not have a name twice."""
    assert not {described.name for described in METRICS} & {described.name for described in COORDINATOR_METRICS}


def test_both_in_one_process_are_one_text() -> None:
    """Every name is there once, the process's own figures too."""
    space = Space(free_bytes=70, size_bytes=100, floor_bytes=20)
    agent = AgentMetrics(version="1", space=Asked(lambda: space))
    coordinator = CoordinatorMetrics(version="1", figures=lambda: FIGURES, has_process=False)

    lines = (agent.text() + coordinator.text()).decode().splitlines()

    types = [line for line in lines if line.startswith("# TYPE")]
    assert len(set(types)) == len(types)


@pytest.mark.parametrize(
    ("expected", "name", "labels"),
    [
        (1, "prewarm_coordinator_leader", {}),
        (1, "prewarm_coordinator_leaderships_total", {"change": "won"}),
        (0, "prewarm_coordinator_stands_aside", {"row": "leftover-webhooks"}),
        (None, "prewarm_coordinator_stands_aside", {"row": "undecided"}),
        (1, "prewarm_coordinator_synced", {}),
        (1769817600, "prewarm_coordinator_last_sync_timestamp_seconds", {}),
        (2, "prewarm_jobs", {"condition": "Ready"}),
        (488, "prewarm_job_nodes", {"imagepulljob": "team/base", "state": "warm"}),
        (1, "prewarm_job_stalled", {"imagepulljob": "team/base", "reason": "ImageNotFound"}),
        (1, "prewarm_job_suspended", {"imagepulljob": "team/base"}),
        (1769821200, "prewarm_job_eta_timestamp_seconds", {"imagepulljob": "team/base"}),
        (1769824800, "prewarm_job_refresh_deadline_timestamp_seconds", {"imagepulljob": "team/base"}),
        (799, "prewarm_agents", {"version": "0.1.0"}),
        (1, "prewarm_nodes_without_agent", {}),
        (4, "prewarm_nodes_skipped", {"reason": "AgentSilent"}),
        (2, "prewarm_coordinator_nodes_refused", {}),
        (3, "prewarm_coordinator_gates_closed", {}),
        (1, "prewarm_coordinator_gates_opened_total", {"reason": "warm"}),
        (40, "prewarm_coordinator_writes_waiting", {"class": "grant"}),
        (16, "prewarm_coordinator_writes_running", {}),
        (1, "prewarm_coordinator_writes_total", {"class": "grant", "outcome": "done"}),
        (2.5, "prewarm_coordinator_throttled_seconds_total", {}),
        (1, "prewarm_coordinator_unreadable_total", {"resource": "nodeimages"}),
        (1, "prewarm_coordinator_events_dropped_total", {}),
        (1, "prewarm_coordinator_build_info", {"version": "1.2.3"}),
    ],
)
def test_what_is_told_is_shown(metrics: CoordinatorMetrics, expected: float, name: str, labels: dict[str, str]) -> None:
    """Each method and each figure moves the metric that its name says."""
    assert expected == _value(metrics, name, **labels)


def test_who_stands_by_shows_nothing_of_the_cluster(metrics: CoordinatorMetrics, leader: Leader) -> None:
    """A sum over two coordinators is the leader's figure, also right after it has changed."""
    leader.figures = None
    metrics.leads(is_leader=False)

    assert 0 == _value(metrics, "prewarm_coordinator_leader")
    for name in ("prewarm_jobs", "prewarm_job_nodes", "prewarm_nodes_without_agent", "prewarm_coordinator_synced"):
        assert [] == _families(metrics)[name].samples


def test_a_job_that_is_gone_leaves_nothing_behind(metrics: CoordinatorMetrics, leader: Leader) -> None:
    """Neither its nodes nor that it stood still."""
    leader.figures = Figures()

    assert [] == [one for name, family in _families(metrics).items() if "_job_" in name for one in family.samples]


def test_a_job_without_an_eta_or_a_window_has_no_sample_of_it(metrics: CoordinatorMetrics, leader: Leader) -> None:
    """An absent time says that nobody knows; 0 would be in the past."""
    leader.figures = Figures(jobs=(JobFigures(name="team/base", nodes={"warm": 1}),))

    shown = {name for name, family in _families(metrics).items() if "_job_" in name and family.samples}

    assert {"prewarm_job_nodes"} == shown


def test_jobs_and_versions_are_bounded(metrics: CoordinatorMetrics, leader: Leader) -> None:
    """A node in foreign hands can't fill anybody's Prometheus with versions, nor a user with jobs."""
    leader.figures = Figures(
        jobs=tuple(JobFigures(name=f"team/{number:05}", nodes={"warm": 1}) for number in range(MOST_JOBS + 9)),
        agents_by_version={"0.1.0": 50, **{f"v{number}": 1 for number in range(MOST_VERSIONS + 4)}},
    )

    assert MOST_JOBS == len(_families(metrics)["prewarm_job_nodes"].samples)
    assert MOST_VERSIONS + 1 == len(_families(metrics)["prewarm_agents"].samples)
    assert 50 == _value(metrics, "prewarm_agents", version="0.1.0")
    assert 5 == _value(metrics, "prewarm_agents", version=OTHER)


def test_two_coordinators_count_apart(metrics: CoordinatorMetrics) -> None:
    """Nothing is global."""
    other = CoordinatorMetrics(version="1", figures=lambda: None)

    metrics.event_dropped()

    assert 0 == _value(other, "prewarm_coordinator_events_dropped_total")
