"""
One job as a page: how far it is, who pulls now, what failed, what is left out, and which nodes are cold or stale.

Pure. Counts are the status's; names are those of its nodes, as far as NodeImages could be read.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from daemon.coordinator.standing import Group, Stand
from daemon.coordinator.verdicts import names
from daemon.display.text import size
from daemon.overview.documents import Job, JobDocument, JobNode, ReasonGroup
from daemon.overview.jobs import LIST, condition_of, is_finished
from daemon.overview.jobstable import ready_tone, reason_cell
from daemon.overview.page import Cell, Facts, Notes, Page, Row, Table, Tone, cell, page_of
from daemon.overview.words import clock, counted, shortened, since, until


_TONES: Final = {Group.COLD.value: Tone.BAD, Group.STALE.value: Tone.WARN, Group.SKIPPED.value: Tone.DIM}
_MESSAGE_CHARACTERS: Final = 80
_TOLD_WHERE_TRUE: Final = ("Stalled", "Suspended", "Complete", "Failed")


def job_page(document: JobDocument, *, is_wide: bool) -> Page:
    """Return a job's page; wide, it names the warm nodes too."""
    job, nodes, now = document.job, document.nodes, document.time
    failures = job.failures or _grouped(node for node in nodes if node.state == Stand.FAILED)
    skipped = job.skipped or _grouped(node for node in nodes if node.group == Group.SKIPPED)
    return page_of(
        [
            Facts(rows=facts_of(job, now=now)),
            Notes(lines=document.notes),
            _pulling(nodes, now=now),
            groups_table("FAILED", failures, is_wide=is_wide, now=now),
            groups_table("SKIPPED", skipped, is_wide=is_wide, now=now),
            _named(nodes, is_wide=is_wide, now=now),
        ]
    )


def facts_of(job: Job, *, now: datetime) -> tuple[tuple[str, Cell], ...]:
    """Return what is said of a job or a list above its tables."""
    told: list[tuple[str, Cell | None]] = [
        ("Name", Cell(text=f"{job.namespace}/{job.name}" + (f" (of the list {job.list})" if job.list else ""))),
        ("Image", None if job.kind == LIST else Cell(text=job.image)),
        ("Policy", Cell(text=_policy(job))),
        ("Ready", _ready(job)),
        ("Images", _images(job)),
        ("On nodes" if job.kind == LIST else "Nodes", _nodes(job)),
        ("Bytes", _bytes(job)),
        ("ETA", _at(None if is_finished(job) else job.eta, now=now)),
        ("Window", _window(job, now=now)),
        ("Last refresh", _ago(job.last_refresh_at if job.completion == "Never" else None, now=now)),
        ("Next refresh", _at(job.next_refresh_at, now=now)),
        ("Started", _ago(job.started_at, now=now)),
        ("Ended", _ago(job.completed_at, now=now)),
        ("State", _state(job)),
        *((kind, _condition(job, kind)) for kind in _TOLD_WHERE_TRUE),
        *(("Digest", Cell(text=f"{each.digest} on {counted(each.nodes, 'node')}")) for each in job.digests),
    ]
    return tuple((label, value) for label, value in told if value is not None)


def _policy(job: Job) -> str:
    words = [job.completion or "?"]
    if job.schedule:
        words.append(f'renewed at "{job.schedule}"' + (f" {job.time_zone}" if job.time_zone else ""))
    elif job.completion == "Never":
        words.append("renewed each day")
    parallelism = 1 if job.parallelism is None else job.parallelism
    words += [f"imagePullPolicy {job.image_pull_policy}", f"parallelism {parallelism}"]
    words += [f"listParallelism {job.list_parallelism}"] if job.list_parallelism is not None else []
    words += [f"priority {job.priority}"] if job.priority else []
    words += ["gates new nodes"] if job.is_gating else []
    words += ["suspended"] if job.is_suspended else []
    return ", ".join(words)


def _ready(job: Job) -> Cell:
    counts = job.nodes
    if counts is None or not counts.selected:
        return cell(job.summary)
    percent = 100 * counts.warm // counts.selected
    words = f"{percent}%, {job.summary}" + ("" if job.kind == LIST else " nodes")
    return Cell(text=words, tone=ready_tone(job), share=counts.warm / counts.selected)


def _ended(count: int) -> str:
    """Say how many images have ended."""
    return "1 has ended" if count == 1 else f"{count} have ended"


def _images(job: Job) -> Cell | None:
    """Count a list's images, as OpenKruise's status does."""
    if job.kind != LIST:
        return None
    images = counted(len(job.images), "image")
    if job.desired is None:
        return Cell(text=images)
    counts = f"{job.succeeded or 0} succeeded, {job.active or 0} active, {job.failed or 0} failed"
    return Cell(text=f"{images}: {counts}; {_ended(job.completed or 0)}")


def _nodes(job: Job) -> Cell | None:
    counts = job.nodes
    if counts is None:
        if job.desired is None or job.kind == LIST:
            return None
        return Cell(text=f"{job.active or 0} active, {job.succeeded or 0} succeeded, {job.failed or 0} failed")
    groups = f"{counts.warm} warm, {counts.stale} stale, {counts.cold} cold, {counts.skipped} skipped"
    failed = "" if job.kind == LIST else f", {job.failed or 0} failed"
    return Cell(text=f"{groups}; {job.pulling or 0} pulling, {job.waiting or 0} waiting{failed}")


def _bytes(job: Job) -> Cell | None:
    if job.bytes is None or not job.bytes.total or not job.pulling:
        return None
    return Cell(text=f"{size(job.bytes.done)} of {size(job.bytes.total)}, of the pulls that run")


def _window(job: Job, *, now: datetime) -> Cell | None:
    """Say until when nodes may begin in the refresh that runs, and whether it will have ended by then."""
    end = job.window_ends_at
    if end is None:
        return None
    closes = f"closes in {until(end, now=now)} ({clock(end)})" if end > now else f"closed {since(end, now=now)} ago"
    if job.eta is None or end <= now:
        return Cell(text=closes, is_clock=True)
    is_late = job.eta > end
    words = f"{closes}; the ETA lies {'after' if is_late else 'before'} its end"
    return Cell(text=words, tone=Tone.BAD if is_late else Tone.GOOD, is_clock=True)


def _at(at: datetime | None, *, now: datetime) -> Cell | None:
    if at is None:
        return None
    left = until(at, now=now)
    return Cell(text=f"{left if left == 'now' else f'in {left}'} ({clock(at)})", is_clock=True)


def _ago(at: datetime | None, *, now: datetime) -> Cell | None:
    return None if at is None else Cell(text=f"{since(at, now=now)} ago ({clock(at)})", is_clock=True)


def _state(job: Job) -> Cell:
    """Say how the job is, in the words of its condition Ready, or of its message where it has no conditions."""
    word = reason_cell(job)
    if not job.is_observed:
        text = "no coordinator has looked at it yet" if job.created_at else ""
        text = "its spec was edited, and no coordinator has looked at it since" if job.desired is not None else text
        return Cell(text=f"{word.text}: {text}", tone=word.tone)
    ready = condition_of(job, "Ready")
    message = ready.message if ready is not None else job.message
    return Cell(text=f"{word.text}: {message}" if message else word.text, tone=word.tone)


def _condition(job: Job, kind: str) -> Cell | None:
    found = condition_of(job, kind)
    if found is None or found.status != "True":
        return None
    tone = {"Stalled": Tone.BAD, "Failed": Tone.BAD, "Complete": Tone.GOOD}.get(kind, Tone.PLAIN)
    return Cell(text=f"{found.reason}: {found.message}", tone=tone)


def _pulling(nodes: Sequence[JobNode], *, now: datetime) -> Table:
    rows = tuple(
        Row(
            key=node.node,
            cells=(
                cell(node.node),
                progress_cell(percent=node.percent, stage=node.stage),
                cell(_sizes(node)),
                Cell(text=since(node.since, now=now) or "-", is_clock=True),
                cell(node.attempt or ""),
            ),
        )
        for node in nodes
        if node.state == Stand.PULLING
    )
    return Table(title="PULLING", columns=("NODE", "PROGRESS", "BYTES", "FOR", "ATTEMPT"), rows=rows)


def progress_cell(*, percent: int | None, stage: str) -> Cell:
    """Draw how far a pull is; without percent it only runs."""
    if percent is None:
        return Cell(text=stage.lower() or "pulling")
    words = f"{percent}%" + (" unpacking" if stage == "Unpacking" else "")
    return Cell(text=words, share=percent / 100)


def _sizes(node: JobNode) -> str:
    return f"{size(node.bytes.done)} of {size(node.bytes.total)}" if node.bytes is not None else ""


def groups_table(title: str, groups: Sequence[ReasonGroup], *, is_wide: bool, now: datetime) -> Table:
    """Return a row a reason, wide with all words and names that are told; retries only where there are some."""
    has_retries = any(group.retry_at is not None for group in groups)
    columns = ("REASON", "COUNT", *(("RETRY",) if has_retries else ()), "MESSAGE", "NODES")
    tone = Tone.BAD if title == "FAILED" else Tone.WARN
    rows = []
    for group in groups:
        retry = (Cell(text=until(group.retry_at, now=now) or "-", is_clock=True),) if has_retries else ()
        nodes = ", ".join(group.nodes) if is_wide else names(group.nodes, count=group.count)
        message = group.message if is_wide else shortened(group.message, characters=_MESSAGE_CHARACTERS)
        cells = (cell(group.reason, tone), cell(group.count), *retry, cell(message), cell(nodes))
        rows.append(Row(key=group.reason, cells=cells))
    return Table(title=title, columns=columns, rows=tuple(rows))


def _named(nodes: Sequence[JobNode], *, is_wide: bool, now: datetime) -> Table:
    """Return a row a node that is cold or stale, wide for each node."""
    told = [node for node in nodes if is_wide or node.group in {Group.COLD, Group.STALE}]
    columns = ("NODE", "IMAGE", "STATE", "REASON", "ATTEMPT", "SINCE", "RETRY", *(("DIGEST",) if is_wide else ()))
    rows = []
    for node in told:
        digest = (cell(node.digest),) if is_wide else ()
        cells = (
            cell(node.node),
            cell(node.group, _TONES.get(node.group, Tone.GOOD)),
            cell(node.state),
            cell(node.reason),
            cell(node.attempt or ""),
            Cell(text=since(node.since, now=now) or "-", is_clock=True),
            Cell(text=until(node.retry_at, now=now) or "-", is_clock=True),
            *digest,
            cell(node.message),
        )
        rows.append(Row(key=node.node, cells=cells))
    title = "NODES" if is_wide else "COLD AND STALE"
    return Table(title=title, columns=(*columns, "MESSAGE"), rows=tuple(rows))


def _grouped(nodes: Iterable[JobNode]) -> tuple[ReasonGroup, ...]:
    """Group nodes by reason, where the status does not (OpenKruise's CRDs keep no groups); the commonest first."""
    by_reason: dict[str, list[JobNode]] = {}
    for node in nodes:
        by_reason.setdefault(node.reason, []).append(node)
    groups = [
        ReasonGroup(
            reason=reason,
            count=len(those),
            nodes=tuple(node.node for node in those),
            message=those[0].message,
            retry_at=min((node.retry_at for node in those if node.retry_at is not None), default=None),
        )
        for reason, those in by_reason.items()
    ]
    return tuple(sorted(groups, key=lambda group: (-group.count, group.reason)))
