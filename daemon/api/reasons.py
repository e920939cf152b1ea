"""
The closed list of reasons for what goes wrong: on a tag's status, a condition, a metric and in an event's message.

Each has a paragraph in docs/reasons.md with its cause, a command that shows it, and what mends it.
"""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why an image is not on a node, or a job not done; its value is what a person sees."""

    INVALID_REFERENCE = "InvalidReference"
    IMAGE_NOT_FOUND = "ImageNotFound"
    PLATFORM_MISMATCH = "PlatformMismatch"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    SECRET_MISSING = "SecretMissing"  # noqa: S105  a reason, no password
    SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105  a reason, no password
    REFUSED_BY_POLICY = "RefusedByPolicy"
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    REGISTRY_TLS = "RegistryTLS"
    REGISTRY_THROTTLED = "RegistryThrottled"
    CORRUPT_CONTENT = "CorruptContent"
    DISK_LOW = "DiskLow"
    DISK_FULL = "DiskFull"
    ATTEMPT_TIMEOUT = "AttemptTimeout"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    RUNTIME_UNAVAILABLE = "RuntimeUnavailable"
    EVICTION_LOOP = "EvictionLoop"
    NO_AGENT = "NoAgent"
    AGENT_SILENT = "AgentSilent"
    NODE_NOT_READY = "NodeNotReady"
    NODE_LEAVING = "NodeLeaving"
    SUSPENDED = "Suspended"
    NO_NODES_SELECTED = "NoNodesSelected"
    PULL_FAILED = "PullFailed"


class Word(StrEnum):
    """
    What conditions say beside the reasons: that all is well or under way, or what a job as a whole came to.

    `kubectl get imagepulljobs --output wide` shows that of a job's condition Ready.
    """

    ALL_WARM = "AllWarm"
    IN_PROGRESS = "InProgress"
    FINISHED = "Finished"
    NODES_FAILED = "NodesFailed"
    NODES_REFUSED = "NodesRefused"
    JOBS_REFUSED = "JobsRefused"
    INVALID_SPEC = "InvalidSpec"
    RUNTIME_ANSWERS = "RuntimeAnswers"
    ENOUGH_SPACE = "EnoughSpace"
    NO_OTHER_DAEMON = "NoOtherDaemon"
    OTHER_DAEMON = "OtherDaemon"


PERMANENT: Final = frozenset({Reason.INVALID_REFERENCE, Reason.PLATFORM_MISMATCH, Reason.REFUSED_BY_POLICY})
"""Reasons that the next attempt meets again: a turn fails by them at once, and the next round comes hourly."""

NEEDS_A_PERSON: Final = frozenset(
    {
        *PERMANENT,
        Reason.IMAGE_NOT_FOUND,
        Reason.UNAUTHORIZED,
        Reason.FORBIDDEN,
        Reason.SECRET_MISSING,
        Reason.SECRET_FORBIDDEN,
        Reason.REGISTRY_TLS,
        Reason.EVICTION_LOOP,
    }
)
"""Reasons that time alone does not mend: asked again they come again, until somebody has done something."""
