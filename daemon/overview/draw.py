"""
A page as lines of pieces: columns lined up as kubectl does, bars, and nothing that a terminal would act on.

Pure. A piece keeps its tone, so that whoever writes it may colour it; plain text is the pieces put together.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from daemon.overview.page import Block, Cell, Facts, Notes, Page, Row, Table, Tone


GAP: Final = "   "
BAR_WIDTH: Final = 20


class Piece(NamedTuple):
    """Some of a line, in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Piece, ...]


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """How a bar is drawn: what is done, what is left, and what stands around it."""

    done: str
    left: str
    begin: str = ""
    end: str = ""


ASCII_BARS: Final = Bars(done="#", left="-", begin="[", end="]")
LINE_BARS: Final = Bars(done="━", left="─")


def lines_of(page: Page, *, bars: Bars = ASCII_BARS) -> list[Line]:
    """Return a page's lines, blocks apart by an empty one."""
    lines: list[Line] = []
    for block in page.blocks:
        lines += [()] if lines else []
        lines += _block(block, bars=bars)
    return lines


def rows_of(table: Table, *, bars: Bars = ASCII_BARS) -> list[Line]:
    """Return a table's lines: first the names of its columns, then a line a row."""
    head = tuple(Cell(text=name, tone=Tone.HEAD) for name in table.columns)
    grid = [[_pieces(each, bars=bars) for each in cells] for cells in (head, *(row.cells for row in table.rows))]
    widths = [max(map(_width, column)) for column in zip(*grid, strict=True)]
    return [_row(cells, widths=widths) for cells in grid]


def plain(line: Line) -> str:
    """Return a line as text."""
    return "".join(piece.text for piece in line)


def harmless(text: str) -> str:
    """Escape what a terminal would act on: registries and daemons choose some of the words."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def joined(row: Row) -> str:
    """Return a row's words on one line without lining them up, as for a log."""
    return GAP.join(plain(_pieces(each, bars=ASCII_BARS)) for each in row.cells)


def _block(block: Block, *, bars: Bars) -> Iterator[Line]:
    match block:
        case Notes():
            yield from ((Piece(harmless(text)),) for text in block.lines)
        case Facts():
            yield from _facts(block, bars=bars)
        case Table():
            if block.title:
                yield (Piece(block.title, Tone.HEAD),)
            yield from rows_of(block, bars=bars)
            if block.more:
                yield (Piece(f"... {block.more} more", Tone.DIM),)


def _facts(block: Facts, *, bars: Bars) -> Iterator[Line]:
    width = max(len(label) for label, _ in block.rows) + 1
    for label, value in block.rows:
        yield (Piece(f"{label}:".ljust(width + len(GAP)), Tone.HEAD), *_pieces(value, bars=bars))


def _pieces(each: Cell, *, bars: Bars) -> Line:
    words = Piece(harmless(each.text), each.tone)
    if each.share is None:
        return (words,)
    done = max(0, min(BAR_WIDTH, int(BAR_WIDTH * each.share)))
    bar = (
        Piece(f"{bars.begin}{bars.done * done}", Tone.GOOD),
        Piece(f"{bars.left * (BAR_WIDTH - done)}{bars.end} ", Tone.DIM),
    )
    return (*bar, words)


def _row(cells: Sequence[Line], *, widths: Sequence[int]) -> Line:
    line: list[Piece] = []
    for pieces, width in zip(cells[:-1], widths[:-1], strict=True):
        line += pieces
        line.append(Piece(" " * (width - _width(pieces)) + GAP))
    return (*line, *cells[-1])


def _width(pieces: Line) -> int:
    return sum(len(piece.text) for piece in pieces)
