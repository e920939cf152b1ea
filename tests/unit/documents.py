"""How tests read the documents: text, code blocks, anchors of headings, rows of tables; and which events those have."""

import re
from pathlib import Path

from daemon.display.events import Event


ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md", "requirements/*.md", "tests/**/*.md", "bench/*.md")
    for path in ROOT.glob(pattern)
)

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
