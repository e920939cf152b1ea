"""
A NodeImage's JSON as a SeenNodeImage.

The fast way is one typed decoder. What it refuses, or what breaks a rule, goes through the rules that the agent reads
NodeImages by, which leave unsound entries and statuses out and keep the rest. Both ways agree on sound objects.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from daemon.api.fields import INT32_MAX, INT64_MAX
from daemon.api.nodeimage import (
    EntryPrewarm,
    EntryPullPolicy,
    ImageSpec,
    NodeImage,
    OwnerReference,
    Phase,
    TagEntry,
    TagStatus,
)
from daemon.api.objects import read_object
from daemon.api.quantity import MIN_FREE
from daemon.api.reasons import Reason
from daemon.api.rules.nodeimage import read_node_image
from daemon.coordinator.objectmeta import ObjectMeta
from daemon.coordinator.salvage import salvage
from daemon.coordinator.seen import (
    PLAIN_SETTINGS,
    ImageKey,
    RepositorySettings,
    SeenAgent,
    SeenNodeImage,
    labels_hash,
)
from daemon.coordinator.sharing import MESSAGES, TEXTS, Shared, shared_labels
from daemon.coordinator.silence import NO_RESPONSE


FAKE_LABEL: Final = "apps.kruise.io/fake-nodeimage"


class _Repository(msgspec.Struct, frozen=True, kw_only=True):
    tags: tuple[TagStatus, ...] | None = None


class _Reported(msgspec.Struct, frozen=True, kw_only=True):
    agent: SeenAgent | None = None


class _Spec(msgspec.Struct, frozen=True, kw_only=True):
    images: dict[str, ImageSpec] | None = None


class _Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    image_statuses: dict[str, _Repository] | None = None
    prewarm: _Reported | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    metadata: ObjectMeta
    spec: _Spec | None = None
    status: _Status | None = None


class _Odd(Exception):
    """The rules have to look at this object."""


_DOCUMENT: Final = msgspec.json.Decoder(_Document)
_NO_ENTRIES: Final[dict[ImageKey, TagEntry]] = {}
_NO_STATUSES: Final[dict[ImageKey, TagStatus]] = {}
_NO_SETTINGS: Final[dict[str, RepositorySettings]] = {}

_KEYS: Final[Shared[ImageKey]] = Shared(limit=16_384)
_OWNERS: Final[Shared[tuple[OwnerReference, ...]]] = Shared(limit=4_096)
_PULL_POLICIES: Final[Shared[EntryPullPolicy]] = Shared(limit=16_384)
_PREWARMS: Final[Shared[EntryPrewarm]] = Shared(limit=4_096)
_SETTINGS: Final[Shared[RepositorySettings]] = Shared(limit=1_024)
_ALL_PLAIN: Final[Shared[dict[str, RepositorySettings]]] = Shared(limit=1_024)


def node_image_of(content: bytes) -> SeenNodeImage:
    """
    Return a NodeImage from its JSON; entries and statuses that break a rule are left out.

    Raises:
        ValueError: it has no name or no uid, or it is no JSON object (msgspec.DecodeError is a ValueError).
    """
    try:
        document = _DOCUMENT.decode(content)
        return _fast(document)
    except (msgspec.ValidationError, _Odd):
        return _slow(content)


def _fast(document: _Document) -> SeenNodeImage:
    spec, status = document.spec, document.status
    images = spec.images if spec else None
    told = status.image_statuses if status else None
    statuses = {repository: found.tags or () for repository, found in told.items()} if told else {}
    return _seen(
        document.metadata,
        images=images or {},
        statuses=statuses,
        agent=status.prewarm.agent if status and status.prewarm else None,
        has_spec=spec is not None,
        has_images=images is not None,
        has_statuses=told is not None,
    )


def _slow(content: bytes) -> SeenNodeImage:
    raw = msgspec.json.decode(content)
    if not isinstance(raw, dict):
        raise ValueError("a NodeImage that is no object")  # noqa: TRY004 - what is wrong is the content
    read = read_object({**raw, "kind": "NodeImage"}, kind="NodeImage", read=read_node_image).value
    node_image = read or NodeImage(name="")
    spec, status = raw.get("spec"), raw.get("status")
    agent = _member(_member(status, "prewarm"), "agent")
    return _seen(
        salvage(raw.get("metadata"), ObjectMeta),
        images=node_image.images,
        statuses=node_image.statuses,
        agent=salvage(agent, SeenAgent) if isinstance(agent, dict) else None,
        has_spec=isinstance(spec, dict),
        has_images=isinstance(_member(spec, "images"), dict),
        has_statuses=isinstance(_member(status, "imageStatuses"), dict),
    )


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _seen(
    metadata: ObjectMeta,
    *,
    images: Mapping[str, ImageSpec],
    statuses: Mapping[str, tuple[TagStatus, ...]],
    agent: SeenAgent | None,
    has_spec: bool,
    has_images: bool,
    has_statuses: bool,
) -> SeenNodeImage:
    labels = metadata.labels or {}
    is_fake = FAKE_LABEL in labels
    owners = metadata.owner_references or ()
    return SeenNodeImage(
        name=TEXTS.one(metadata.name),
        uid=metadata.uid,
        generation=metadata.generation,
        version=metadata.version,
        node_uid=next((TEXTS.one(owner.uid) for owner in owners if owner.kind == "Node"), ""),
        is_fake=is_fake,
        is_deleting=metadata.is_deleting,
        labels=shared_labels(labels) if is_fake else None,
        labels_hash=labels_hash(labels),
        entries=_entries(images) or _NO_ENTRIES,
        settings=_all_settings(images) or _NO_SETTINGS,
        statuses=_tag_statuses(statuses) or _NO_STATUSES,
        agent=agent and _agent(agent),
        has_images=has_images,
        has_spec=has_spec,
        has_statuses=has_statuses,
    )


def _entries(images: Mapping[str, ImageSpec]) -> dict[ImageKey, TagEntry]:
    found = {}
    for repository, image in images.items():
        for entry in image.tags:
            key = _KEYS.one(ImageKey(repository, entry.tag))
            if key in found:
                raise _Odd
            found[key] = _entry(entry, key=key)
    return found


def _tag_statuses(statuses: Mapping[str, tuple[TagStatus, ...]]) -> dict[ImageKey, TagStatus]:
    found = {}
    for repository, tags in statuses.items():
        for status in tags:
            key = _KEYS.one(ImageKey(repository, status.tag))
            if key in found:
                raise _Odd
            found[key] = _tag_status(status, key=key)
    return found


def _entry(entry: TagEntry, *, key: ImageKey) -> TagEntry:
    """Check an entry, and exchange its parts for those that other nodes have, before anyone else knows it."""
    pull_policy, prewarm = entry.pull_policy, entry.prewarm
    if not (
        entry.tag
        and 0 <= entry.version <= INT64_MAX
        and _are_times((entry.created_at,))
        and _is_sound_policy(pull_policy)
        and _is_sound_prewarm(prewarm)
    ):
        raise _Odd
    force_setattr(entry, "tag", key.tag)
    force_setattr(entry, "owner_references", _OWNERS.one(entry.owner_references))
    force_setattr(entry, "pull_policy", _PULL_POLICIES.one(pull_policy))
    force_setattr(entry, "prewarm", _PREWARMS.one(prewarm))
    return entry


def _tag_status(status: TagStatus, *, key: ImageKey) -> TagStatus:
    """Check a status, and exchange its texts for those that other nodes have, before anyone else knows it."""
    size = status.bytes
    if not (
        status.tag
        and 0 <= status.version <= INT64_MAX
        and 0 <= status.progress <= INT32_MAX
        and 0 <= status.attempt <= INT32_MAX
        and (size is None or (0 <= size.done <= INT64_MAX and 0 <= size.total <= INT64_MAX))
        and _are_times((status.start_time, status.completion_time))
    ):
        raise _Odd
    force_setattr(status, "tag", key.tag)
    if status.phase is Phase.FAILED and not status.reason and status.message == NO_RESPONSE:
        force_setattr(status, "reason", str(Reason.AGENT_SILENT))
    for name in ("image_id", "digest", "reason", "stage"):
        text = getattr(status, name)
        if text:
            force_setattr(status, name, TEXTS.one(_plain(text)))
    if status.message:
        force_setattr(status, "message", MESSAGES.one(_plain(status.message)))
    return status


def _plain(text: str) -> str:
    """Leave out what a terminal would act on: a registry or another daemon chose these words, and people read them."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def _are_times(times: Iterable[datetime | None]) -> bool:
    return all(at is None or at.tzinfo is UTC for at in times)


def _is_sound_policy(policy: EntryPullPolicy) -> bool:
    ttl, deadline = policy.ttl_seconds_after_finished, policy.active_deadline_seconds
    return (
        1 <= policy.timeout_seconds <= INT32_MAX
        and 0 <= policy.backoff_limit <= INT32_MAX
        and (ttl is None or 0 <= ttl <= INT32_MAX)
        and (deadline is None or 1 <= deadline <= INT64_MAX)
    )


def _is_sound_prewarm(prewarm: EntryPrewarm) -> bool:
    return (
        -INT32_MAX - 1 <= prewarm.priority <= INT32_MAX
        and 0 <= prewarm.round <= INT32_MAX
        and (prewarm.min_free is None or MIN_FREE.fullmatch(prewarm.min_free) is not None)
        and all(owner.uid for owner in prewarm.ended)
    )


def _all_settings(images: Mapping[str, ImageSpec]) -> dict[str, RepositorySettings]:
    found = {repository: _settings(image) for repository, image in images.items()}
    if all(settings is PLAIN_SETTINGS for settings in found.values()):
        return _ALL_PLAIN.under(tuple(found), found)
    return found


def _settings(image: ImageSpec) -> RepositorySettings:
    sandbox, secrets = image.sandbox_config, image.pull_secrets
    if not secrets and not sandbox.labels and not sandbox.annotations:
        return PLAIN_SETTINGS
    # What holds dicts has no hash, so it stands under what is in them.
    key = (secrets, tuple(sorted(sandbox.labels.items())), tuple(sorted(sandbox.annotations.items())))
    return _SETTINGS.under(key, RepositorySettings(pull_secrets=secrets, sandbox_config=sandbox))


def _agent(agent: SeenAgent) -> SeenAgent:
    force_setattr(agent, "version", TEXTS.one(agent.version))
    force_setattr(agent, "runtime", TEXTS.one(agent.runtime))
    return agent
