"""
The watchdog of OpenKruise's manager: it writes Failed for a node that says nothing, or not the end, for too long.

Pure. A node that has said anything of the version asked for is silent no more: after that only its deadline counts.
"""

from typing import Final

import msgspec
from msgspec import UNSET

from tests.servers.openkruise.manager_nodeimage import Entry, ImageStatus, NodeImage, NodeImageStatus, TagStatus
from tests.servers.openkruise.manager_pace import Limits, Pace


SILENT: Final = "node has not responded for a long time"
LATE: Final = "pulling exceeds the activeDeadlineSeconds"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One entry whose node has failed it."""

    repository: str
    entry: Entry
    message: str


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A NodeImage with its failures written in."""

    node_image: NodeImage
    failures: tuple[Failure, ...]


def watched(node_image: NodeImage, *, pace: Pace, limits: Limits) -> Watched | None:
    """Return the NodeImage with Failed for each entry that takes too long; None where there is none."""
    failures = tuple(
        Failure(repository=repository, entry=entry, message=message)
        for repository, image in node_image.spec.images.items()
        for entry in image.tags
        if (
            message := _fault(entry, status=node_image.status.find(repository, tag=entry.tag), pace=pace, limits=limits)
        )
    )
    if not failures:
        return None
    status = _counted(_failed(node_image, failures=failures, pace=pace), node_image=node_image)
    return Watched(node_image=msgspec.structs.replace(node_image, status=status), failures=failures)


def _fault(entry: Entry, *, status: TagStatus | None, pace: Pace, limits: Limits) -> str:
    age = pace.elapsed_seconds(entry.created_at) if entry.created_at else 0.0
    if status is None or status.version != entry.version:
        return SILENT if age >= limits.response_seconds else ""
    deadline = entry.pull_policy.active_deadline_seconds if entry.pull_policy else None
    if status.completion_time is not None or deadline is None:
        return ""
    return LATE if age >= deadline + limits.response_seconds else ""


def _failed(node_image: NodeImage, *, failures: tuple[Failure, ...], pace: Pace) -> dict[str, tuple[TagStatus, ...]]:
    """Return what is told of each wanted tag, with the failures in it; what is wanted no more is left out."""
    written = {(failure.repository, failure.entry.tag): _status(failure, pace=pace) for failure in failures}
    found = {}
    for repository, image in node_image.spec.images.items():
        tags = [
            written.get((repository, entry.tag)) or node_image.status.find(repository, tag=entry.tag)
            for entry in image.tags
        ]
        found[repository] = tuple(sorted((each for each in tags if each), key=lambda each: each.tag))
    return {repository: tags for repository, tags in found.items() if tags}


def _status(failure: Failure, *, pace: Pace) -> TagStatus:
    return TagStatus(
        tag=failure.entry.tag,
        phase="Failed",
        completion_time=pace.now,
        version=failure.entry.version,
        message=failure.message,
    )


def _counted(statuses: dict[str, tuple[TagStatus, ...]], *, node_image: NodeImage) -> NodeImageStatus:
    """Count anew, but for `waiting`: OpenKruise's manager forgets it."""
    phases = [status.phase for tags in statuses.values() for status in tags]
    return msgspec.structs.replace(
        node_image.status,
        desired=sum(len(image.tags) for image in node_image.spec.images.values()),
        pulling=phases.count("Pulling"),
        succeeded=phases.count("Succeeded"),
        failed=phases.count("Failed"),
        image_statuses={repository: ImageStatus(tags=tags) for repository, tags in statuses.items()} or UNSET,
    )
