"""
A job's tag entry in a NodeImage, as OpenKruise's manager writes it: who owns it, its version, its policy, its secrets.

Pure. That writing a NodeImage means to PUT the whole of it, from a cache that may be old, is manager_store.py's.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from tests.servers.openkruise.manager_job import Job, PullPolicy
from tests.servers.openkruise.manager_nodeimage import Entry, EntryPolicy, Image, NodeImage, Owner, SecretReference
from tests.servers.openkruise.manager_objects import GROUP, Release, with_images
from tests.servers.openkruise.manager_pace import Limits, Pace
from tests.servers.openkruise.manager_references import split


_TIMEOUT_SECONDS: Final = 600
_BACKOFF_LIMIT: Final = 3
_NEVER_TTL_SECONDS: Final = 86_400
_NEVER_TTL_SPREAD_SECONDS: Final = 1_200
_NEVER_DEADLINE_SECONDS: Final = 1_800
_ALWAYS_TTL_SPREAD_SECONDS: Final = 300


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one job writes into a NodeImage, and when."""

    job: Job
    secrets: tuple[SecretReference, ...] = ()
    pace: Pace
    limits: Limits = Limits()
    release: Release


def granted(node_image: NodeImage, *, grant: Grant) -> NodeImage | None:
    """
    Return the NodeImage with the job's entry in it, or None where the job has nothing to write.

    An owner only appends secrets that are missing. Another job joins an entry with version + 1 and keeps the entry's
    policy. A new entry counts on from the status of its tag, or from 0. The sandbox config is the last writer's.
    """
    repository, tag = split(grant.job.spec.image)
    image = node_image.spec.images.get(repository, Image(tags=()))
    entry = next((each for each in image.tags if each.tag == tag), None)
    missing = tuple(each for each in grant.secrets if not has_secret(image, reference=each))
    if entry is not None and owns(grant.job, entry=entry):
        if not missing:
            return None
        written = entry
    else:
        written = _joined(entry, grant=grant) if entry else _new(node_image, repository=repository, grant=grant)
    others = [each for each in image.tags if each.tag != tag]
    changed = msgspec.structs.replace(
        image,
        pull_secrets=(*image.pull_secrets, *missing),
        tags=tuple(sorted([*others, written], key=lambda each: each.tag)),
        sandbox_config=grant.job.spec.sandbox_config,
    )
    return with_images(node_image, images={**node_image.spec.images, repository: changed})


def owns(job: Job, *, entry: Entry) -> bool:
    """Tell whether a job is among an entry's owners."""
    return any(owner.uid == job.metadata.uid for owner in entry.owner_references)


def has_secret(image: Image, *, reference: SecretReference) -> bool:
    """Tell whether a repository has a secret: by namespace and name, whatever its mode."""
    return (reference.namespace, reference.name) in {(each.namespace, each.name) for each in image.pull_secrets}


def entry_policy(job: Job, *, limits: Limits, release: Release) -> EntryPolicy:
    """Return how often and how long a node tries for a job, and how long the entry stays when it has."""
    pull = job.spec.pull_policy or PullPolicy()
    is_never = job.is_never
    return EntryPolicy(
        timeout_seconds=_timeout_seconds(pull),
        backoff_limit=_backoff_limit(pull),
        ttl_seconds_after_finished=_never_ttl(limits) if is_never else _always_ttl(job, pull=pull, limits=limits),
        active_deadline_seconds=(
            _never_deadline(pull, release=release) if is_never else job.completion.active_deadline_seconds
        ),
    )


def _joined(entry: Entry, *, grant: Grant) -> Entry:
    return msgspec.structs.replace(
        entry,
        version=entry.version + 1,
        created_at=grant.pace.now,
        image_pull_policy=_image_pull_policy(grant.job),
        owner_references=(*entry.owner_references, _owner(grant)),
    )


def _new(node_image: NodeImage, *, repository: str, grant: Grant) -> Entry:
    _, tag = split(grant.job.spec.image)
    status = node_image.status.find(repository, tag=tag)
    return Entry(
        tag=tag,
        created_at=grant.pace.now,
        version=0 if status is None else status.version + 1,
        image_pull_policy=_image_pull_policy(grant.job),
        owner_references=(_owner(grant),),
        pull_policy=entry_policy(grant.job, limits=grant.limits, release=grant.release),
    )


def _owner(grant: Grant) -> Owner:
    metadata = grant.job.metadata
    return Owner(
        api_version=f"{GROUP}/{grant.release}",
        kind="ImagePullJob",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
    )


def _image_pull_policy(job: Job) -> str:
    return job.spec.image_pull_policy or "IfNotPresent"


def _never_ttl(limits: Limits) -> int:
    return _NEVER_TTL_SECONDS - _NEVER_TTL_SPREAD_SECONDS // 2 + int(limits.spread * _NEVER_TTL_SPREAD_SECONDS)


def _always_ttl(job: Job, *, pull: PullPolicy, limits: Limits) -> int:
    completion = job.completion
    product = _timeout_seconds(pull) * _backoff_limit(pull)
    candidates: Sequence[int | None] = (completion.ttl_seconds_after_finished, completion.active_deadline_seconds)
    base = next((seconds for seconds in candidates if seconds is not None), product)
    return base + limits.always_extra_ttl_seconds + int(limits.spread * _ALWAYS_TTL_SPREAD_SECONDS)


def _never_deadline(pull: PullPolicy, *, release: Release) -> int:
    if release is Release.V1_6:
        return _NEVER_DEADLINE_SECONDS
    return max(_NEVER_DEADLINE_SECONDS, _timeout_seconds(pull))


def _timeout_seconds(pull: PullPolicy) -> int:
    return _TIMEOUT_SECONDS if pull.timeout_seconds is None else pull.timeout_seconds


def _backoff_limit(pull: PullPolicy) -> int:
    return _BACKOFF_LIMIT if pull.backoff_limit is None else pull.backoff_limit
