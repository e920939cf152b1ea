"""
Every metric of the agent: its name, what it tells, its labels. docs/agent.md is tested against this list.

What a metric is counted by is metrics.py's. Beside these /metrics has the process_* figures of Prometheus's own client.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What one may do with a metric: a counter only grows, a histogram has _bucket, _sum and _count."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Described(msgspec.Struct, frozen=True):
    """One metric as /metrics shows it; a counter's name ends in _total."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Result(StrEnum):
    """What an attempt came to, as the label `result`; an attempt that ended without asking a registry is no pull."""

    PULLED = "pulled"
    UNCHANGED = "unchanged"
    PRESENT = "present"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOW_SPACE = "low_space"
    INTERRUPTED = "interrupted"


# From an unchanged tag to a model of tens of gigabytes over a slow link.
PULL_BUCKETS_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

PULL_SECONDS = Described(
    "prewarm_pull_duration_seconds",
    Kind.HISTOGRAM,
    "Time from an attempt's begin to its end, of attempts that asked the registry.",
    ("registry", "result"),
)
PULL_BYTES = Described(
    "prewarm_pull_bytes_total",
    Kind.COUNTER,
    "Compressed bytes seen arriving; what comes in a pull's first half second is not seen.",
    ("registry",),
)
PULLS_RUNNING = Described(
    "prewarm_pulls_running",
    Kind.GAUGE,
    "Attempts under way, with those that are being cancelled.",
)
PULLS_WAITING = Described(
    "prewarm_pulls_waiting",
    Kind.GAUGE,
    "Images that wait for a slot, a backoff, a registry's pause, space or the runtime.",
)
IMAGES = Described(
    "prewarm_images",
    Kind.GAUGE,
    "Wanted images by what holds of them now: waiting, pulling, suspended, succeeded or failed.",
    ("state",),
)
IMAGES_BY_REASON = Described(
    "prewarm_images_by_reason",
    Kind.GAUGE,
    "Wanted images by the reason that their status tells; 0 once a reason holds of none any more.",
    ("reason",),
)
ATTEMPTS = Described(
    "prewarm_attempts_total",
    Kind.COUNTER,
    "Attempts that ended, by result, and by reason where they came to nothing.",
    ("result", "reason"),
)
FAILURES = Described(
    "prewarm_failures_total",
    Kind.COUNTER,
    "Images that failed for good in their version: no further attempt follows.",
    ("reason",),
)
EVICTIONS = Described(
    "prewarm_evictions_total",
    Kind.COUNTER,
    "Images that were removed from the node while they were wanted.",
)
REGISTRY_THROTTLES = Described(
    "prewarm_registry_throttles_total",
    Kind.COUNTER,
    "Pauses of all pulls from a registry after it answered 429.",
    ("registry",),
)
FREE_BYTES = Described(
    "prewarm_image_filesystem_free_bytes",
    Kind.GAUGE,
    "Free bytes of the filesystem that holds images; absent while they cannot be measured.",
)
SIZE_BYTES = Described(
    "prewarm_image_filesystem_size_bytes",
    Kind.GAUGE,
    "Size of the filesystem that holds images; absent while it cannot be measured.",
)
FLOOR_BYTES = Described(
    "prewarm_image_filesystem_floor_bytes",
    Kind.GAUGE,
    "Bytes that --min-free keeps free there; absent while they cannot be measured.",
)
RUNTIME_UP = Described(
    "prewarm_runtime_up",
    Kind.GAUGE,
    "Whether the container runtime answers: 1 or 0.",
)
LAST_SYNC = Described(
    "prewarm_last_sync_timestamp_seconds",
    Kind.GAUGE,
    "When the API server last told what is wanted, in seconds since 1970; 0 before the first time.",
)
API_REQUESTS = Described(
    "prewarm_api_requests_total",
    Kind.COUNTER,
    'Requests to the API server by verb, resource and HTTP status; code "none" where no answer came.',
    ("verb", "resource", "code"),
)
WATCH_RESTARTS = Described(
    "prewarm_watch_restarts_total",
    Kind.COUNTER,
    "Times that a watch began again, by why.",
    ("reason",),
)
STATUS_WRITES = Described(
    "prewarm_status_writes_total",
    Kind.COUNTER,
    "Writes of the NodeImage's status, by result: written, refused or failed.",
    ("result",),
)
OTHER_DAEMON = Described(
    "prewarm_other_daemon",
    Kind.GAUGE,
    "Whether another daemon has written this node's status in the last 15 minutes: 1 or 0.",
)
EVENTS_DROPPED = Described(
    "prewarm_events_dropped_total",
    Kind.COUNTER,
    "Kubernetes events that were not sent: too many at once, or the API server did not take them.",
)
BUILD_INFO = Described(
    "prewarm_build_info",
    Kind.GAUGE,
    "Always 1; the label tells the version.",
    ("version",),
)

METRICS = (
    PULL_SECONDS,
    PULL_BYTES,
    PULLS_RUNNING,
    PULLS_WAITING,
    IMAGES,
    IMAGES_BY_REASON,
    ATTEMPTS,
    FAILURES,
    EVICTIONS,
    REGISTRY_THROTTLES,
    FREE_BYTES,
    SIZE_BYTES,
    FLOOR_BYTES,
    RUNTIME_UP,
    LAST_SYNC,
    API_REQUESTS,
    WATCH_RESTARTS,
    STATUS_WRITES,
    OTHER_DAEMON,
    EVENTS_DROPPED,
    BUILD_INFO,
)
