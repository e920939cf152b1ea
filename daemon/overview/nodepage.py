"""One node as a page: its agent, why jobs leave it out, and where each of its images stands. Pure."""

from datetime import datetime
from typing import Final

from daemon.api.nodeimage import Phase
from daemon.overview.documents import Agent, Condition, Node, NodeDocument, NodeEntry
from daemon.overview.jobpage import progress_cell
from daemon.overview.page import Cell, Facts, Notes, Page, Row, Table, Tone, cell, page_of
from daemon.overview.words import counted, since


_TONES: Final = {Phase.SUCCEEDED.value: Tone.GOOD, Phase.FAILED.value: Tone.BAD}
_UNANSWERED: Final = "Unanswered"
_NARROW: Final = ("IMAGE", "PHASE", "PROGRESS", "REASON", "ATTEMPT", "SINCE", "OWNERS")
_WIDE: Final = ("PRIORITY", "VERSION", "DIGEST")


def node_page(document: NodeDocument, *, is_wide: bool) -> Page:
    """Return a node's page."""
    node, now = document.node, document.time
    columns = (*_NARROW, *(_WIDE if is_wide else ()), "MESSAGE")
    rows = tuple(Row(key=each.image, cells=_cells(each, is_wide=is_wide, now=now)) for each in node.entries)
    none = ("nothing is wanted on this node",) if not node.entries else ()
    return page_of(
        [
            Facts(rows=_facts(node, now=now)),
            Notes(lines=(*document.notes, *none)),
            Table(title="IMAGES", columns=columns, rows=rows),
        ]
    )


def _facts(node: Node, *, now: datetime) -> tuple[tuple[str, Cell], ...]:
    skip = f"{node.skip_reason}: {node.skip_message}"
    return (
        ("Node", Cell(text=node.name)),
        *_agent(node.agent, now=now),
        *((("Skipped", Cell(text=skip, tone=Tone.WARN)),) if node.skip_reason else ()),
        *((each.type, _condition(each)) for each in node.conditions),
        ("Images", Cell(text=_phases(node))),
    )


def _agent(agent: Agent | None, *, now: datetime) -> tuple[tuple[str, Cell], ...]:
    if agent is None:
        return (("Agent", Cell(text="none of Prewarm's has reported", tone=Tone.WARN)),)
    reported = since(agent.reported_at, now=now)
    return (
        ("Agent", cell(agent.version)),
        ("Runtime", cell(agent.runtime)),
        ("Reported", Cell(text=f"{reported} ago" if reported else "-", is_clock=True)),
        ("Started", Cell(text=f"{since(agent.started_at, now=now) or '-'} ago", is_clock=True)),
    )


def _condition(condition: Condition) -> Cell:
    tone = Tone.BAD if condition.status == "False" else Tone.PLAIN
    return Cell(text=f"{condition.status}, {condition.reason}: {condition.message}", tone=tone)


def _phases(node: Node) -> str:
    found: dict[str, int] = {}
    for entry in node.entries:
        phase = (entry.phase or _UNANSWERED).lower()
        found[phase] = found.get(phase, 0) + 1
    of_which = ", ".join(f"{count} {phase}" for phase, count in sorted(found.items()))
    return counted(len(node.entries), "image") + (f": {of_which}" if of_which else "")


def _cells(entry: NodeEntry, *, is_wide: bool, now: datetime) -> tuple[Cell, ...]:
    attempts = f"{entry.attempt}/{entry.attempts_allowed}" if entry.attempt and entry.attempts_allowed else ""
    at = entry.completed_at or entry.started_at or entry.granted_at
    is_pulling = entry.phase == Phase.PULLING
    wide = (cell(entry.priority), cell(entry.version), cell(entry.digest or entry.image_id)) if is_wide else ()
    return (
        cell(entry.image),
        cell(entry.phase or _UNANSWERED, _TONES.get(entry.phase, Tone.PLAIN)),
        progress_cell(percent=entry.percent, stage=entry.stage) if is_pulling else cell(""),
        cell(entry.reason),
        cell(attempts or entry.attempt or ""),
        Cell(text=since(at, now=now) or "-", is_clock=True),
        cell(", ".join(entry.owners) if entry.is_wanted else "no longer wanted"),
        *wide,
        cell(entry.message),
    )
