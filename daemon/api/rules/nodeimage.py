"""
The rules of a NodeImage.

An agent must go on with the rest when one entry is bad: an entry with an error is left out of the value, and the
errors say which. Whether a tag or a repository key is a reference at all is the pull's business, so that the node can
answer with the reason InvalidReference.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from daemon.api.fields import INT32_MAX, INT64_MAX, Field
from daemon.api.nodeimage import (
    Bytes,
    EndedOwner,
    EntryPrewarm,
    EntryPullPolicy,
    ImagePullPolicy,
    ImageSpec,
    NodeImage,
    OwnerReference,
    Phase,
    SecretReference,
    TagEntry,
    TagStatus,
)
from daemon.api.rules.metadata import read_metadata
from daemon.api.rules.sandbox import read_sandbox_config
from daemon.api.rules.scalars import read_min_free, read_time


MOST_REPOSITORIES: Final = 256

_ENTRY: Final = ("createdAt", "imagePullPolicy", "ownerReferences", "prewarm", "pullPolicy", "tag", "version")
_OWNER: Final = ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")
_PULL_POLICY: Final = ("activeDeadlineSeconds", "backoffLimit", "timeoutSeconds", "ttlSecondsAfterFinished")
_STATUS: Final = (
    "conditions",
    "desired",
    "failed",
    "firstSyncStatus",
    "imageStatuses",
    "observedGeneration",
    "prewarm",
    "pulling",
    "succeeded",
    "waiting",
)
_TAG_STATUS: Final = (
    "attempt",
    "bytes",
    "changed",
    "completionTime",
    "digest",
    "imageID",
    "message",
    "phase",
    "progress",
    "reason",
    "stage",
    "startTime",
    "tag",
    "version",
)

Value = TypeVar("Value")
Tagged = TypeVar("Tagged", TagEntry, TagStatus)


def read_node_image(document: Field) -> NodeImage:
    """Read a NodeImage; entries and tag statuses with an error are left out."""
    document.is_object(("apiVersion", "kind", "metadata", "spec", "status"))
    metadata = read_metadata(document, is_namespaced=False)
    return NodeImage(
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        images=_images(document.child("spec")),
        statuses=_statuses(document.child("status")),
    )


def _images(spec: Field) -> dict[str, ImageSpec]:
    if not spec.is_present or not spec.is_object(("images",)):
        return {}
    images = spec.child("images")
    found = images.entries(at_most=MOST_REPOSITORIES)
    if "" in found:
        images.error('Invalid value: "": a repository must not be empty')
    return {
        repository: _image(field)
        for repository, field in found.items()
        if field.is_object(("pullSecrets", "sandboxConfig", "tags"))
    }


def _image(field: Field) -> ImageSpec:
    tags = field.child("tags")
    if not tags.is_present:
        tags.required()
    return ImageSpec(
        tags=_without_doubles(tags, _entry),
        pull_secrets=_sound(field.child("pullSecrets"), _secret),
        sandbox_config=read_sandbox_config(field.child("sandboxConfig")),
    )


def _sound(field: Field, read: Callable[[Field], Value]) -> tuple[Value, ...]:
    """Return the elements that have no error."""
    found = []
    for item in field.items():
        before = len(field.findings)
        value = read(item)
        if len(field.findings) == before:
            found.append(value)
    return tuple(found)


def _without_doubles(field: Field, read: Callable[[Field], Tagged]) -> tuple[Tagged, ...]:
    """Return the elements without error, of two for one tag the first."""
    seen: set[str] = set()

    def read_once(item: Field) -> Tagged:
        value = read(item)
        if value.tag and value.tag in seen:
            item.child("tag").duplicate()
        seen.add(value.tag)
        return value

    return _sound(field, read_once)


def _secret(field: Field) -> SecretReference:
    # v1alpha1 has no mode in OpenKruise; here it has, so that a read and write through it loses nothing.
    if not field.is_object(("mode", "name", "namespace")):
        return SecretReference(namespace="", name="")
    return SecretReference(
        namespace=field.child("namespace").string(""),
        name=field.child("name").string(""),
        mode=field.child("mode").string(""),
    )


def _entry(field: Field) -> TagEntry:
    if not field.is_object(_ENTRY):
        return TagEntry(tag="")
    return TagEntry(
        tag=field.child("tag").required_string(),
        created_at=read_time(field.child("createdAt")),
        version=field.child("version").integer(0, maximum=INT64_MAX),
        image_pull_policy=_image_pull_policy(field.child("imagePullPolicy")),
        owner_references=tuple(_owner(item) for item in field.child("ownerReferences").items()),
        pull_policy=_pull_policy(field.child("pullPolicy")),
        prewarm=_prewarm(field.child("prewarm")),
    )


def _image_pull_policy(field: Field) -> ImagePullPolicy:
    # OpenKruise's manager writes no default here; empty means what the API's text says.
    return ImagePullPolicy.IF_NOT_PRESENT if field.value == "" else field.choice(ImagePullPolicy.IF_NOT_PRESENT)


def _owner(field: Field) -> OwnerReference:
    if not field.is_object(_OWNER):
        return OwnerReference()
    return OwnerReference(
        api_version=field.child("apiVersion").string(""),
        kind=field.child("kind").string(""),
        namespace=field.child("namespace").string(""),
        name=field.child("name").string(""),
        uid=field.child("uid").string(""),
    )


def _pull_policy(field: Field) -> EntryPullPolicy:
    if not field.is_present or not field.is_object(_PULL_POLICY):
        return EntryPullPolicy()
    return EntryPullPolicy(
        timeout_seconds=field.child("timeoutSeconds").integer(600, minimum=1),
        backoff_limit=field.child("backoffLimit").integer(3),
        ttl_seconds_after_finished=field.child("ttlSecondsAfterFinished").integer(None),
        active_deadline_seconds=field.child("activeDeadlineSeconds").integer(None, minimum=1, maximum=INT64_MAX),
    )


def _prewarm(field: Field) -> EntryPrewarm:
    if not field.is_present or not field.is_object(("ended", "minFree", "priority", "round", "suspended")):
        return EntryPrewarm()
    return EntryPrewarm(
        priority=field.child("priority").integer(0, minimum=-INT32_MAX - 1),
        min_free=read_min_free(field.child("minFree")),
        suspended=field.child("suspended").boolean(default=False),
        round=field.child("round").integer(0),
        ended=tuple(_ended(item) for item in field.child("ended").items()),
    )


def _ended(field: Field) -> EndedOwner:
    field.is_object(("phase", "uid"))
    return EndedOwner(uid=field.child("uid").required_string(), phase=_phase(field.child("phase")))


def _phase(field: Field) -> Phase:
    if not field.is_present:
        field.required()
        return Phase.WAITING
    return field.choice(Phase.WAITING)


def _statuses(status: Field) -> dict[str, tuple[TagStatus, ...]]:
    if not status.is_present or status.value is None or not status.is_object(_STATUS):
        return {}
    found = status.child("imageStatuses").entries()
    return {
        repository: _without_doubles(field.child("tags"), _tag_status)
        for repository, field in found.items()
        if field.is_object(("tags",))
    }


def _tag_status(field: Field) -> TagStatus:
    if not field.is_object(_TAG_STATUS):
        return TagStatus(tag="", phase=Phase.WAITING)
    texts = {name: field.child(name).string("") for name in ("message", "reason", "digest", "stage")}
    return TagStatus(
        tag=field.child("tag").required_string(),
        phase=_phase(field.child("phase")),
        version=field.child("version").integer(0, maximum=INT64_MAX),
        progress=field.child("progress").integer(0),
        start_time=read_time(field.child("startTime")),
        completion_time=read_time(field.child("completionTime")),
        image_id=field.child("imageID").string(""),
        attempt=field.child("attempt").integer(0),
        changed=field.child("changed").boolean(None),
        bytes=_bytes(field.child("bytes")),
        **texts,
    )


def _bytes(field: Field) -> Bytes | None:
    if not field.is_present or not field.is_object(("done", "total")):
        return None
    return Bytes(
        done=field.child("done").integer(0, maximum=INT64_MAX), total=field.child("total").integer(0, maximum=INT64_MAX)
    )
