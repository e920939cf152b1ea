"""
Every metric of the coordinator: its name, what it tells, its labels. The documentation is tested against this list.

Their names are apart from the agent's, since one process may be both. What the leader alone knows, only the leader
shows; a job is a label `imagepulljob` (namespace/name) while it goes on.
"""

from enum import StrEnum
from typing import Final

from daemon.observe.catalogue import Described, Kind


class WriteOutcome(StrEnum):
    """What became of a write, as the label `outcome`; `conflict` is decided anew, of `unknown` the object is read."""

    DONE = "done"
    CONFLICT = "conflict"
    GONE = "gone"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    UNSENT = "unsent"


LEADER: Final = Described(
    "prewarm_coordinator_leader",
    Kind.GAUGE,
    "Whether this coordinator leads: 1 or 0.",
)
LEADERSHIPS: Final = Described(
    "prewarm_coordinator_leaderships_total",
    Kind.COUNTER,
    "Times that this coordinator came to lead, or ceased to: won or lost.",
    ("change",),
)
STANDS_ASIDE: Final = Described(
    "prewarm_coordinator_stands_aside",
    Kind.GAUGE,
    "Whether it leaves the jobs to OpenKruise's manager, by what it sees of OpenKruise: 1 or 0.",
    ("row",),
)
SYNCED: Final = Described(
    "prewarm_coordinator_synced",
    Kind.GAUGE,
    "Whether the leader has listed everything, and so acts: 1 or 0; absent where it does not lead.",
)
LAST_SYNC: Final = Described(
    "prewarm_coordinator_last_sync_timestamp_seconds",
    Kind.GAUGE,
    "When the watch that lags most was last right, in seconds since 1970; absent before the first time.",
)
JOBS: Final = Described(
    "prewarm_jobs",
    Kind.GAUGE,
    "ImagePullJobs of which a condition is True, by condition.",
    ("condition",),
)
JOB_NODES: Final = Described(
    "prewarm_job_nodes",
    Kind.GAUGE,
    "Selected nodes of a job that goes on, by what holds of them: warm, stale, cold or skipped.",
    ("imagepulljob", "state"),
)
JOB_STALLED: Final = Described(
    "prewarm_job_stalled",
    Kind.GAUGE,
    "1 for each job that stands still until a person does something, with the reason.",
    ("imagepulljob", "reason"),
)
JOB_SUSPENDED: Final = Described(
    "prewarm_job_suspended",
    Kind.GAUGE,
    "1 for each job that goes on and is suspended: its nodes stay as they are until somebody resumes it.",
    ("imagepulljob",),
)
JOB_ETA: Final = Described(
    "prewarm_job_eta_timestamp_seconds",
    Kind.GAUGE,
    "When a job's nodes that pull and wait are likely to have ended, in seconds since 1970; absent where nobody knows.",
    ("imagepulljob",),
)
JOB_REFRESH_DEADLINE: Final = Described(
    "prewarm_job_refresh_deadline_timestamp_seconds",
    Kind.GAUGE,
    "Until when nodes may begin, or might have begun, in a job's latest refresh, in seconds since 1970.",
    ("imagepulljob",),
)
LISTS: Final = Described(
    "prewarm_lists",
    Kind.GAUGE,
    "ImageListPullJobs of which a condition is True, by condition.",
    ("condition",),
)
LIST_STALLED: Final = Described(
    "prewarm_list_stalled",
    Kind.GAUGE,
    "1 for each list that stands still until a person does something, with the reason.",
    ("imagelistpulljob", "reason"),
)
AGENTS: Final = Described(
    "prewarm_agents",
    Kind.GAUGE,
    "Nodes whose agent has reported, by the agent's version.",
    ("version",),
)
NODES_WITHOUT_AGENT: Final = Described(
    "prewarm_nodes_without_agent",
    Kind.GAUGE,
    "Nodes that could have an agent and of which none has said anything.",
)
NODES_SKIPPED: Final = Described(
    "prewarm_nodes_skipped",
    Kind.GAUGE,
    "Nodes that jobs leave out now, by reason.",
    ("reason",),
)
NODES_REFUSED: Final = Described(
    "prewarm_coordinator_nodes_refused",
    Kind.GAUGE,
    "Nodes whose NodeImage takes no write.",
)
GATES_CLOSED: Final = Described(
    "prewarm_coordinator_gates_closed",
    Kind.GAUGE,
    "Nodes that still have the startup taint.",
)
GATES_OPENED: Final = Described(
    "prewarm_coordinator_gates_opened_total",
    Kind.COUNTER,
    "Nodes that lost their startup taint, by why: warm, deadline (cold) or no-jobs.",
    ("reason",),
)
WRITES_WAITING: Final = Described(
    "prewarm_coordinator_writes_waiting",
    Kind.GAUGE,
    "Objects that may have to be written now, by class, the most urgent being withdrawal.",
    ("class",),
)
WRITES_RUNNING: Final = Described(
    "prewarm_coordinator_writes_running",
    Kind.GAUGE,
    "Requests that are on their way.",
)
WRITES: Final = Described(
    "prewarm_coordinator_writes_total",
    Kind.COUNTER,
    "Writes by class and by what became of them.",
    ("class", "outcome"),
)
THROTTLED: Final = Described(
    "prewarm_coordinator_throttled_seconds_total",
    Kind.COUNTER,
    "Seconds in which something waited because of --write-rate.",
)
UNREADABLE: Final = Described(
    "prewarm_coordinator_unreadable_total",
    Kind.COUNTER,
    "Objects that a watch passed over because they can't be read, by resource.",
    ("resource",),
)
API_REQUESTS: Final = Described(
    "prewarm_coordinator_api_requests_total",
    Kind.COUNTER,
    'Requests to the API server by verb, resource and HTTP status; code "none" where no answer came.',
    ("verb", "resource", "code"),
)
WATCH_RESTARTS: Final = Described(
    "prewarm_coordinator_watch_restarts_total",
    Kind.COUNTER,
    "Times that a watch began again, by why.",
    ("reason",),
)
EVENTS_DROPPED: Final = Described(
    "prewarm_coordinator_events_dropped_total",
    Kind.COUNTER,
    "Kubernetes events that were not sent: too many at once, or the API server did not take them.",
)
BUILD_INFO: Final = Described(
    "prewarm_coordinator_build_info",
    Kind.GAUGE,
    "Always 1; the label tells the version.",
    ("version",),
)

COORDINATOR_METRICS: Final = (
    LEADER,
    LEADERSHIPS,
    STANDS_ASIDE,
    SYNCED,
    LAST_SYNC,
    JOBS,
    JOB_NODES,
    JOB_STALLED,
    JOB_SUSPENDED,
    JOB_ETA,
    JOB_REFRESH_DEADLINE,
    LISTS,
    LIST_STALLED,
    AGENTS,
    NODES_WITHOUT_AGENT,
    NODES_SKIPPED,
    NODES_REFUSED,
    GATES_CLOSED,
    GATES_OPENED,
    WRITES_WAITING,
    WRITES_RUNNING,
    WRITES,
    THROTTLED,
    UNREADABLE,
    API_REQUESTS,
    WATCH_RESTARTS,
    EVENTS_DROPPED,
    BUILD_INFO,
)
