"""The documents say what the code does: every name is there, links lead somewhere, manifests and commands are good."""

import re
import shlex
from pathlib import Path

import msgspec
import pytest

from daemon.api.manifest import parse_manifests
from daemon.api.reasons import Reason
from daemon.cli import _parser
from daemon.config import (
    AGENT_SETTINGS,
    COORDINATOR_SETTINGS,
    RUN_SETTINGS,
    AgentSettings,
    CoordinatorSettings,
    RunSettings,
    Setting,
)
from daemon.display.events import Event
from tests.manifests.table import cases
from tests.unit.documents import DOCUMENTS, ROOT, anchors, blocks, event_names, headings, label, prose, rows, text_of


OWN_KINDS = ("kind: ImagePullJob", "kind: ImageListPullJob", "kind: NodeImage")
Settings = RunSettings | AgentSettings | CoordinatorSettings
RUN, AGENT, COORDINATOR = RunSettings(), AgentSettings(node_name=""), CoordinatorSettings(identity="")
DEFAULTS: list[tuple[str, Setting, Settings]] = [
    *(("docs/run.md", setting, RUN) for setting in RUN_SETTINGS),
    *(("docs/agent.md", setting, AGENT) for setting in AGENT_SETTINGS),
    *(("docs/coordinator.md", setting, COORDINATOR) for setting in COORDINATOR_SETTINGS),
]

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _flag(value: object) -> str | None:
    return value.flag if isinstance(value, Setting) else None


def _words(default: object) -> str:
    """Write a default as its flag takes it; "" for one that the row says in words."""
    return str(default).lower() if isinstance(default, bool) else str(default or "")


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_has_its_heading(reason: Reason) -> None:
    """A person who meets a reason finds it at docs/reasons.md#REASON."""
    assert 1 == headings(text_of("docs/reasons.md")).count(str(reason))


@pytest.mark.parametrize(("document", "setting", "defaults"), DEFAULTS, ids=_flag)
def test_each_setting_is_documented_with_its_twins_and_default(
    document: str, setting: Setting, defaults: Settings
) -> None:
    """The table of settings has every flag, the variables that say the same, and the default that holds."""
    row = rows(text_of(document)).get(setting.flag, "")

    default = _words(getattr(defaults, setting.field, False))
    expected = [setting.variable, *setting.variables, *([default] if default else [])]
    assert [] == [name for name in expected if f"`{name}`" not in row]


@pytest.mark.parametrize(("document", "setting", "defaults"), DEFAULTS, ids=_flag)
def test_each_alias_of_a_setting_is_documented(document: str, setting: Setting, defaults: Settings) -> None:
    """Someone who comes from kruise-daemon finds the flags that work on."""
    del defaults
    text = text_of(document)

    assert [] == [alias for alias in setting.aliases if f"`{alias}`" not in text]


@pytest.mark.parametrize("field", msgspec.structs.fields(Event), ids=lambda field: field.name)
def test_each_field_of_an_event_is_documented(field: msgspec.structs.FieldInfo) -> None:
    """A program that reads the JSON lines finds each field and its unit."""
    assert field.encode_name in rows(text_of("docs/run.md"))


@pytest.mark.parametrize("name", sorted(event_names()))
def test_each_event_is_documented(name: str) -> None:
    """A program that reads the JSON lines finds each event and when it comes."""
    assert name in rows(text_of("docs/run.md"))


def test_each_event_that_is_shown_is_named_in_its_list() -> None:
    """The list of names, by which the documents are checked, is whole."""
    shown = {
        name
        for path in ("daemon/display/events.py", "daemon/standalone/supervisor.py")
        for name in re.findall(r"(?:event=|_show\(|return |else )\"([a-z]+_[a-z_]+|notice)\"", text_of(path))
    }

    assert shown
    assert set() == shown - event_names()


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_each_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    """No link of a document is dead."""
    links = [link for link in _LINK.findall(prose(path.read_text(encoding="utf-8"))) if ":" not in link]

    dead = []
    for link in links:
        file, _, anchor = link.partition("#")
        target = (path.parent / file) if file else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            dead.append(link)
    assert [] == dead


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_each_job_in_a_document_is_valid(path: Path) -> None:
    """A job that is copied from a document has neither an error nor a warning."""
    jobs = [block for block in blocks(path, "yaml") if any(kind in block for kind in OWN_KINDS)]

    problems = [problem.text for job in jobs for problem in parse_manifests(job, source=label(path)).problems]

    assert [] == problems


def test_the_sample_job_of_the_readme_is_the_example() -> None:
    """The README's first job is the file that the demo runs."""
    example = text_of("examples/base-image-job.yaml")
    lines = [line for line in example.splitlines(keepends=True) if not line.startswith("#")]

    assert "".join(lines) == blocks(ROOT / "README.md", "yaml")[0]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=label)
def test_each_example_is_valid(path: Path) -> None:
    """An example that is applied as it is has neither an error nor a warning."""
    found = parse_manifests(path.read_text(encoding="utf-8"), source=label(path))

    assert [] == [problem.text for problem in found.problems]


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_each_command_in_a_document_parses(path: Path) -> None:
    """A command that is copied from a document has arguments that exist."""
    lines = [line.removeprefix("$ ") for block in blocks(path, "sh", "console") for line in block.splitlines()]
    commands = [part.strip() for line in lines for part in line.split(" | ") if part.strip().startswith("prewarm ")]

    for command in commands:
        _parser().parse_args(shlex.split(command)[1:])


def test_each_test_named_in_the_table_of_differences_exists() -> None:
    """Every deliberate difference from OpenKruise is kept by a test that is there."""
    text = text_of("docs/compatibility.md")
    known_cases = {f"{case.topic}/{case.name}" for case in cases()}

    missing = [name for name in re.findall(r"`table: ([^`]+)`", text) if name not in known_cases]
    for file, _, name in (found.partition("::") for found in re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", text)):
        if not (ROOT / file).exists() or f"def {name}" not in text_of(file):
            missing.append(f"{file}::{name}")
    assert [] == missing
