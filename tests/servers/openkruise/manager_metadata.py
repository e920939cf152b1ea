"""
What of the core API OpenKruise's manager knows: ObjectMeta, and the Nodes and Secrets that it reads.

See manager_objects.py for why it has types of its own.
"""

from datetime import datetime

import msgspec


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """ObjectMeta, which every Go client knows whole."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[dict[str, object]] = []
    finalizers: list[str] = []
    managed_fields: list[dict[str, object]] = []


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One of a Node's."""

    type: str
    status: str
    last_transition_time: datetime | None = None


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A Node's, as far as it is read."""

    conditions: tuple[Condition, ...] = ()


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A Node, which is only read."""

    metadata: Metadata = Metadata()
    status: NodeStatus = NodeStatus()


class Secret(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A Secret without its apiVersion and kind."""

    metadata: Metadata = Metadata()
    type: str = ""
    immutable: bool | None = None
    data: dict[str, str] = {}
