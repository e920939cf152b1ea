"""
How tests read the documents: text, code blocks, anchors of headings, rows of tables; and which events those have.

Also how they read what the code logs, which the documents tell.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from daemon.display.events import Event


ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "requirements/*.md", "tests/**/*.md", "bench/*.md")
    for path in ROOT.glob(pattern)
)

LEVELS = {"debug", "info", "warning", "error", "exception"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def text_of(path: str) -> str:
    """Return a file's text, by its path from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def label(path: Path) -> str:
    """Name a file by its path from the root, for a test's ID."""
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> list[str]:
    """Return the code blocks of these languages."""
    return [body for language, body in _FENCE.findall(path.read_text(encoding="utf-8")) if language in languages]


def prose(text: str) -> str:
    """Return a document without its code blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[str]:
    """Return a document's headings."""
    return _HEADING.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings as a repository's host makes them."""
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings(text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def rows(text: str) -> dict[str, str]:
    """Return the rows of a document's tables, each by every name that stands in backquotes in its first cell."""
    lines = [line for line in prose(text).splitlines() if line.startswith("| `")]
    return {name: line for line in lines for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])}


def event_names() -> set[str]:
    """Return the names of the events that `prewarm run` shows, as they are listed where an Event is described."""
    listed = (Event.__doc__ or "").partition("Names:")[2]
    return set(re.findall(r"[a-z]+(?:_[a-z]+)*", listed))


def logged(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Find each event that a module logs by a name of its own, with the fields that are named there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_log(node.func) and node.args:
            name = _name(node.args[0], constants)
            if name:
                yield name, tuple("exception" if key.arg == "exc_info" else key.arg or "" for key in node.keywords)


def _is_log(function: ast.expr) -> bool:
    return (isinstance(function, ast.Attribute) and function.attr in LEVELS) or ast.unparse(function) in {
        "log",
        "level",
    }


def _name(argument: ast.expr, constants: Mapping[str, object]) -> str:
    """Return the event's name; "" for one that only running the code tells."""
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    return str(constants.get(argument.id, "")) if isinstance(argument, ast.Name) else ""
