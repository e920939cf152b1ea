"""
A NodeImage as OpenKruise's manager knows it.

Of the manager's own types; see manager_objects.py for why it has some. Counters are written when they are 0, too;
everything else that is empty is left out.
"""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from tests.servers.openkruise.manager_metadata import Metadata


class Owner(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A core ObjectReference."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class EntryPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How often and how long a node tries, and how long the entry stays when it has."""

    timeout_seconds: int | None = None
    backoff_limit: int | None = None
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One element of spec.images[].tags."""

    tag: str
    created_at: datetime | None = None
    version: int = 0
    image_pull_policy: str = ""
    owner_references: tuple[Owner, ...] = ()
    pull_policy: EntryPolicy | None = None


class SecretReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A copy of a Secret; `mode` is known to v1beta1 alone."""

    namespace: str = ""
    name: str = ""
    mode: str = ""


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Goes into the runtime's sandbox config."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Image(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One repository of a NodeImage's spec."""

    pull_secrets: tuple[SecretReference, ...] = ()
    tags: tuple[Entry, ...]
    sandbox_config: SandboxConfig | None = None


class NodeImageSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a node should have."""

    images: dict[str, Image] = {}


class TagStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One element of status.imageStatuses[].tags."""

    tag: str
    phase: str
    progress: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    version: int = 0
    image_id: str = msgspec.field(name="imageID", default="")
    message: str = ""


class ImageStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One repository of a NodeImage's status."""

    tags: tuple[TagStatus, ...]


class SyncStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Declared, never written."""

    sync_at: datetime | None = None
    status: str = ""
    message: str = ""


class NodeImageStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a node has."""

    desired: int = 0
    succeeded: int = 0
    failed: int = 0
    pulling: int = 0
    waiting: int = 0
    image_statuses: dict[str, ImageStatus] | UnsetType = UNSET
    first_sync_status: SyncStatus | UnsetType = UNSET

    def find(self, repository: str, *, tag: str) -> TagStatus | None:
        """Return the status of a tag, whichever its version."""
        images = self.image_statuses or {}
        tags = images[repository].tags if repository in images else ()
        return next((status for status in tags if status.tag == tag), None)


class NodeImage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A NodeImage without its apiVersion and kind."""

    metadata: Metadata = Metadata()
    spec: NodeImageSpec = NodeImageSpec()
    status: NodeImageStatus = NodeImageStatus()
