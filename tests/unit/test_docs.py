"""The documents say what the code does: every name is there, links lead somewhere, manifests and commands are good."""

import re
import shlex
from pathlib import Path

import msgspec
import pytest

from daemon.api.manifest import parse_manifests
from daemon.api.reasons import Reason
from daemon.cli import _parser
from daemon.config import RUN_SETTINGS, RunSettings, Setting
from daemon.display.events import Event
from tests.manifests.table import cases


ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "requirements/*.md", "tests/**/*.md", "bench/*.md")
    for path in ROOT.glob(pattern)
)
OWN_KINDS = ("kind: ImagePullJob", "kind: ImageListPullJob")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _blocks(path: Path, *languages: str) -> list[str]:
    return [body for language, body in _FENCE.findall(path.read_text(encoding="utf-8")) if language in languages]


def _anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings as a repository's host makes them."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def _first_cells(text: str) -> set[str]:
    """Return what stands in backquotes at the beginning of a table's rows."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


def _event_names() -> set[str]:
    listed = (Event.__doc__ or "").partition("Names:")[2]
    return set(re.findall(r"[a-z]+(?:_[a-z]+)*", listed))


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_has_its_heading(reason: Reason) -> None:
    """A person who meets a reason finds it at docs/reasons.md#REASON."""
    headings = _HEADING.findall(_text("docs/reasons.md"))

    assert 1 == headings.count(str(reason))


@pytest.mark.parametrize("setting", RUN_SETTINGS, ids=lambda setting: setting.flag)
def test_each_setting_is_documented_with_its_twins_and_default(setting: Setting) -> None:
    """The table of settings has every flag, the variables that say the same, and the default that holds."""
    row = next((line for line in _text("docs/run.md").splitlines() if line.startswith(f"| `{setting.flag}` |")), "")

    default = getattr(RunSettings(), setting.field)
    expected = [setting.variable, *setting.variables, *([str(default)] if default else [])]
    assert [] == [name for name in expected if f"`{name}`" not in row]


@pytest.mark.parametrize("setting", RUN_SETTINGS, ids=lambda setting: setting.flag)
def test_each_alias_of_a_setting_is_documented(setting: Setting) -> None:
    """Someone who comes from kruise-daemon finds the flags that work on."""
    text = _text("docs/run.md")

    assert [] == [alias for alias in setting.aliases if f"`{alias}`" not in text]


@pytest.mark.parametrize("field", msgspec.structs.fields(Event), ids=lambda field: field.name)
def test_each_field_of_an_event_is_documented(field: msgspec.structs.FieldInfo) -> None:
    """A program that reads the JSON lines finds each field and its unit."""
    assert field.encode_name in _first_cells(_text("docs/run.md"))


@pytest.mark.parametrize("name", sorted(_event_names()))
def test_each_event_is_documented(name: str) -> None:
    """A program that reads the JSON lines finds each event and when it comes."""
    assert name in _first_cells(_text("docs/run.md"))


def test_each_event_that_is_shown_is_named_in_its_list() -> None:
    """The list of names, by which the documents are checked, is whole."""
    shown = {
        name
        for path in ("daemon/display/events.py", "daemon/standalone/supervisor.py")
        for name in re.findall(r"(?:event=|_show\(|return |else )\"([a-z]+_[a-z_]+|notice)\"", _text(path))
    }

    assert shown
    assert set() == shown - _event_names()


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_each_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    """No link of a document is dead."""
    links = [link for link in _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8"))) if ":" not in link]

    dead = []
    for link in links:
        file, _, anchor = link.partition("#")
        target = (path.parent / file) if file else path
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            dead.append(link)
    assert [] == dead


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_each_job_in_a_document_is_valid(path: Path) -> None:
    """A job that is copied from a document has neither an error nor a warning."""
    jobs = [block for block in _blocks(path, "yaml") if any(kind in block for kind in OWN_KINDS)]

    problems = [problem.text for job in jobs for problem in parse_manifests(job, source=_id(path)).problems]

    assert [] == problems


def test_the_sample_job_of_the_readme_is_the_example() -> None:
    """The README's first job is the file that the demo runs."""
    example = _text("examples/base-image-job.yaml")
    lines = [line for line in example.splitlines(keepends=True) if not line.startswith("#")]

    assert "".join(lines) == _blocks(ROOT / "README.md", "yaml")[0]


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_each_command_in_a_document_parses(path: Path) -> None:
    """A command that is copied from a document has arguments that exist."""
    lines = [line.removeprefix("$ ") for block in _blocks(path, "sh", "console") for line in block.splitlines()]
    commands = [part.strip() for line in lines for part in line.split(" | ") if part.strip().startswith("prewarm ")]

    for command in commands:
        _parser().parse_args(shlex.split(command)[1:])


def test_each_test_named_in_the_table_of_differences_exists() -> None:
    """Every deliberate difference from OpenKruise is kept by a test that is there."""
    text = _text("docs/compatibility.md")
    known_cases = {f"{case.topic}/{case.name}" for case in cases()}

    missing = [name for name in re.findall(r"`table: ([^`]+)`", text) if name not in known_cases]
    for file, _, name in (found.partition("::") for found in re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", text)):
        if not (ROOT / file).exists() or f"def {name}" not in _text(file):
            missing.append(f"{file}::{name}")
    assert [] == missing
