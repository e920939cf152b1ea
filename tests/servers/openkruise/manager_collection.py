"""
What OpenKruise's manager takes out of a NodeImage's spec: owners that are gone, entries past their time, dead secrets.

Pure. The jobs and Secrets are those of its cache, which may be old: so a living job's entry can be lost.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

import msgspec

from tests.servers.openkruise.manager_nodeimage import Entry, Image, NodeImage, Owner, SecretReference
from tests.servers.openkruise.manager_objects import GROUP, with_images
from tests.servers.openkruise.manager_pace import Pace


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The uids of the jobs and the names of the Secrets, each by namespace and name, that the manager knows of."""

    jobs: Mapping[tuple[str, str], str]
    secrets: AbstractSet[tuple[str, str]]


def collected(node_image: NodeImage, *, known: Known, pace: Pace) -> NodeImage:
    """
    Return the NodeImage without what has no more use: the same value where there is nothing.

    An entry goes when it has no createdAt, when all its owners are gone, or when its TTL has passed since its status of
    the same version ended. A legacy secret reference goes with its Secret; a batch reference only with its repository,
    and that with its last entry.
    """
    images = {}
    for repository, image in node_image.spec.images.items():
        tags = tuple(
            kept
            for entry in image.tags
            if not _is_expired(entry, completed=_completed(entry, node_image, repository=repository), pace=pace)
            and (kept := _kept(entry, known=known))
        )
        if tags:
            images[repository] = msgspec.structs.replace(image, tags=tags, pull_secrets=_living(image, known=known))
    return with_images(node_image, images=images)


def _kept(entry: Entry, *, known: Known) -> Entry | None:
    owners = tuple(owner for owner in entry.owner_references if _lives(owner, known=known))
    if entry.created_at is None or (entry.owner_references and not owners):
        return None
    return msgspec.structs.replace(entry, owner_references=owners)


def _lives(owner: Owner, *, known: Known) -> bool:
    if owner.api_version.partition("/")[0] != GROUP or owner.kind != "ImagePullJob":
        return True
    return known.jobs.get((owner.namespace, owner.name)) == owner.uid


def _is_expired(entry: Entry, *, completed: datetime | None, pace: Pace) -> bool:
    ttl = entry.pull_policy.ttl_seconds_after_finished if entry.pull_policy else None
    return ttl is not None and completed is not None and pace.elapsed_seconds(completed) >= ttl


def _completed(entry: Entry, node_image: NodeImage, *, repository: str) -> datetime | None:
    found = node_image.status.find(repository, tag=entry.tag)
    return found.completion_time if found and found.version == entry.version else None


def _living(image: Image, *, known: Known) -> tuple[SecretReference, ...]:
    return tuple(each for each in image.pull_secrets if each.mode or (each.namespace, each.name) in known.secrets)
