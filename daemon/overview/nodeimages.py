"""
From a NodeImage's JSON to what is shown of a node: its images, its agent, and why jobs leave it out.

Pure. What is wanted and what the node says is decoded as the coordinator does it, so that both read the same; who is
left out is the coordinator's rule too (silence.py), as far as one look at the objects tells.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.nodeimage import Phase, TagEntry, TagStatus
from daemon.clock import Moment
from daemon.coordinator.decoding_nodeimage import node_image_of
from daemon.coordinator.salvage import salvage
from daemon.coordinator.seen import ImageKey, SeenNode, SeenNodeImage
from daemon.coordinator.silence import Skip, skip_of
from daemon.overview.documents import Agent, Bytes, Condition, Node, NodeEntry
from daemon.overview.jobs import conditions_of, time_of
from daemon.overview.jobwire import WireCondition


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A NodeImage: what a coordinator keeps of it, and what a person wants to see beside that."""

    image: SeenNodeImage
    labels: Mapping[str, str] = {}
    created_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    labels: dict[str, str] | None = None
    creation_timestamp: str = ""


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    conditions: tuple[WireCondition, ...] | None = None


class _Object(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Metadata = _Metadata()
    status: _Status | None = None


_OBJECT: Final = msgspec.json.Decoder(_Object)


def facts_of(content: bytes) -> NodeFacts:
    """
    Return a NodeImage from its JSON.

    Raises:
        ValueError: it has no name or no uid, or it is no JSON object.
    """
    image = node_image_of(content)
    found = _read(content)
    return NodeFacts(
        image=image,
        labels=found.metadata.labels or {},
        created_at=time_of(found.metadata.creation_timestamp),
        conditions=conditions_of(found.status.conditions if found.status else None),
    )


def skip_now(facts: NodeFacts | None, *, node: SeenNode | None, now: datetime) -> Skip | None:
    """
    Return why jobs leave a node out, as far as its objects tell; None where they do not.

    Args:
        facts: its NodeImage.
        node: the Node, None where it could not be read: whether it is Ready is not known then.
        now: this moment.
    """
    image = facts.image if facts is not None else None
    return skip_of(node, image, heard=None, now=Moment(seconds=0.0, at=now))


def node_of(facts: NodeFacts, *, node: SeenNode | None, now: datetime) -> Node:
    """Return what is shown of a node; `node` is None where it could not be read."""
    skip = skip_now(facts, node=node, now=now)
    return Node(
        name=facts.image.name,
        created_at=facts.created_at,
        agent=agent_of(facts.image),
        skip_reason=str(skip.reason) if skip is not None else "",
        skip_message=skip.message if skip is not None else "",
        conditions=facts.conditions,
        entries=_entries(facts.image),
    )


def bare_node_of(node: SeenNode, *, now: datetime) -> Node:
    """Return what is shown of a Node that has no NodeImage, such as a Windows node."""
    skip = skip_now(None, node=node, now=now)
    return Node(
        name=node.name,
        created_at=node.created_at,
        skip_reason=str(skip.reason) if skip is not None else "",
        skip_message=skip.message if skip is not None else "",
    )


def agent_of(image: SeenNodeImage) -> Agent | None:
    """Return who reports for a node; None where no agent of ours has."""
    told = image.agent
    if told is None:
        return None
    return Agent(
        version=told.version,
        runtime=told.runtime,
        started_at=time_of(told.started_at),
        reported_at=time_of(told.reported_at),
    )


def bytes_of(status: TagStatus) -> Bytes | None:
    """Return how much of an image is here."""
    return Bytes(done=status.bytes.done, total=status.bytes.total) if status.bytes is not None else None


def percent_of(status: TagStatus) -> int | None:
    """Return the percent of a pull that runs; None where the node can't tell, as without containerd."""
    return status.progress if status.phase is Phase.PULLING and status.bytes is not None else None


def _entries(image: SeenNodeImage) -> tuple[NodeEntry, ...]:
    keys = sorted({*image.entries, *image.statuses})
    return tuple(_entry(key, entry=image.entries.get(key), status=image.statuses.get(key)) for key in keys)


def _entry(key: ImageKey, *, entry: TagEntry | None, status: TagStatus | None) -> NodeEntry:
    """Say what is wanted of an image and what the node says; of another version only what lies there still counts."""
    lying = NodeEntry(
        image=f"{key.repository}{'@' if ':' in key.tag else ':'}{key.tag}",
        is_wanted=entry is not None,
        image_id=status.image_id if status is not None else "",
        digest=status.digest if status is not None else "",
    )
    wanted = lying if entry is None else _wanted(lying, entry)
    is_answer = status is not None and (entry is None or status.version == entry.version)
    return _answered(wanted, status) if status is not None and is_answer else wanted


def _wanted(found: NodeEntry, entry: TagEntry) -> NodeEntry:
    return msgspec.structs.replace(
        found,
        version=entry.version,
        granted_at=entry.created_at,
        owners=tuple(sorted(f"{owner.namespace}/{owner.name}" for owner in entry.owner_references)),
        attempts_allowed=entry.pull_policy.backoff_limit + 1,
        priority=entry.prewarm.priority,
        is_suspended=entry.prewarm.suspended,
    )


def _answered(found: NodeEntry, status: TagStatus) -> NodeEntry:
    return msgspec.structs.replace(
        found,
        phase=status.phase.value,
        reason=status.reason,
        message=status.message,
        attempt=status.attempt,
        percent=percent_of(status),
        bytes=bytes_of(status),
        stage=status.stage,
        started_at=status.start_time,
        completed_at=status.completion_time,
        is_changed=status.changed,
    )


def _read(content: bytes) -> _Object:
    try:
        return _OBJECT.decode(content)
    except msgspec.ValidationError:
        return salvage(msgspec.json.decode(content), _Object)
