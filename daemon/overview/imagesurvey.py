"""
All images that NodeImages name at once: where they are, what fails from which registry, and what they take on disks.

Pure. A pull has failed where the node says so, and also where it has met a reason and tries again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.coordinator.account import NODES_A_REASON
from daemon.coordinator.seen import ImageKey
from daemon.images import InvalidReference, join
from daemon.overview.kubelets import NodeSizes
from daemon.overview.nodeimages import NodeFacts
from daemon.overview.surveys import ImageLine, ReasonCount, RegistryLine


# Of a registry, or of the way to it; the others are a node's, a person's or a job's.
_OF_REGISTRIES: Final = frozenset(
    {
        Reason.IMAGE_NOT_FOUND,
        Reason.UNAUTHORIZED,
        Reason.FORBIDDEN,
        Reason.SECRET_MISSING,
        Reason.SECRET_FORBIDDEN,
        Reason.REGISTRY_UNAVAILABLE,
        Reason.REGISTRY_TLS,
        Reason.REGISTRY_THROTTLED,
        Reason.CORRUPT_CONTENT,
        Reason.ATTEMPT_TIMEOUT,
        Reason.DEADLINE_EXCEEDED,
        Reason.PULL_FAILED,
    }
)


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One image on one node: what the node says of it, and who wants it."""

    node: str
    status: TagStatus | None = None
    owners: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why the last or running turn is not as it should be; "" where it is."""
        if self.status is None:
            return ""
        is_bare = self.status.phase is Phase.FAILED and not self.status.reason
        return str(Reason.PULL_FAILED) if is_bare else self.status.reason


Sightings = Mapping[ImageKey, Sequence[Sighting]]


def sightings_of(facts: Sequence[NodeFacts]) -> Sightings:
    """Return, for each image that is wanted somewhere, the nodes that want it."""
    found: dict[ImageKey, list[Sighting]] = {}
    for each in facts:
        for key, entry in each.image.entries.items():
            owners = tuple(f"{owner.namespace}/{owner.name}" for owner in entry.owner_references)
            seen = Sighting(node=each.image.name, status=_said(each, key), owners=owners)
            found.setdefault(key, []).append(seen)
    return found


def image_lines(sightings: Sightings, *, sizes: Sequence[NodeSizes]) -> tuple[ImageLine, ...]:
    """Return a line an image, what takes most on the disks first; without sizes, what lies on most nodes."""
    by_node = {each.name: each for each in sizes}
    lines = [_line(key, seen, sizes=by_node) for key, seen in sightings.items()]
    return tuple(sorted(lines, key=lambda line: (-(line.total or 0), -line.here, line.image)))


def registry_lines(sightings: Sightings) -> tuple[RegistryLine, ...]:
    """Return a line a registry, the one that fails most first."""
    by_registry: dict[str, list[ImageKey]] = {}
    for key in sightings:
        by_registry.setdefault(_names(key)[0], []).append(key)
    lines = [_registry(name, keys, sightings) for name, keys in by_registry.items()]
    return tuple(sorted(lines, key=lambda line: (-line.failed, line.registry)))


def bytes_beside(sightings: Sightings, *, sizes: Sequence[NodeSizes]) -> int:
    """Return the bytes of images that the kubelets name and no job wants on that node."""
    wanted: dict[str, set[str]] = {}
    for key, seen in sightings.items():
        full = _names(key)[1]
        for each in seen:
            wanted.setdefault(each.node, set()).add(full)
    return sum(sum(_unwanted(each, wanted=wanted.get(each.name, set()))) for each in sizes)


def _unwanted(sizes: NodeSizes, *, wanted: set[str]) -> Iterator[int]:
    first = {sizes.aliases.get(name) for name in wanted}
    yield from (size for name, size in sizes.bytes_by_name.items() if name not in first)


def _said(facts: NodeFacts, key: ImageKey) -> TagStatus | None:
    """Return what a node says of an image: of this version, or of an earlier one what lies there."""
    status = facts.image.statuses.get(key)
    if status is None or facts.image.answer(key) is not None:
        return status
    return TagStatus(tag=status.tag, phase=Phase.WAITING, image_id=status.image_id)


def _line(key: ImageKey, seen: Sequence[Sighting], *, sizes: Mapping[str, NodeSizes]) -> ImageLine:
    registry, full = _names(key)
    here = [each.node for each in seen if _is_here(each.status)]
    found = [size for node in here if (size := _size(sizes.get(node), full)) is not None]
    return ImageLine(
        image=f"{key.repository}{'@' if ':' in key.tag else ':'}{key.tag}",
        registry=registry,
        wanted=len(seen),
        here=len(here),
        pulling=_phases(seen)[Phase.PULLING],
        failed=_phases(seen)[Phase.FAILED],
        size=max(found, default=None),
        total=sum(found) if found else None,
        jobs=tuple(sorted({owner for each in seen for owner in each.owners})),
        reasons=_reasons(seen),
    )


def _registry(name: str, keys: Sequence[ImageKey], sightings: Sightings) -> RegistryLine:
    seen = [each for key in keys for each in sightings[key]]
    failed = [each for each in seen if each.reason in _OF_REGISTRIES]
    nodes = sorted({each.node for each in failed})
    return RegistryLine(
        registry=name,
        images=len(keys),
        pulling=_phases(seen)[Phase.PULLING],
        failed=len(failed),
        failed_on=len(nodes),
        reasons=_reasons(failed),
        nodes=tuple(nodes[:NODES_A_REASON]),
    )


def _phases(seen: Sequence[Sighting]) -> Counter[Phase]:
    return Counter(each.status.phase for each in seen if each.status is not None)


def _is_here(status: TagStatus | None) -> bool:
    return status is not None and (bool(status.image_id) or status.phase is Phase.SUCCEEDED)


def _reasons(seen: Sequence[Sighting]) -> tuple[ReasonCount, ...]:
    """Count reasons, the commonest first, each with one's words."""
    counts = Counter(each.reason for each in seen if each.reason)
    words = {each.reason: each.status.message for each in seen if each.status is not None}
    return tuple(
        ReasonCount(reason=reason, count=count, message=words[reason]) for reason, count in counts.most_common()
    )


def _size(sizes: NodeSizes | None, full: str) -> int | None:
    if sizes is None or full not in sizes.aliases:
        return None
    return sizes.bytes_by_name[sizes.aliases[full]]


def _names(key: ImageKey) -> tuple[str, str]:
    """Return an image's registry, and its full name as a runtime has it; both as they stand where they are none."""
    try:
        reference = join(key.repository, key.tag)
    except InvalidReference:
        return key.repository.partition("/")[0], f"{key.repository}:{key.tag}"
    return reference.domain, reference.full
