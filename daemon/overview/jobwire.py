"""
The parts of a job's and a list's JSON that are shown, as they stand in there; jobs.py makes documents of them.

Pure. Times are text here: one that is none must hide nothing else.
"""

import msgspec

from daemon.api.imagepulljob import CompletionType
from daemon.api.nodeimage import ImagePullPolicy
from daemon.overview.documents import Bytes


class WireCondition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """metav1.Condition, as it stands in a status."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class WireOwner(msgspec.Struct, frozen=True, kw_only=True):
    """One of metadata.ownerReferences."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class WireMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who an object is."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    owner_references: tuple[WireOwner, ...] | None = None


class WireCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """spec.completionPolicy."""

    type: str = CompletionType.ALWAYS.value


class WireRefresh(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """spec.prewarm.refresh."""

    schedule: str = ""
    time_zone: str = ""
    starting_deadline_seconds: int | None = None


class WireAdditions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """spec.prewarm."""

    suspend: bool = False
    priority: int = 0
    gate: bool = False
    list_parallelism: int | str | None = None
    refresh: WireRefresh | None = None


class WireSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """spec, of a job or of a list."""

    image: str = ""
    images: tuple[str, ...] | None = None
    parallelism: int | str | None = None
    image_pull_policy: str = ImagePullPolicy.IF_NOT_PRESENT.value
    completion_policy: WireCompletion | None = None
    prewarm: WireAdditions | None = None


class WireGroup(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of status.prewarm.failures and skipped."""

    reason: str = ""
    count: int = 0
    nodes: tuple[str, ...] | None = None
    message: str = ""
    retry_time: str = ""


class WireDigest(msgspec.Struct, frozen=True, kw_only=True):
    """One of status.prewarm.digests."""

    digest: str = ""
    nodes: int = 0


class WireNodes(msgspec.Struct, frozen=True, kw_only=True):
    """status.prewarm.nodes."""

    warm: int = 0
    stale: int = 0
    cold: int = 0
    skipped: int = 0


class WireTold(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`status.prewarm`."""

    summary: str = ""
    nodes: WireNodes | None = None
    pulling: int | None = None
    waiting: int | None = None
    bytes: Bytes | None = None
    eta: str = ""
    last_refresh_time: str = ""
    next_refresh_time: str = ""
    digests: tuple[WireDigest, ...] | None = None
    failures: tuple[WireGroup, ...] | None = None
    skipped: tuple[WireGroup, ...] | None = None


class WireFailedImage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of a list's status.failedImageStatuses."""

    name: str = ""
    image_pull_job: str = ""
    message: str = ""


class WireStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """status, of a job or of a list."""

    observed_generation: int | None = None
    desired: int | None = None
    active: int | None = None
    completed: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    message: str = ""
    start_time: str = ""
    completion_time: str = ""
    conditions: tuple[WireCondition, ...] | None = None
    failed_image_statuses: tuple[WireFailedImage, ...] | None = None
    prewarm: WireTold | None = None


class WireObject(msgspec.Struct, frozen=True, kw_only=True):
    """A job or a list."""

    metadata: WireMetadata
    spec: WireSpec | None = None
    status: WireStatus | None = None
