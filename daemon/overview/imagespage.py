"""All images as a page: which registry fails, and what each image takes on the nodes' disks. Pure."""

from collections.abc import Sequence
from typing import Final

from daemon.coordinator.verdicts import names
from daemon.display.text import size
from daemon.overview.documents import ImagesDocument
from daemon.overview.page import Cell, Notes, Page, Row, Table, Tone, cell, count_cell, page_of
from daemon.overview.surveys import ImageLine, ReasonCount, RegistryLine


_REGISTRY: Final = ("REGISTRY", "IMAGES", "PULLING", "FAILED", "REASONS", "NODES", "MESSAGE")
_IMAGE: Final = ("IMAGE", "WANTED", "HERE", "PULLING", "FAILED", "SIZE", "TOTAL", "REASONS", "JOBS")


def images_page(document: ImagesDocument, *, is_wide: bool) -> Page:
    """Return the page of all images; wide, with all jobs, and the words of the commonest reason."""
    if not document.images:
        return page_of([Notes(lines=("No job wants an image on any node.", *document.notes))])
    registries = tuple(Row(key=each.registry, cells=_registry(each, is_wide=is_wide)) for each in document.registries)
    images = tuple(Row(key=each.image, cells=_image(each, is_wide=is_wide)) for each in document.images)
    return page_of(
        [
            Table(title="REGISTRIES", columns=_REGISTRY, rows=registries),
            Table(title="IMAGES", columns=(*_IMAGE, *(("MESSAGE",) if is_wide else ())), rows=images),
            Notes(lines=document.notes),
        ]
    )


def _registry(line: RegistryLine, *, is_wide: bool) -> tuple[Cell, ...]:
    nodes = ", ".join(line.nodes) if is_wide else names(line.nodes, count=line.failed_on)
    return (
        cell(line.registry),
        cell(line.images),
        cell(line.pulling),
        count_cell(line.failed, Tone.BAD),
        cell(_reasons(line.reasons)),
        cell(nodes),
        cell(_words(line.reasons)),
    )


def _image(line: ImageLine, *, is_wide: bool) -> tuple[Cell, ...]:
    jobs = ", ".join(line.jobs) if is_wide else names(line.jobs, count=len(line.jobs))
    return (
        cell(line.image),
        cell(line.wanted),
        cell(line.here),
        cell(line.pulling),
        count_cell(line.failed, Tone.BAD),
        cell(size(line.size) if line.size is not None else ""),
        cell(size(line.total) if line.total is not None else ""),
        cell(_reasons(line.reasons)),
        cell(jobs),
        *((cell(_words(line.reasons)),) if is_wide else ()),
    )


def _reasons(reasons: Sequence[ReasonCount]) -> str:
    return ", ".join(f"{each.reason} {each.count}" for each in reasons)


def _words(reasons: Sequence[ReasonCount]) -> str:
    return next((each.message for each in reasons), "")
