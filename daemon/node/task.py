"""
The values a node's state is made of: one task for each wanted image, and how an attempt of it can end.

They change only by the functions of transitions.py and outcome.py, in the loop's thread.
"""

from datetime import datetime
from enum import Enum, StrEnum

import msgspec

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.wanted import Key, WantedImage
from daemon.runtime.interface import Progress


class CancelCause(StrEnum):
    """Why a running attempt is cancelled; nothing else ever cancels one."""

    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    LOW_SPACE = "low space"
    STOPPING = "stopping"


class Ending(Enum):
    """How an attempt ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOW_SPACE = "low space"
    RUNTIME_DOWN = "runtime down"


class AttemptEnd(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one attempt came to.

    `reason` and `message` tell what went wrong (FAILED, LOW_SPACE, RUNTIME_DOWN). `image_id` (`repository@id`) is
    what lies on the node now, "" for absent, None for unknown; `digest`, `is_fetched` and `is_changed` tell what DONE
    found. `cause` is set for CANCELLED.
    """

    ending: Ending
    reason: Reason | None = None
    message: str = ""
    cause: CancelCause | None = None
    image_id: str | None = None
    digest: str = ""
    is_fetched: bool = False
    is_changed: bool | None = None


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """
    The attempt under way: its worker's number, when it began, and why it is being cancelled (if it is).

    `is_outdated`: it was being cancelled when a newer version came, so its end says nothing of that version.
    `missing_bytes` is what it had to fetch when that was first known.
    """

    serial: int
    since_seconds: float
    cause: CancelCause | None = None
    is_outdated: bool = False
    missing_bytes: int = 0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """
    One wanted image on its way.

    `attempt` counts the attempts begun under this version that cost one. `spent_seconds` is what counts towards
    activeDeadlineSeconds: attempts and backoff, never waiting for a slot, for space or for the runtime.
    `needed_bytes` is what must be free above the floor for another try, after one that met the floor on its way.
    `is_adopted` marks an end that an earlier process reached and this one has read from the NodeImage's status.
    `is_pull_due_again` marks a pull that a newer version with policy Always has adopted. `is_refill` marks a pull of an
    image that was removed under a standing entry. `is_held`: a pull that came to nothing may have left a hold, of the
    manifest `held_digest`; `is_hold_stale` when the tag has moved since. `evicted_seconds` are the
    removals of the last day.
    """

    wanted: WantedImage
    seen_seconds: float
    phase: Phase = Phase.WAITING
    running: Running | None = None
    attempt: int = 0
    not_before_seconds: float = 0.0
    spent_seconds: float = 0.0
    low_since_seconds: float | None = None
    needed_bytes: int = 0
    interruptions: int = 0
    is_adopted: bool = False
    is_pull_due_again: bool = False
    is_refill: bool = False
    is_held: bool = False
    held_digest: str = ""
    is_hold_stale: bool = False
    is_fetched: bool = False
    started_at: datetime | None = None
    completed_at: datetime | None = None
    reason: Reason | None = None
    message: str = ""
    image_id: str = ""
    digest: str = ""
    is_changed: bool | None = None
    progress: Progress | None = None
    evicted_seconds: tuple[float, ...] = ()

    @property
    def is_ended(self) -> bool:
        """Whether this version has its answer."""
        return self.phase in {Phase.SUCCEEDED, Phase.FAILED}

    @property
    def attempts_allowed(self) -> int:
        """The first attempt and backoffLimit more."""
        return self.wanted.backoff_limit + 1


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawn image whose worker, if it has one, still ends its pull or releases its hold."""

    image: str
    serial: int | None = None
    is_told: bool = False


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """A registry that answered 429: how long nothing starts, and how often in a row it has."""

    until_seconds: float
    pauses: int


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything the loop knows. `tasks` keeps the order in which entries were first seen.

    `runtime` is what answered last, such as containerd://2.3.7, "" before anything has; `runtime_problem` says why it
    does not answer now.
    """

    uid: str = ""
    generation: int = 0
    tasks: dict[Key, Task] = {}
    leaving: dict[Key, Leaving] = {}
    throttles: dict[str, Throttle] = {}
    runtime: str = ""
    runtime_problem: str = ""
    is_runtime_up: bool = True
    is_wanted_known: bool = False
