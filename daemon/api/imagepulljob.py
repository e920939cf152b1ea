"""
ImagePullJob as a value: one image, the nodes that should have it, and how to bring it there.

Parsing, defaults and rules are this package's; turning a job into a node's tag entry is entries.py's.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from daemon.api.nodeimage import ImagePullPolicy, SandboxConfig


class CompletionType(StrEnum):
    """Whether a job ends: Always ends with its last node, Never also serves nodes that join later and renews."""

    ALWAYS = "Always"
    NEVER = "Never"


class SelectorOperator(StrEnum):
    """How a label is compared (metav1.LabelSelectorOperator)."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class SelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One expression of a label selector."""

    key: str
    operator: SelectorOperator
    values: tuple[str, ...] = ()


class LabelSelector(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """All labels and all expressions must match; an empty one matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[SelectorRequirement, ...] = ()


class NodeSelector(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Nodes by name (`names` not None), else by label; an empty one selects every node."""

    names: tuple[str, ...] | None = None
    match_labels: dict[str, str] = {}
    match_expressions: tuple[SelectorRequirement, ...] = ()


class PullPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Bounds of one attempt and of their number: attempts = backoff_limit + 1."""

    timeout_seconds: int = 600
    backoff_limit: int = 3


class CompletionPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """When a job ends; the two numbers are for Always alone."""

    type: CompletionType = CompletionType.ALWAYS
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None


class Refresh(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """When a Never job renews its images; without a schedule each 24 h."""

    schedule: str | None = None
    time_zone: str | None = None
    spread_seconds: int | None = None
    starting_deadline_seconds: int | None = None
    at: datetime | None = None


class JobPrewarm(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Prewarm's additions to a job; `list_parallelism` is for lists alone."""

    suspend: bool = False
    priority: int = 0
    gate: bool = False
    min_free: str | None = None
    refresh: Refresh | None = None
    list_parallelism: int | str | None = None


class JobTemplate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What ImagePullJob and ImageListPullJob share."""

    pull_secrets: tuple[str, ...] = ()
    selector: NodeSelector | None = None
    pod_selector: LabelSelector | None = None
    parallelism: int | str = 1
    pull_policy: PullPolicy = PullPolicy()
    completion_policy: CompletionPolicy = CompletionPolicy()
    sandbox_config: SandboxConfig = SandboxConfig()
    image_pull_policy: ImagePullPolicy = ImagePullPolicy.IF_NOT_PRESENT
    prewarm: JobPrewarm = JobPrewarm()


class ImagePullJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job for one image, defaults filled in."""

    api_version: str
    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    image: str
    template: JobTemplate


class ImageListPullJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job for each of 1 to 255 images, defaults filled in."""

    api_version: str
    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    images: tuple[str, ...]
    template: JobTemplate
