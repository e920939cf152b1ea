"""
What is new on a page since an earlier one, in lines for a log: `--watch` where there is no terminal.

Pure. What only time has changed, such as an age, is nothing new.
"""

from collections.abc import Iterator

from daemon.overview.draw import harmless, joined, plain, rows_of
from daemon.overview.page import Block, Cell, Facts, Notes, Page, Row, Table


Key = tuple[str, ...]
Said = dict[Key, tuple[str, ...]]


def changed_lines(before: Page | None, after: Page) -> list[str]:
    """Return a line for each thing that is new, says something else, or is gone; at first everything."""
    if before is None:
        return [line for block in after.blocks for line in _whole(block)]
    earlier, now = _said(before), _said(after)
    lines = [line for key, line in _lines(after) if earlier.get(key) != now[key]]
    # A table without a title is the whole of a page: what leaves it has gone, and has not only changed its state.
    return lines + [f"{harmless(key[1])}: gone" for key in earlier if key not in now and not key[0]]


def _whole(block: Block) -> Iterator[str]:
    if isinstance(block, Table) and not block.title:
        yield from (plain(line) for line in rows_of(block))
    else:
        yield from (line for _, line in _lines(Page(blocks=(block,))))


def _lines(page: Page) -> Iterator[tuple[Key, str]]:
    for block in page.blocks:
        match block:
            case Notes():
                yield from (((text,), harmless(text)) for text in block.lines)
            case Facts():
                yield from ((_fact_key(label, cell), f"{label}: {harmless(cell.text)}") for label, cell in block.rows)
            case Table() if not block.title:
                # The columns as they are lined up now.
                texts = [plain(line) for line in rows_of(block)[1:]]
                yield from (((block.title, row.key), text) for row, text in zip(block.rows, texts, strict=True))
            case Table():
                yield from (((block.title, row.key), f"{block.title.lower()}: {joined(row)}") for row in block.rows)


def _said(page: Page) -> Said:
    found: Said = {}
    for block in page.blocks:
        match block:
            case Notes():
                found |= {(text,): () for text in block.lines}
            case Facts():
                found |= {_fact_key(label, cell): _words((cell,)) for label, cell in block.rows}
            case Table():
                found |= {(block.title, row.key): _row_words(row) for row in block.rows}
    return found


def _fact_key(label: str, cell: Cell) -> Key:
    # Of digests there are several.
    return ("fact", label, cell.text.partition(" ")[0] if label == "Digest" else "")


def _row_words(row: Row) -> tuple[str, ...]:
    return _words(row.cells)


def _words(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    return tuple("" if cell.is_clock else cell.text for cell in cells)
