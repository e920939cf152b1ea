"""
Where documents are shown: as text, as JSON or YAML, once or again and again; on a terminal, terminal.py draws them.

A reader that has gone, and a stream that can't be written, end the command as they end `prewarm run`.
"""

import json
from collections.abc import Callable
from typing import Protocol, TextIO

import msgspec
import yaml

from daemon.display.output import write_line
from daemon.overview.changes import changed_lines
from daemon.overview.documents import Document
from daemon.overview.draw import harmless, lines_of, plain
from daemon.overview.page import Page
from daemon.overview.pages import page_for


class Screen(Protocol):
    """Shows a document, and later ones in its place or after it."""

    def show(self, document: Document, *, trouble: str) -> None:
        """Show what is known; `trouble` says why it may be old, "" where it is not."""
        ...

    def close(self) -> None:
        """Leave the stream as a shell expects it."""
        ...


class Text:
    """Writes a page; of later ones, what has changed."""

    def __init__(self, stream: TextIO, *, is_wide: bool) -> None:
        self._stream = stream
        self._is_wide = is_wide
        self._page: Page | None = None
        self._trouble = ""

    def show(self, document: Document, *, trouble: str) -> None:
        """Write what is new, and a trouble once."""
        page = page_for(document, is_wide=self._is_wide)
        for line in changed_lines(self._page, page):
            write_line(self._stream, line)
        self._page = page
        if trouble and trouble != self._trouble:
            write_line(self._stream, harmless(trouble))
        self._trouble = trouble

    def close(self) -> None:
        """Do nothing: each line was flushed."""


class Documents:
    """Writes each document that says something new, as a program reads it."""

    def __init__(self, stream: TextIO, *, dump: Callable[[Document], str]) -> None:
        self._stream = stream
        self._dump = dump
        self._shown: Document | None = None

    def show(self, document: Document, *, trouble: str) -> None:
        """Write the document, unless only its time is another; a trouble is none of its fields."""
        del trouble
        shown = self._shown
        if shown is None or msgspec.structs.replace(document, time=shown.time) != shown:
            self._shown = document
            write_line(self._stream, self._dump(document))

    def close(self) -> None:
        """Do nothing: each document was flushed."""


def page_text(document: Document, *, is_wide: bool) -> str:
    """Return a document's page as text."""
    return "\n".join(plain(line).rstrip() for line in lines_of(page_for(document, is_wide=is_wide)))


def json_text(document: msgspec.Struct) -> str:
    """Return a document as JSON for people and programs, in ASCII, which every locale has."""
    return json.dumps(msgspec.to_builtins(document), indent=2)


def json_line(document: Document) -> str:
    """Return a document as JSON on one line, for a stream of several."""
    return json.dumps(msgspec.to_builtins(document), separators=(",", ":"))


def yaml_text(document: msgspec.Struct) -> str:
    """Return a document as YAML."""
    return yaml.safe_dump(msgspec.to_builtins(document), sort_keys=False).rstrip()


def yaml_part(document: Document) -> str:
    """Return a document as one of several in a YAML stream."""
    return f"---\n{yaml_text(document)}"
