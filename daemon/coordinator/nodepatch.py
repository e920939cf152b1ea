"""
What is written into a NodeImage: the patch of its spec, a new one, and the status of a node that has gone silent.

Pure. What an entry should be is entry.py's, which nodes are silent silence.py's; sending is sending.py's.

`tags` is one list for a merge patch, and a JSON Patch of single tags goes by their place in it: so a repository is
always written whole, under tests which say that nobody has written since it was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from daemon.api.nodeimage import ImageSpec, Phase, SandboxConfig, SecretReference, TagEntry, TagStatus
from daemon.api.reasons import Reason
from daemon.api.wire import to_wire
from daemon.cluster.interface import Operation, Resource
from daemon.cluster.patches import guard, pointer
from daemon.coordinator.seen import PLAIN_SETTINGS, ImageKey, SeenNode, SeenNodeImage
from daemon.coordinator.silence import NO_RESPONSE


NO_SECRETS: Final[Mapping[str, tuple[SecretReference, ...]]] = {}

_COUNTED: Final = (Phase.SUCCEEDED, Phase.FAILED, Phase.PULLING, Phase.WAITING)


def spec_patch(
    seen: SeenNodeImage,
    *,
    entries: Mapping[ImageKey, TagEntry | None],
    sandboxes: Mapping[str, SandboxConfig],
    secrets: Mapping[str, tuple[SecretReference, ...]] = NO_SECRETS,
    labels: Mapping[str, str] | None = None,
    tests_resource_version: bool = False,
) -> tuple[Operation, ...]:
    """
    Return the JSON Patch that changes what a node should have, and its labels.

    It is refused (HTTP 422) where the object is another of that name or anyone has changed its spec since; a status
    that was written since does not hinder it. A repository without a tag goes.

    Args:
        seen: the NodeImage as it was read.
        entries: those that change; None takes one away.
        sandboxes: by repository, where that changes.
        secrets: the pull secrets by repository, where those change.
        labels: all that it should have; None leaves them.
        tests_resource_version: nothing else may have changed either, the status for one.
    """
    images = _changed(seen, entries=entries, sandboxes=sandboxes, secrets=secrets)
    version = str(seen.version) if tests_resource_version else None
    return (
        *guard(uid=seen.uid, generation=seen.generation, resource_version=version),
        *_spec_parents(seen, is_needed=any(images.values())),
        *(_image_step(repository, image) for repository, image in images.items()),
        *(() if labels is None else (_set(dict(labels), "metadata", "labels"),)),
    )


def new_node_image(
    node: SeenNode,
    *,
    api_version: str,
    entries: Mapping[ImageKey, TagEntry],
    sandboxes: Mapping[str, SandboxConfig],
    secrets: Mapping[str, tuple[SecretReference, ...]] = NO_SECRETS,
) -> Resource:
    """
    Return the NodeImage of a node that has none, with what it should have in it.

    It goes with its Node, which owns it, wherever a garbage collector runs.
    """
    owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
    images = _images_of(entries, sandboxes=sandboxes, secrets=secrets)
    return {
        "apiVersion": api_version,
        "kind": "NodeImage",
        "metadata": {"name": node.name, "labels": dict(node.labels), "ownerReferences": [owner]},
        "spec": {"images": {repository: to_wire(image) for repository, image in images.items()}},
    }


def silent_status_patch(seen: SeenNodeImage, *, keys: Sequence[ImageKey], now: datetime) -> tuple[Operation, ...]:
    """
    Return the JSON Patch, for /status, that answers for a node which does not: Failed, with reason AgentSilent.

    What lies on the node by its last words is kept. It is refused where anything has changed since: the node's own next
    report then counts, and replaces this one.

    Args:
        seen: the NodeImage as it was read.
        keys: the entries that got no answer.
        now: becomes their completionTime.
    """
    silent = {key: _silent(seen, key, now=now) for key in keys if key in seen.entries}
    statuses = {**seen.statuses, **silent}
    counters = _counters(seen, statuses)
    repositories = sorted({key.repository for key in silent})
    return (
        *guard(uid=seen.uid, resource_version=str(seen.version)),
        *_status_parents(seen, counters=counters),
        *(_status_step(repository, statuses) for repository in repositories),
        *(_set(count, "status", name) for name, count in counters.items()),
    )


def _changed(
    seen: SeenNodeImage,
    *,
    entries: Mapping[ImageKey, TagEntry | None],
    sandboxes: Mapping[str, SandboxConfig],
    secrets: Mapping[str, tuple[SecretReference, ...]],
) -> dict[str, ImageSpec | None]:
    """Make the whole value of each repository that changes; None for one that goes."""
    touched = {key.repository for key in entries} | set(sandboxes) | set(secrets)
    standing = {key: entry for key, entry in seen.entries.items() if key.repository in touched}
    wanted = {key: entry for key, entry in {**standing, **entries}.items() if entry is not None}
    images: dict[str, ImageSpec | None] = dict.fromkeys(sorted(touched & _repositories(seen)))
    return images | _images_of(wanted, sandboxes=sandboxes, secrets=secrets, seen=seen)


def _images_of(
    entries: Mapping[ImageKey, TagEntry],
    *,
    sandboxes: Mapping[str, SandboxConfig],
    secrets: Mapping[str, tuple[SecretReference, ...]],
    seen: SeenNodeImage | None = None,
) -> dict[str, ImageSpec]:
    """Group entries by repository, both in order."""
    tags: dict[str, list[TagEntry]] = {}
    for key in sorted(entries):
        tags.setdefault(key.repository, []).append(entries[key])
    settings = seen.settings if seen else {}
    images = {}
    for repository, found in tags.items():
        own = settings.get(repository, PLAIN_SETTINGS)
        sandbox = sandboxes.get(repository, own.sandbox_config)
        pull_secrets = secrets.get(repository, own.pull_secrets)
        images[repository] = ImageSpec(tags=tuple(found), pull_secrets=pull_secrets, sandbox_config=sandbox)
    return images


def _repositories(seen: SeenNodeImage) -> set[str]:
    return {*seen.settings, *(key.repository for key in seen.entries)}


def _image_step(repository: str, image: ImageSpec | None) -> Operation:
    if image is None:
        return Operation(op="remove", path=pointer("spec", "images", repository))
    return _set(to_wire(image), "spec", "images", repository)


def _spec_parents(seen: SeenNodeImage, *, is_needed: bool) -> Iterable[Operation]:
    if is_needed and not seen.has_spec:
        yield _set({}, "spec")
    if is_needed and not seen.has_images:
        yield _set({}, "spec", "images")


def _status_parents(seen: SeenNodeImage, *, counters: Mapping[str, int]) -> Iterable[Operation]:
    """Make what is above a repository's statuses. An agent's words stand in a status; without any there may be none."""
    if seen.agent is None and not seen.has_statuses:
        yield _set({"desired": counters["desired"]}, "status")
    if not seen.has_statuses:
        yield _set({}, "status", "imageStatuses")


def _status_step(repository: str, statuses: Mapping[ImageKey, TagStatus]) -> Operation:
    tags = [to_wire(statuses[key]) for key in sorted(statuses) if key.repository == repository]
    return _set({"tags": tags}, "status", "imageStatuses", repository)


def _set(value: object, *path: str) -> Operation:
    return Operation(op="add", path=pointer(*path), value=value)


def _silent(seen: SeenNodeImage, key: ImageKey, *, now: datetime) -> TagStatus:
    entry, said = seen.entries[key], seen.statuses.get(key) or TagStatus(tag=key.tag, phase=Phase.WAITING)
    is_same = said.version == entry.version
    return TagStatus(
        tag=key.tag,
        phase=Phase.FAILED,
        version=entry.version,
        start_time=said.start_time if is_same else None,
        completion_time=now.replace(microsecond=0),
        image_id=said.image_id,
        message=_silence(seen),
        reason=Reason.AGENT_SILENT,
        attempt=said.attempt if is_same else 0,
        digest=said.digest,
    )


def _silence(seen: SeenNodeImage) -> str:
    if seen.agent is None:
        return NO_RESPONSE
    since = f" since {seen.agent.reported_at}" if seen.agent.reported_at else ""
    return f"the node's agent has not reported{since}; its next report replaces this"


def _counters(seen: SeenNodeImage, statuses: Mapping[ImageKey, TagStatus]) -> dict[str, int]:
    """Count as the agent does: what is wanted, and of that what stands in each phase."""
    phases = [status.phase for key, status in statuses.items() if key in seen.entries]
    return {"desired": len(seen.entries), **{phase.lower(): phases.count(phase) for phase in _COUNTED}}
