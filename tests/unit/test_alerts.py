"""Alerts and dashboard ask for what is exported, lead to the runbook, and are scraped from the Pods that there are."""

import re
from collections.abc import Iterable
from typing import Any, Final

import pytest
import yaml

from daemon.agent.measures import STATES
from daemon.api.reasons import Reason
from daemon.coordinator.standing import Group
from daemon.observe.catalogue import Result
from daemon.observe.coordinator_catalogue import WriteOutcome
from tests.monitoring import (
    EXTRAS,
    SCRAPED,
    Expression,
    alerts,
    dashboard,
    documented_rules,
    exported,
    expression,
    panels,
    queries,
)
from tests.unit.documents import ROOT, anchors, blocks, text_of


RUNBOOK: Final = "docs/runbook.md"
NAMES: Final = ("NodesCold", "RefreshLate", "NoLeader", "AgentMissing", "RegistryThrottled", "DiskLow", "EvictionLoop")
ALERTS: Final = {alert["alert"]: alert for alert in alerts()}
EXPRESSIONS: Final = {
    **{f"alert {name}": alert["expr"] for name, alert in ALERTS.items()},
    **{f"panel {name}": text for name, text in queries().items()},
}
# Of kube-state-metrics: no agent and no coordinator knows them, and the rules that need them say so.
FOREIGN: Final = {"kube_node_created", "kube_node_spec_taint"}
VALUES: Final[dict[tuple[str, str], Iterable[str]]] = {
    ("prewarm_job_nodes", "state"): Group,
    ("prewarm_images", "state"): STATES,
    ("prewarm_images_by_reason", "reason"): Reason,
    ("prewarm_nodes_skipped", "reason"): Reason,
    ("prewarm_pull_duration_seconds_bucket", "result"): Result,
    ("prewarm_coordinator_writes_total", "outcome"): WriteOutcome,
}


def _missing(found: Expression) -> list[str]:
    """Name what an expression asks for and nothing exports."""
    known = exported()
    labels = {label for metric in found.metrics for label in known.get(metric, ())} | SCRAPED
    absent = sorted(found.metrics - known.keys())
    absent += [f"{metric}.{label}" for metric, label, _, _ in found.matchers if label not in known.get(metric, ())]
    return [*absent, *sorted(found.grouping - labels)]


def _pods(kind: str) -> dict[str, Any]:
    objects = yaml.safe_load_all(text_of("daemonset.yaml"))
    (found,) = (each for each in objects if each["kind"] == kind)
    template: dict[str, Any] = found["spec"]["template"]
    return template


def _section(name: str) -> str:
    return text_of(RUNBOOK).partition(f"\n### {name}\n")[2].partition("\n#")[0]


def test_an_expression_is_read_whole() -> None:
    """What these tests see of one: metrics bare and with selectors, matchers, and groupings of every kind."""
    text = (
        'sum by (a, le) (rate(x_total{b="c",d=~"e{2}"}[5m] offset 1h)) > on (f) (y unless max(z) < time()) or vector(0)'
    )

    found = expression(text.replace("{2}", ""))

    assert {"x_total", "y", "z"} == found.metrics
    assert (("x_total", "b", "=", "c"), ("x_total", "d", "=~", "e")) == found.matchers
    assert {"a", "le", "f"} == found.grouping


def test_what_nothing_exports_is_found() -> None:
    """A metric, a label that selects, and a label that groups, each misspelt."""
    assert ["prewarm_jobs_nodes"] == _missing(expression("sum(prewarm_jobs_nodes)"))
    assert ["prewarm_job_nodes.job"] == _missing(expression('prewarm_job_nodes{job="a"}'))
    assert ["reason"] == _missing(expression("sum by (reason) (prewarm_job_nodes)"))


def test_the_alerts_are_these() -> None:
    """Those that the runbook has sections for."""
    assert NAMES == tuple(alert["alert"] for alert in alerts())


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_each_metric_and_label_is_exported(name: str) -> None:
    """An alert on a metric or label that nobody has never fires, and a panel stays empty."""
    found = expression(EXPRESSIONS[name])

    assert found.metrics
    assert [] == _missing(found)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_each_value_of_a_label_is_one_that_it_can_have(name: str) -> None:
    """A reason or state that is misspelt never fires either."""
    closed = [one for one in expression(EXPRESSIONS[name]).matchers if one[3] != ".*"]

    assert [] == [
        f"{metric}.{label}={value}"
        for metric, label, _, value in closed
        if value not in [str(one) for one in VALUES[metric, label]]
    ]


@pytest.mark.parametrize("document", ["docs/agent.md", "docs/coordinator.md"])
def test_each_metric_and_label_of_a_documented_rule_is_exported(document: str) -> None:
    """Who copies the rules of a document gets alerts that can fire."""
    (group,) = yaml.safe_load(documented_rules(document))["groups"]

    missing = [name for rule in group["rules"] for name in _missing(expression(rule["expr"]))]
    assert set() == set(missing) - FOREIGN - {"kube_node_spec_taint.key"}


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_says_how_urgent_it_is_and_what_it_is_about(name: str) -> None:
    """With how long it has to be so, and a summary and description that name the job, registry or node."""
    alert = ALERTS[name]

    annotations = alert["annotations"]
    grouping = expression(alert["expr"]).grouping
    used = set(re.findall(r"\$labels\.(\w+)", annotations["summary"] + annotations["description"]))
    assert ("page" if name in {"NodesCold", "NoLeader"} else "ticket") == alert["labels"]["severity"]
    assert re.fullmatch(r"\d+m", alert["for"])
    assert grouping == used
    assert annotations["summary"].startswith("Prewarm: ")


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_leads_to_its_section_of_the_runbook(name: str) -> None:
    """What it means, one command, and what to do."""
    file, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")
    section = _section(name)

    assert (RUNBOOK, name.lower()) == (file, anchor)
    assert anchor in anchors(text_of(file))
    assert "**What it means**" in section
    assert 1 == len(re.findall(r"^```sh\n.*\n```$", section, re.MULTILINE))
    assert f"`{ALERTS[name]['labels']['severity']}`" in section


def test_each_panel_has_a_title_and_a_query() -> None:
    """And says what one sees; rows have a title alone."""
    empty = [
        panel["title"]
        for panel in panels()
        if panel["type"] != "row" and not (panel.get("description") and panel.get("targets"))
    ]

    assert [] == empty
    assert all(panel["title"] for panel in panels())


def test_each_panel_has_an_id_and_a_place_of_its_own() -> None:
    """Grafana drops one of two panels with the same id, and pushes down what lies over another."""
    places = [panel["gridPos"] for panel in panels()]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_asks_the_data_source_that_is_chosen() -> None:
    """No address and no name of anybody's Prometheus is in it."""
    shown = dashboard()

    variables = {variable["name"]: variable["type"] for variable in shown["templating"]["list"]}
    asked = [one["datasource"] for panel in panels() if "targets" in panel for one in (panel, *panel["targets"])]
    assert {"datasource": "datasource", "imagepulljob": "query"} == variables
    assert [{"type": "prometheus", "uid": "${datasource}"}] * len(asked) == asked
    assert isinstance(shown["schemaVersion"], int)


@pytest.mark.parametrize(
    "metric",
    [
        "prewarm_job_nodes",
        "prewarm_pulls_running",
        "prewarm_pull_duration_seconds_bucket",
        "prewarm_failures_total",
        "prewarm_registry_throttles_total",
        "prewarm_image_filesystem_floor_bytes",
        "prewarm_coordinator_leader",
        "prewarm_coordinator_throttled_seconds_total",
        "prewarm_agents",
    ],
)
def test_the_dashboard_shows_what_one_looks_for(metric: str) -> None:
    """Warm, stale and cold by job, pulls, failures, registries, disks, leader, budget of writes, agents by version."""
    assert [name for name, text in queries().items() if metric in expression(text).metrics]


@pytest.mark.parametrize(("name", "kind"), [("prewarm-agent", "DaemonSet"), ("prewarm-coordinator", "Deployment")])
def test_the_pods_are_scraped(name: str, kind: str) -> None:
    """By labels and a port that the manifest's Pods have, in their namespace."""
    monitors = {each["metadata"]["name"]: each for each in yaml.safe_load_all((EXTRAS / "podmonitor.yaml").read_text())}
    pods, monitor = _pods(kind), monitors[name]

    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    ports = [port["name"] for container in pods["spec"]["containers"] for port in container["ports"]]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
    assert "prewarm-system" == monitor["metadata"]["namespace"]
    assert [endpoint["port"]] == ports
    assert "/metrics" == endpoint["path"]


def test_the_scrape_tells_nodes_apart() -> None:
    """Alerts of an agent are by the label `node`, which its metrics do not have: with the operator and without."""
    agent, _ = yaml.safe_load_all(text_of("deploy/extras/podmonitor.yaml"))
    (config,) = (block for block in blocks(ROOT / "docs/agent.md", "yaml") if "scrape_configs" in block)
    (job,) = yaml.safe_load(config)["scrape_configs"]

    source = "__meta_kubernetes_pod_node_name"
    (endpoint,) = agent["spec"]["podMetricsEndpoints"]
    assert [{"sourceLabels": [source], "targetLabel": "node"}] == endpoint["relabelings"]
    assert {"source_labels": [source], "target_label": "node"} in job["relabel_configs"]


def test_the_files_are_all_there_is_beside_their_document() -> None:
    """Each file of the folder has a row in its README."""
    text = text_of("deploy/extras/README.md")

    assert [] == [path.name for path in EXTRAS.iterdir() if path.suffix != ".md" and f"`{path.name}`" not in text]
