"""
A page of text as a value: facts, tables and notes, whose cells know what they mean but not how they are drawn.

Pure. draw.py makes lines of it, and changes.py tells what has changed since another.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Tone(StrEnum):
    """How a cell is meant, which a terminal may show by a colour."""

    PLAIN = ""
    HEAD = "head"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """
    A few words.

    Attributes:
        text: the words, as an object has them: whoever draws them escapes what a terminal would act on.
        tone: how they are meant.
        share: 0 to 1, drawn as a bar before the words; None for no bar.
        is_clock: the words change as time goes on, and nothing has happened.
    """

    text: str = ""
    tone: Tone = Tone.PLAIN
    share: float | None = None
    is_clock: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a table; `key` tells it from the others, and stays while its words change."""

    key: str
    cells: tuple[Cell, ...]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Labels with their values, each on a line."""

    rows: tuple[tuple[str, Cell], ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows below the names of their columns; `title` stands above, how many `more` there are below."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""
    more: int = 0


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences, each on a line."""

    lines: tuple[str, ...]


Block = Facts | Table | Notes


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown at one moment."""

    blocks: tuple[Block, ...] = ()


def cell(text: object, tone: Tone = Tone.PLAIN) -> Cell:
    """Make a cell; what is absent or empty is a dash."""
    return Cell(text=str(text) if text not in {None, ""} else "-", tone=tone)


def count_cell(number: int | None, tone: Tone) -> Cell:
    """Return the cell of a count that means something, unless it is none or 0."""
    return cell(number, tone if number else Tone.PLAIN)


def page_of(blocks: Sequence[Block | None]) -> Page:
    """Make a page of the blocks that have something to say."""
    return Page(blocks=tuple(block for block in blocks if block is not None and _is_told(block)))


def _is_told(block: Block) -> bool:
    if isinstance(block, Notes):
        return bool(block.lines)
    return bool(block.rows)
