"""docs/coordinator.md tells an operator all that there is to see of a coordinator: metrics, log, events, state."""

import re
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from daemon.beside.verdict import Finding, Row
from daemon.coordinator import announcer, watchman
from daemon.coordinator.lists import announcing
from daemon.coordinator.requests import Urgency
from daemon.coordinator.snapshot import CoordinatorState, JobState, ListState
from daemon.coordinator.statejson import About, state_json
from daemon.coordinator.view import _SHOWN_SETTINGS
from daemon.observe.catalogue import Described
from daemon.observe.coordinator_catalogue import COORDINATOR_METRICS, WriteOutcome
from tests.unit.documents import ROOT, logged, rows, text_of
from tests.unit.node.virtual_node import EPOCH, moment


DOCUMENT = "docs/coordinator.md"
# Parts whose keys are names of jobs, nodes, versions, reasons or classes: one row tells them as a whole.
BY_NAME = {
    "cluster.jobs_by_condition",
    "cluster.lists_by_condition",
    "cluster.agents_by_version",
    "cluster.nodes_refused.first",
    "cluster.nodes_skipped",
    "writes.waiting",
    "jobs[].conditions",
    "lists[].conditions",
    "jobs[].nodes",
    "jobs[].turns",
}


@pytest.fixture(scope="module")
def told() -> Mapping[str, str]:
    """The rows of its tables by the names in their first cells."""
    return rows(text_of(DOCUMENT))


def _paths(value: object, prefix: str = "") -> Iterator[str]:
    """Name each leaf of decoded JSON, such as jobs[].nodes."""
    if isinstance(value, dict) and prefix not in BY_NAME:
        for key, inner in value.items():
            yield from _paths(inner, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0], f"{prefix}[]")
    else:
        yield prefix


def _state_fields() -> list[str]:
    about = About(
        identity="a",
        version="1",
        started_at=EPOCH,
        settings=dict.fromkeys(_SHOWN_SETTINGS, ""),
        beside=Finding(row=Row.ALONE, summary="a"),
    )
    state = CoordinatorState(
        at=EPOCH, jobs=(JobState(namespace="team", name="base"),), lists=(ListState(namespace="team", name="base"),)
    )
    return list(_paths(msgspec.json.decode(state_json(state, about=about, now=moment(0)))))


def _lines() -> list[tuple[str, tuple[str, ...]]]:
    paths = [*(ROOT / "daemon/coordinator").rglob("*.py"), *(ROOT / "daemon/observe").glob("*.py")]
    return sorted({line for path in paths for line in logged(path)})


@pytest.mark.parametrize("metric", COORDINATOR_METRICS, ids=lambda metric: metric.name)
def test_each_metric_is_documented_with_its_type_and_labels(metric: Described, told: Mapping[str, str]) -> None:
    """Who writes an alert finds what there is to select by."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)

    assert told.get(metric.name, "").startswith(f"| `{metric.name}` | {metric.kind} | {labels}".rstrip() + " |")


@pytest.mark.parametrize("metric", sorted(set(re.findall(r"\bprewarm_[a-z_]+", text_of(DOCUMENT)))))
def test_each_metric_of_the_document_exists(metric: str) -> None:
    """An alert on a metric that nobody has never fires."""
    assert metric in {described.name for described in COORDINATOR_METRICS}


@pytest.mark.parametrize("outcome", list(WriteOutcome))
def test_each_outcome_of_a_write_is_documented(outcome: WriteOutcome, told: Mapping[str, str]) -> None:
    """The label's values have their meaning."""
    assert outcome.value in told


@pytest.mark.parametrize("urgency", list(Urgency))
def test_each_class_of_writes_is_documented(urgency: Urgency) -> None:
    """Those of the label `class`."""
    (line,) = (line for line in text_of(DOCUMENT).splitlines() if line.startswith("`class` is"))

    assert f"`{urgency.name.lower()}`" in line


@pytest.mark.parametrize(("event", "fields"), _lines())
def test_each_event_of_the_log_is_documented_with_its_fields(
    event: str, fields: tuple[str, ...], told: Mapping[str, str]
) -> None:
    """Who filters a log finds the names and what stands beside them."""
    row = told.get(event, "")

    assert row
    assert [] == [field for field in fields if field and f"`{field}`" not in row]


@pytest.mark.parametrize("what", [watchman.LEASE, watchman.WATCH, watchman.EVENTS, watchman.BESIDE])
def test_each_failure_towards_the_api_server_is_documented(what: str, told: Mapping[str, str]) -> None:
    """By the name that the log has for it."""
    assert f"{what}_failed" in told


@pytest.mark.parametrize("row", [row for row in Row if row is not Row.BOTH_DAEMONS])
def test_each_row_beside_openkruise_is_documented(row: Row, told: Mapping[str, str]) -> None:
    """With what it is; of daemons on a node a coordinator knows nothing."""
    assert row.value in told


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (announcer.REFRESH_STARTED, announcer.NORMAL),
        (announcer.REFRESH_FINISHED, announcer.NORMAL),
        (announcer.STALLED_EVENT, announcer.WARNING),
        (announcer.GATE_OPENED_COLD, announcer.WARNING),
        *((str(ending), announcer.WARNING) for ending in announcer._ENDINGS),
        (announcing.MADE, announcer.NORMAL),
        (announcing.DELETED, announcer.NORMAL),
        (announcing.REFUSED, announcer.WARNING),
    ],
)
def test_each_event_of_the_cluster_is_documented(reason: str, kind: str, told: Mapping[str, str]) -> None:
    """With its type, by which one selects."""
    assert told.get(reason, "").startswith(f"| `{reason}` | {kind} |")


@pytest.mark.parametrize("path", re.findall(r'"(/[a-z]+)":', text_of("daemon/coordinator/view.py")))
def test_each_path_is_documented(path: str, told: Mapping[str, str]) -> None:
    """What the port answers."""
    assert path in told


@pytest.mark.parametrize("field", _state_fields())
def test_each_field_of_the_state_is_documented(field: str, told: Mapping[str, str]) -> None:
    """Whoever looks into a coordinator knows what they see."""
    assert field in told


def test_the_alert_of_the_runbook_is_the_one_of_the_rules() -> None:
    """Who copies the rules gets the alert that the runbook explains."""
    expression = " ".join(text_of("docs/runbook.md").partition("```promql\n")[2].partition("```")[0].split())

    assert f"expr: {expression}\n" in text_of(DOCUMENT)
