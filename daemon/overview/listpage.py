"""
One list as a page: how far it is, which images failed, and a row an image in the list's order.

Pure. What stands in a row is what the image's job says in its status.
"""

from datetime import datetime
from typing import Final

from daemon.overview.documents import Job, ListDocument
from daemon.overview.jobpage import facts_of, groups_table
from daemon.overview.jobstable import NARROW, narrow_cells
from daemon.overview.page import Block, Cell, Facts, Notes, Page, Row, Table, Tone, cell, page_of


NOT_MADE: Final = "NotMade"
"""Shown as the reason of an image that has no job yet."""

_IMAGES: Final = ("IMAGE", *NARROW[1:], "JOB")


def list_page(document: ListDocument, *, is_wide: bool) -> Page:
    """Return a list's page, with a row an image; wide, with all words and names that are told of its nodes."""
    job, now = document.job, document.time
    failed = tuple(
        Row(key=each.job or each.image, cells=(cell(each.image, Tone.BAD), cell(each.job), cell(each.message)))
        for each in job.failed_images
    )
    blocks: list[Block] = [
        Facts(rows=facts_of(job, now=now)),
        Notes(lines=document.notes),
        Table(title="FAILED", columns=("IMAGE", "JOB", "MESSAGE"), rows=failed),
        groups_table("FAILED ON NODES", job.failures, is_wide=is_wide, now=now),
        groups_table("SKIPPED", job.skipped, is_wide=is_wide, now=now),
        _images(document),
    ]
    return page_of(blocks)


def _images(document: ListDocument) -> Table:
    """Return a row an image of a list, in its order, also for one without a job yet."""
    job, now = document.job, document.time
    made = {each.image for each in document.jobs}
    # With a note the jobs could not be read, and whether there is one is not known.
    missing = [image for image in job.images if image not in made] if not document.notes else []
    places = {image: place for place, image in enumerate(job.images)}
    shown = [(each.image, each) for each in document.jobs] + [(image, None) for image in missing]
    shown.sort(key=lambda each: places.get(each[0], len(places)))
    rows = tuple(
        Row(key=child.name if child is not None else image, cells=_cells(image, child, now=now))
        for image, child in shown
    )
    return Table(title="IMAGES", columns=_IMAGES, rows=rows)


def _cells(image: str, job: Job | None, *, now: datetime) -> tuple[Cell, ...]:
    """Return the cells of one image of a list; `job` None: there is none for it yet."""
    if job is None:
        dashes = (cell(""),) * (len(NARROW) - 3)
        return (cell(image), *dashes, cell(NOT_MADE, Tone.WARN), cell(""), cell(""))
    return (cell(image), *narrow_cells(job, now=now)[1:], cell(job.name))
