"""All nodes as a page: which agents there are, and the nodes that are not warm for each job that selects them. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from daemon.coordinator.verdicts import names
from daemon.overview.documents import NodesDocument
from daemon.overview.page import Cell, Notes, Page, Row, Table, Tone, cell, count_cell, page_of
from daemon.overview.surveys import AgentCount, NodeLine
from daemon.overview.words import counted, since


_NARROW: Final = ("NODE", "AGENT", "REPORTED", "READY", "PULLING", "WAITING", "STALE", "COLD", "FAILED", "REASON")
_WIDE: Final = ("RUNTIME", "NOT WARM FOR")


def nodes_page(document: NodesDocument, *, is_wide: bool) -> Page:
    """Return the page of all nodes; wide, it names those where all is well too, and the jobs."""
    if not document.nodes:
        return page_of([Notes(lines=("No NodeImage and no Node found.", *document.notes))])
    has_agents = any(line.agent for line in document.nodes)
    told = [line for line in document.nodes if is_wide or not _is_well(line, has_agents=has_agents)]
    return page_of(
        [
            _agents(document.agents),
            _nodes(told, is_wide=is_wide, now=document.time),
            Notes(lines=(*_rest(len(document.nodes) - len(told), has_agents=has_agents), *document.notes)),
        ]
    )


def _is_well(line: NodeLine, *, has_agents: bool) -> bool:
    """Tell whether there is nothing to say of a node; that it has no agent, only where others have one."""
    return (bool(line.agent) or not has_agents) and line.warm == line.jobs and not line.reason


def _rest(well: int, *, has_agents: bool) -> tuple[str, ...]:
    rest = f"{counted(well, 'node')} more: warm for each job" + (", with an agent" if has_agents else "")
    return (
        *((f"{rest}; -o wide names them",) if well else ()),
        *(() if has_agents else ("no agent is known on any node: OpenKruise's CRDs and daemon tell of none",)),
    )


def _agents(agents: Sequence[AgentCount]) -> Table:
    rows = tuple(
        Row(
            key=each.version,
            cells=(
                cell(each.version or "none", Tone.PLAIN if each.version else Tone.WARN),
                cell(each.nodes),
                cell(names(each.names, count=each.nodes)),
            ),
        )
        for each in agents
    )
    return Table(title="AGENTS", columns=("VERSION", "COUNT", "NODES"), rows=rows)


def _nodes(lines: Sequence[NodeLine], *, is_wide: bool, now: datetime) -> Table:
    columns = (*_NARROW, *(_WIDE if is_wide else ()), "MESSAGE")
    rows = tuple(Row(key=line.name, cells=_cells(line, is_wide=is_wide, now=now)) for line in lines)
    return Table(title="NODES" if is_wide else "NOT WARM", columns=columns, rows=rows)


def _cells(line: NodeLine, *, is_wide: bool, now: datetime) -> tuple[Cell, ...]:
    wide = (cell(line.runtime), cell(", ".join(line.not_warm))) if is_wide else ()
    return (
        cell(line.name),
        cell(line.agent or "none", Tone.PLAIN if line.agent else Tone.WARN),
        Cell(text=since(line.reported_at, now=now) or "-", is_clock=True),
        cell(f"{line.warm}/{line.jobs}", Tone.GOOD if line.jobs and line.warm == line.jobs else Tone.PLAIN),
        cell(line.pulling),
        cell(line.waiting),
        count_cell(line.stale, Tone.WARN),
        count_cell(line.cold, Tone.BAD),
        count_cell(line.failed, Tone.BAD),
        cell(line.reason, Tone.WARN if line.skipped else Tone.BAD),
        *wide,
        cell(line.message),
    )
