"""What deploy/extras gives to Prometheus and Grafana, as tests read it; and what our registries really export."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from daemon.observe.asked import Asked
from daemon.observe.catalogue import METRICS, Kind
from daemon.observe.coordinator_catalogue import COORDINATOR_METRICS
from daemon.observe.coordinator_metrics import CoordinatorMetrics, Figures
from daemon.observe.metrics import AgentMetrics, Space


ROOT: Final = Path(__file__).parents[1]
EXTRAS: Final = ROOT / "deploy/extras"
SCRAPED: Final = frozenset({"node", "pod"})
"""Labels that the scrape adds: podmonitor.yaml and the documents' scrape_configs."""
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR: Final = re.compile(r"\b([a-z][a-z_]+)\{([^}]*)\}")
_MATCHER: Final = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_DURATION: Final = re.compile(r"\[[^\]]*\]|offset\s+\S+")
_WORD: Final = re.compile(r"\b[a-z_]+\b(?!\s*\()")
_OPERATORS: Final = frozenset({"and", "or", "unless"})


class Expression(msgspec.Struct, frozen=True, kw_only=True):
    """What an expression in PromQL is made of: names of metrics, matchers of labels, labels that group or match."""

    text: str
    metrics: frozenset[str]
    matchers: tuple[tuple[str, str, str, str], ...]
    grouping: frozenset[str]


def expression(text: str) -> Expression:
    """Read an expression; whether it is one is promtool's to say."""
    matchers = tuple(
        (metric, *found) for metric, selector in _SELECTOR.findall(text) for found in _MATCHER.findall(selector)
    )
    grouping = {label.strip() for labels in _GROUPING.findall(text) for label in labels.split(",") if label.strip()}
    bare = _GROUPING.sub(" ", re.sub(r"\{[^}]*\}", " ", _STRING.sub('""', _DURATION.sub(" ", text))))
    return Expression(
        text=text,
        metrics=frozenset(_WORD.findall(bare)) - _OPERATORS - {"e"},
        matchers=matchers,
        grouping=frozenset(grouping),
    )


def exported() -> dict[str, frozenset[str]]:
    """Return each name of a sample that an agent or a coordinator shows, with its labels."""
    space = Space(free_bytes=1, size_bytes=1, floor_bytes=1)
    agent = AgentMetrics(version="1", space=Asked(lambda: space))
    coordinator = CoordinatorMetrics(version="1", figures=Figures)
    shown = set(re.findall(r"^# TYPE (\w+) ", (agent.text() + coordinator.text()).decode(), re.MULTILINE))
    found: dict[str, frozenset[str]] = {}
    for described in (*METRICS, *COORDINATOR_METRICS):
        if described.name in shown:
            labels = frozenset(described.labels)
            ends = ("_sum", "_count") if described.kind is Kind.HISTOGRAM else ("",)
            found.update({f"{described.name}{end}": labels for end in ends})
            if described.kind is Kind.HISTOGRAM:
                found[f"{described.name}_bucket"] = labels | {"le"}
    return found


def alerts() -> list[dict[str, Any]]:
    """Return the rules of alerts.yaml."""
    spec = yaml.safe_load((EXTRAS / "alerts.yaml").read_text(encoding="utf-8"))["spec"]
    return [rule for group in spec["groups"] for rule in group["rules"]]


def plain_rules() -> str:
    """Return the plain rule file, by the command of the document."""
    text = (EXTRAS / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("sed '1,/^spec:/d"))
    command = ["bash", "-c", line.partition(" > ")[0]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True).stdout


def documented_rules(document: str) -> str:
    """Return the rules that a document gives to start from."""
    text = (ROOT / document).read_text(encoding="utf-8")
    (found,) = (
        block for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if "expr:" in block
    )
    return str(found)


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads((EXTRAS / "dashboard.json").read_text(encoding="utf-8"))
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Return the dashboard's panels, those that folded rows hold among them."""
    for panel in dashboard()["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries() -> dict[str, str]:
    """Return the expressions of all panels by panel and query, with Grafana's variables filled in."""
    return {
        f"{panel['title']}/{target['refId']}": target["expr"]
        .replace("$__rate_interval", "5m")
        .replace("$imagepulljob", ".*")
        for panel in panels()
        for target in panel.get("targets", ())
    }
