"""What a newcomer enters: the steps of the README and the guides are ones that a shell, make and the checkout know."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.documents import DOCUMENTS, ROOT, blocks, label, text_of


GUIDES = ("README.md", "docs/quickstart.md", "docs/operations.md")
FIRST_STEPS = ("git clone", "make demo", "make cluster", "make cluster-down", "make test")
REMOVAL = "--selector app.kubernetes.io/instance=prewarm"


def _lines(document: str) -> list[str]:
    """Return the lines of a document's commands."""
    return [line.strip() for block in blocks(ROOT / document, "sh") for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_a_shell_understands_each_block_of_commands(path: Path) -> None:
    """No quote is open and no loop without its end."""
    for block in blocks(path, "sh"):
        done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, timeout=10, check=False)
        assert (0, "") == (done.returncode, done.stderr), block


@pytest.mark.parametrize("step", FIRST_STEPS)
def test_the_readme_has_the_first_steps(step: str) -> None:
    """From nothing to a cluster, and to the tests, from the README alone."""
    assert [line for line in _lines("README.md") if line == step or line.startswith(f"{step} ")]


@pytest.mark.parametrize("document", GUIDES)
def test_make_knows_each_target(document: str) -> None:
    """Whoever enters `make TARGET` gets what the document says."""
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))

    named = [line.split()[1] for line in _lines(document) if line.startswith("make ")]

    assert [] == [name for name in named if name not in targets]


@pytest.mark.parametrize("document", GUIDES)
def test_each_file_of_a_command_is_in_the_checkout(document: str) -> None:
    """What is applied, deleted or changed by a command is there."""
    named = re.findall(r"(?:-[fk] |['\"] )([\w./-]+\.yaml|deploy/[\w/-]+)", "\n".join(_lines(document)))

    assert named
    assert [] == [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("document", GUIDES)
def test_whoever_installs_is_told_how_to_remove_it(document: str) -> None:
    """By the command of deploy/README.md, which a test runs, or by the way there."""
    told = [line for line in _lines(document) if REMOVAL in line]

    assert [] == [line for line in told if line not in _lines("deploy/README.md")]
    assert told or "deploy/README.md#removing-it" in text_of(document)


def test_each_document_is_reached_from_the_readme() -> None:
    """Nobody has to guess that it is there."""
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", text_of("README.md")))

    assert {label(path) for path in (ROOT / "docs").glob("*.md")} == linked
