"""
NodeImage as a value: what one node should have (spec) and what it says it has (status).

The agent reads its spec and writes its status, the coordinator the other way round; `prewarm run` makes the same
tag entries without an API server. Deriving an entry from a job is entries.py's.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class ImagePullPolicy(StrEnum):
    """Whether a pull asks the registry although the image is there."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"


class Phase(StrEnum):
    """Where one tag entry stands on one node."""

    WAITING = "Waiting"
    PULLING = "Pulling"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Labels and annotations that go into the sandbox_config of CRI's PullImage."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class SecretReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A pull secret by name; `mode` is "batch" for a copy that several jobs share."""

    namespace: str
    name: str
    mode: str = ""


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The job for which a tag entry stands."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class EntryPullPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the pull of one tag entry is bounded; the two lives are absent where nothing bounds them."""

    timeout_seconds: int = 600
    backoff_limit: int = 3
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None


class EndedOwner(msgspec.Struct, frozen=True, kw_only=True):
    """An owner whose share of the entry ended before the entry's version."""

    uid: str
    phase: Phase


class EntryPrewarm(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Prewarm's additions to a tag entry; all absent means OpenKruise's behaviour."""

    priority: int = 0
    min_free: str | None = None
    suspended: bool = False
    round: int = 0
    ended: tuple[EndedOwner, ...] = ()


class TagEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """
    One wanted image of one repository.

    `tag` is a tag or a digest (`sha256:...`). `version` changes whenever the node should act again; only a status of
    the same version answers it.
    """

    tag: str
    created_at: datetime | None = None
    version: int = 0
    image_pull_policy: ImagePullPolicy = ImagePullPolicy.IF_NOT_PRESENT
    owner_references: tuple[OwnerReference, ...] = ()
    pull_policy: EntryPullPolicy = EntryPullPolicy()
    prewarm: EntryPrewarm = EntryPrewarm()


class ImageSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything wanted of one repository, with the secrets and sandbox settings that its tags share."""

    tags: tuple[TagEntry, ...]
    pull_secrets: tuple[SecretReference, ...] = ()
    sandbox_config: SandboxConfig = SandboxConfig()


class Bytes(msgspec.Struct, frozen=True, kw_only=True):
    """Compressed bytes of an image: here now, and in all."""

    done: int = 0
    total: int = 0


class TagStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a node says of one tag entry; the second half are Prewarm's additions."""

    tag: str
    phase: Phase
    version: int = 0
    progress: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    image_id: str = msgspec.field(default="", name="imageID")
    message: str = ""
    reason: str = ""
    attempt: int = 0
    digest: str = ""
    changed: bool | None = None
    bytes: Bytes | None = None
    stage: str = ""


class NodeImage(msgspec.Struct, frozen=True, kw_only=True):
    """One node's wanted images by repository key (the familiar name without tag), and their statuses."""

    name: str
    uid: str = ""
    generation: int = 0
    images: dict[str, ImageSpec] = {}
    statuses: dict[str, tuple[TagStatus, ...]] = {}
