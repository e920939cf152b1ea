"""
An ImagePullJob as OpenKruise's manager knows it, but for podSelector: this manager watches no Pods.

Of the manager's own types; see manager_objects.py for why it has some. Counters are written when they are 0, too;
everything else that is empty is left out.
"""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from tests.servers.openkruise.manager_metadata import Metadata
from tests.servers.openkruise.manager_nodeimage import SandboxConfig


class Expression(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One of a label selector's matchExpressions."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which NodeImages a job is for."""

    names: tuple[str, ...] = ()
    match_labels: dict[str, str] = {}
    match_expressions: tuple[Expression, ...] = ()


class PullPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A job's."""

    timeout_seconds: int | None = None
    backoff_limit: int | None = None


class CompletionPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """When a job ends."""

    type: str = ""
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A job's, but for podSelector: this manager watches no Pods."""

    image: str = ""
    pull_secrets: tuple[str, ...] = ()
    selector: Selector | None = None
    parallelism: int | str | None = None
    pull_policy: PullPolicy | None = None
    completion_policy: CompletionPolicy | UnsetType = UNSET
    sandbox_config: SandboxConfig | None = None
    image_pull_policy: str = ""


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A job's."""

    start_time: datetime | UnsetType = UNSET
    completion_time: datetime | UnsetType = UNSET
    desired: int = 0
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    message: str | UnsetType = UNSET
    failed_nodes: tuple[str, ...] | UnsetType = UNSET


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An ImagePullJob without its apiVersion and kind."""

    metadata: Metadata = Metadata()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @property
    def is_never(self) -> bool:
        """Whether it stands for ever; Always is the default."""
        return self.completion.type == "Never"

    @property
    def is_complete(self) -> bool:
        """Whether it has its completionTime."""
        return bool(self.status.completion_time)

    @property
    def completion(self) -> CompletionPolicy:
        """When it ends."""
        return self.spec.completion_policy or CompletionPolicy()
