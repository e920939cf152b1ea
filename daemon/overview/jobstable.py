"""
Jobs and lists as rows of one table: what `prewarm status` shows without a name, and of a list's images.

Pure. Everything in it stands in the jobs' own status.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from daemon.api.reasons import NEEDS_A_PERSON, Reason, Word
from daemon.overview.documents import Job, JobsDocument
from daemon.overview.jobs import LIST, condition_of, is_finished
from daemon.overview.page import Cell, Notes, Page, Row, Table, Tone, cell, count_cell, page_of
from daemon.overview.words import brief, since, until


UNOBSERVED: Final = "Unobserved"
"""Shown as the reason where no coordinator has looked at the spec as it is."""

NARROW: Final = (
    "NAME",
    "READY",
    "PULLING",
    "WAITING",
    "STALE",
    "COLD",
    "FAILED",
    "SKIPPED",
    "ETA",
    "REFRESH",
    "REASON",
    "AGE",
)
_WIDE: Final = ("WINDOW", "IMAGE", "PARALLELISM", "DIGESTS", "MESSAGE")


def jobs_page(document: JobsDocument, *, is_wide: bool) -> Page:
    """Return the table of all jobs, with their namespaces where they are of several."""
    if not document.jobs:
        place = "" if document.namespace is None else f" in the namespace {document.namespace}"
        none = f"No ImagePullJob and no ImageListPullJob found{place}."
        return page_of([Notes(lines=(none, *document.notes))])
    has_namespaces = document.namespace is None
    table = jobs_table(document.jobs, has_namespaces=has_namespaces, is_wide=is_wide, now=document.time)
    return page_of([table, Notes(lines=document.notes)])


def jobs_table(jobs: Sequence[Job], *, has_namespaces: bool, is_wide: bool, now: datetime) -> Table:
    """Return a row a job."""
    columns = (*(("NAMESPACE",) if has_namespaces else ()), *NARROW, *(_WIDE if is_wide else ()))
    rows = []
    for job in jobs:
        cells = (*((cell(job.namespace),) if has_namespaces else ()), *narrow_cells(job, now=now))
        wide = _wide(job, now=now) if is_wide else ()
        rows.append(Row(key=f"{job.kind}/{job.namespace}/{job.name}", cells=cells + wide))
    return Table(columns=columns, rows=tuple(rows))


def reason_cell(job: Job) -> Cell:
    """Say in a word how a job is, by what its condition Ready says."""
    if job.is_deleting:
        return cell("Deleting", Tone.DIM)
    if not job.is_observed:
        return cell(UNOBSERVED, Tone.WARN)
    word = job.reason or _word_without_conditions(job)
    stalled = condition_of(job, "Stalled")
    if stalled is not None and stalled.status == "True":
        return cell(word, Tone.BAD)
    return cell(word, _tone(word))


def window_words(job: Job, *, now: datetime) -> tuple[str, Tone]:
    """Say in a word or two whether the refresh that runs ends in its window; "" where none runs, or none bounds it."""
    end = job.window_ends_at
    if end is None:
        return "", Tone.PLAIN
    if end <= now:
        return f"closed {since(end, now=now)} ago", Tone.WARN
    if job.eta is None:
        return f"open for {until(end, now=now)}", Tone.PLAIN
    if job.eta > end:
        return f"late by {until(job.eta, now=end)}", Tone.BAD
    return "in time", Tone.GOOD


def ready_tone(job: Job) -> Tone:
    """Tell how a job's share of warm nodes is meant."""
    counts = job.nodes
    if counts is None or not counts.selected:
        return Tone.PLAIN
    return Tone.GOOD if counts.warm + counts.skipped >= counts.selected else Tone.PLAIN


def narrow_cells(job: Job, *, now: datetime) -> tuple[Cell, ...]:
    """Return the cells of the columns NARROW."""
    counts = job.nodes
    return (
        cell(f"list/{job.name}" if job.kind == LIST else job.name),
        cell(job.summary, ready_tone(job)),
        cell(job.pulling if job.pulling is not None else job.active),
        cell(job.waiting),
        count_cell(counts.stale if counts else None, Tone.WARN),
        count_cell(counts.cold if counts else None, Tone.BAD),
        count_cell(job.failed, Tone.BAD),
        count_cell(counts.skipped if counts else None, Tone.WARN),
        _clock(_eta(job, now=now)),
        _clock(_refresh(job, now=now)),
        reason_cell(job),
        _clock(since(job.created_at, now=now)),
    )


def _wide(job: Job, *, now: datetime) -> tuple[Cell, ...]:
    others = f" and {len(job.digests) - 1} more" if len(job.digests) > 1 else ""
    digests = f"{brief(job.digests[0].digest)} on {job.digests[0].nodes}{others}" if job.digests else ""
    image = f"{len(job.images)} images" if job.kind == LIST else job.image
    words, tone = window_words(job, now=now)
    window = Cell(text=words or "-", tone=tone, is_clock=True)
    return (window, cell(image), cell(job.parallelism), cell(digests), cell(job.message))


def _eta(job: Job, *, now: datetime) -> str:
    return "" if is_finished(job) else until(job.eta, now=now)


def _refresh(job: Job, *, now: datetime) -> str:
    """Tell when the next renewal begins; one that runs has no next time until it is over."""
    if job.next_refresh_at is None:
        return "now" if job.last_refresh_at is not None and job.completion == "Never" else ""
    return until(job.next_refresh_at, now=now)


def _word_without_conditions(job: Job) -> str:
    """Say it in a status of OpenKruise's, which has no conditions."""
    if job.completed_at is None:
        return Word.IN_PROGRESS.value
    return Word.NODES_FAILED.value if job.failed else Word.FINISHED.value


def _tone(word: str) -> Tone:
    if word in {Word.ALL_WARM, Word.FINISHED}:
        return Tone.GOOD
    if word == Reason.SUSPENDED:
        return Tone.DIM
    is_bad = word in NEEDS_A_PERSON or word in {
        Word.NODES_FAILED,
        Word.NODES_REFUSED,
        Word.JOBS_REFUSED,
        Word.INVALID_SPEC,
    }
    return Tone.BAD if is_bad else Tone.PLAIN


def _clock(text: str) -> Cell:
    return Cell(text=text or "-", is_clock=True)
