"""Prometheus's own tool takes the alerts, and they begin and end when they should; every panel's query parses."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.monitoring import alerts, documented_rules, plain_rules, queries
from tests.servers.promtool import RULES, problems


_FILE: Final = Path(__file__).parent / "alerts/cases.yaml"
CASES: Final[dict[str, list[dict[str, Any]]]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
GROUPS: Final = [(name, group) for name, groups in CASES.items() for group in groups]


def test_the_rule_file_that_the_document_makes_is_good(tmp_path: Path) -> None:
    """Without the operator its `spec` goes to Prometheus as it is."""
    assert "" == problems("check", rules=plain_rules(), folder=tmp_path)


def test_a_rule_file_that_is_not_good_is_told(tmp_path: Path) -> None:
    """So that the other tests mean something."""
    assert "unexpected" in problems("check", rules=plain_rules().replace("max by", "max by by"), folder=tmp_path)


@pytest.mark.parametrize("document", ["docs/agent.md", "docs/coordinator.md"])
def test_the_rules_of_a_document_are_good(tmp_path: Path, document: str) -> None:
    """They are copied as they stand there."""
    assert "" == problems("check", rules=documented_rules(document), folder=tmp_path)


def test_each_query_of_the_dashboard_parses(tmp_path: Path) -> None:
    """Each as a rule of its own, with Grafana's variables filled in."""
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(queries().values())]

    assert rules
    assert "" == problems("check", rules=json.dumps({"groups": [{"name": "panels", "rules": rules}]}), folder=tmp_path)


@pytest.mark.parametrize(("name", "group"), GROUPS, ids=[f"{name}: {group['name']}" for name, group in GROUPS])
def test_an_alert_begins_and_ends(tmp_path: Path, name: str, group: dict[str, Any]) -> None:
    """It fires, with the words that a person reads, and not before, nor after, nor for what only looks like it."""
    tests = {"rule_files": [RULES], "evaluation_interval": group["interval"], "tests": [group]}

    # To YAML 0x40 is a number, unless it stands in quotes.
    assert [] == [one for one in group.get("input_series", ()) if not isinstance(one["values"], str)]
    assert name in json.dumps(group)
    assert "" == problems("test", rules=plain_rules(), tests=json.dumps(tests), folder=tmp_path)


def test_each_alert_is_shown_to_begin_and_to_end() -> None:
    """Silent at first, then firing with its annotations, then silent."""
    seen = {
        name: [bool(moment["exp_alerts"]) for moment in groups[0]["alert_rule_test"]] for name, groups in CASES.items()
    }

    assert {alert["alert"] for alert in alerts()} == set(seen)
    assert [] == [name for name, moments in seen.items() if moments[:3] != [False, True, False]]
