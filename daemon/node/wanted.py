"""
What a node should have, as the loop gets it: flat, normalised, with everything that one pull needs.

Made from a NodeImage (an API server's, or one that `prewarm run` derives from manifests); knows nothing of jobs.
"""

from datetime import datetime

import msgspec

from daemon.api.nodeimage import (
    ImagePullPolicy,
    ImageSpec,
    NodeImage,
    OwnerReference,
    SecretReference,
    TagEntry,
    TagStatus,
)
from daemon.images import ImageReference, InvalidReference, join


class Key(msgspec.Struct, frozen=True, order=True):
    """Names one task of a node: the NodeImage's repository key and the tag or digest, as written there."""

    repository: str
    tag: str


class WantedImage(msgspec.Struct, frozen=True, kw_only=True):
    """
    One tag entry with the settings of its repository.

    `reference` is None where the entry names no valid image, and `problem` then says why.
    """

    key: Key
    version: int
    reference: ImageReference | None
    problem: str = ""
    image_pull_policy: ImagePullPolicy = ImagePullPolicy.IF_NOT_PRESENT
    timeout_seconds: int = 600
    backoff_limit: int = 3
    active_deadline_seconds: int | None = None
    priority: int = 0
    min_free: str | None = None
    is_suspended: bool = False
    created_at: datetime | None = None
    owners: tuple[OwnerReference, ...] = ()
    pull_secrets: tuple[SecretReference, ...] = ()
    sandbox_labels: dict[str, str] = {}
    sandbox_annotations: dict[str, str] = {}

    @property
    def image(self) -> str:
        """The full reference, or the entry's own words where there is none."""
        return self.reference.full if self.reference else f"{self.key.repository}:{self.key.tag}"

    @property
    def registry(self) -> str:
        """The registry's host and port, which throttling is about."""
        return self.reference.domain if self.reference else ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything one node should have; another `uid` is another object under the same name.

    `answers` are the statuses that stand there already, whoever wrote them: what an earlier process said of an image
    is taken over when its task is new (adoption.py), and at no other time.
    """

    uid: str
    generation: int
    images: tuple[WantedImage, ...]
    answers: dict[Key, TagStatus] = {}


def wanted_of(node_image: NodeImage) -> Wanted:
    """Flatten a NodeImage's spec, in the order of its repositories and tags."""
    images = tuple(
        _wanted_image(repository, spec=spec, entry=entry)
        for repository, spec in node_image.images.items()
        for entry in spec.tags
    )
    answers = {
        Key(repository, status.tag): status for repository, tags in node_image.statuses.items() for status in tags
    }
    return Wanted(uid=node_image.uid, generation=node_image.generation, images=images, answers=answers)


def _wanted_image(repository: str, *, spec: ImageSpec, entry: TagEntry) -> WantedImage:
    reference, problem = _reference(repository, tag=entry.tag)
    return WantedImage(
        key=Key(repository, entry.tag),
        version=entry.version,
        reference=reference,
        problem=problem,
        image_pull_policy=entry.image_pull_policy,
        timeout_seconds=entry.pull_policy.timeout_seconds,
        backoff_limit=entry.pull_policy.backoff_limit,
        active_deadline_seconds=entry.pull_policy.active_deadline_seconds,
        priority=entry.prewarm.priority,
        min_free=entry.prewarm.min_free,
        is_suspended=entry.prewarm.suspended,
        created_at=entry.created_at,
        owners=entry.owner_references,
        pull_secrets=spec.pull_secrets,
        sandbox_labels=spec.sandbox_config.labels,
        sandbox_annotations=spec.sandbox_config.annotations,
    )


def _reference(repository: str, *, tag: str) -> tuple[ImageReference | None, str]:
    try:
        return join(repository, tag), ""
    except InvalidReference as error:
        return None, str(error)
