"""
A page cut to so many lines: each table keeps its first rows, and says how many more there are.

Pure. Short tables stay whole; the long ones share what is left.
"""

import msgspec

from daemon.overview.draw import lines_of
from daemon.overview.page import Block, Page, Table


def fitted(page: Page, *, lines: int) -> Page:
    """Return the page, of which long tables are cut so that it has so many lines; facts and notes stay."""
    tables = [block for block in page.blocks if isinstance(block, Table)]
    needed = len(lines_of(page))
    if needed <= lines or not tables:
        return page
    rows = sum(len(table.rows) for table in tables)
    kept = _shares([len(table.rows) for table in tables], room=lines - (needed - rows))
    cut = iter(_cut(table, rows=share) for table, share in zip(tables, kept, strict=True))
    blocks: list[Block] = [next(cut) if isinstance(block, Table) else block for block in page.blocks]
    return Page(blocks=tuple(blocks))


def _cut(table: Table, *, rows: int) -> Table:
    if rows >= len(table.rows):
        return table
    # The line that tells of the rest takes the place of a row.
    shown = max(0, rows - 1)
    return msgspec.structs.replace(table, rows=table.rows[:shown], more=len(table.rows) - shown)


def _shares(sizes: list[int], *, room: int) -> list[int]:
    """Share lines evenly: what a small one does not need is the others'."""
    shares = [0] * len(sizes)
    left, waiting = max(room, 0), sorted(range(len(sizes)), key=lambda place: sizes[place])
    for done, place in enumerate(waiting):
        shares[place] = min(sizes[place], left // (len(sizes) - done))
        left -= shares[place]
    return shares
