"""docs/architecture.md and docs/security.md name modules and tests that are there, and each phrase of the purpose."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.documents import ROOT, label, text_of


ARCHITECTURE = "docs/architecture.md"
TITLE = "## Each promise, its module, its test"
# The purpose as a person reads it at the head of the table, phrase by phrase.
PHRASES = (
    "puts container images on Kubernetes nodes",
    "before Pods need them",
    "a person writes an ImagePullJob",
    "every selected node",
    "today's and tomorrow's",
    "has the image",
    "fresh under `imagePullPolicy: Always`",
    "and says so",
    "watches those resources",
    "calls the CRI ImageService over gRPC",
    "retries with a backoff limit",
    "and a timeout",
    "reports per node",
    "pre-warms nodes that join by themselves (`completionPolicy: Never`)",
    "an engine that also runs without any API server",
)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split(" | ")]


def _promises() -> dict[str, list[str]]:
    """Return the rows of both tables: what is promised, then the cells of modules and of tests."""
    section = text_of(ARCHITECTURE).partition(TITLE)[2]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    found = [_cells(line) for line in lines]
    return {row[0]: row[1:] for row in found if row[0] not in {"phrase", "promise"}}


def _paths(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def _tests_of(file: str) -> frozenset[str]:
    """Return the names of a module's tests."""
    found = ast.walk(ast.parse(text_of(file)))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef))


def _is_there(named: str) -> bool:
    """Tell whether a test is there that is named as pytest names it: a file, and a function of it."""
    file, _, test = named.partition("::")
    return (ROOT / file).is_file() and (not test or test in _tests_of(file))


@pytest.mark.parametrize("phrase", PHRASES)
def test_each_phrase_of_the_purpose_has_its_module_and_its_test(phrase: str) -> None:
    """Whoever asks where a promise is kept finds it, and what would fail if it were not."""
    modules, tests = _promises()[phrase]

    assert _paths(modules)
    assert [path for path in _paths(tests) if Path(path.partition("::")[0]).name.startswith("test_")]


def test_each_module_that_the_table_names_is_there() -> None:
    """A module that moves takes its row along."""
    named = [path for row in _promises().values() for path in _paths(row[0])]

    assert [] == [path for path in named if not (ROOT / path).is_file()]


@pytest.mark.parametrize("document", [label(path) for path in sorted((ROOT / "docs").glob("*.md"))])
def test_each_test_that_a_document_names_is_there(document: str) -> None:
    """A test that is renamed is renamed where it is promised."""
    named = re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", text_of(document))

    assert [] == [name for name in named if not _is_there(name)]


def test_the_picture_names_every_folder_of_the_code() -> None:
    """None is left without a place in it."""
    picture = text_of(ARCHITECTURE).partition("## The picture")[2].partition(TITLE)[0]
    packages = {path.parent.name for path in (ROOT / "daemon").glob("*/__init__.py")}

    assert set() == {name for name in packages if f"{name}/" not in picture}


def test_each_kind_of_thief_is_told_of_with_what_shows_it() -> None:
    """Each row of the threats has a test, or leads to the section that says what does not stop it."""
    section = text_of("docs/security.md").partition("\n## Threats\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]

    assert len(lines) >= 10
    assert [] == [line for line in lines if "`tests/" not in line and "](#" not in line]
