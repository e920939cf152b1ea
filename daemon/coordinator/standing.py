"""
Where one node stands for one job, and what the job asks of each of its nodes.

Values only: reckoning.py works them out, tally.py counts them.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from daemon.api.imagepulljob import CompletionType, ImagePullJob
from daemon.api.nodeimage import Bytes, Phase
from daemon.coordinator.seen import ImageKey
from daemon.coordinator.silence import Skip


class Stand(StrEnum):
    """Waiting for a grant, holding one, or at its end."""

    WAITING = "Waiting"
    GRANTED = "Granted"
    PULLING = "Pulling"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Group(StrEnum):
    """Whether the image is there, as fresh as the job asks; a node that is left out is in no other group."""

    WARM = "warm"
    STALE = "stale"
    COLD = "cold"
    SKIPPED = "skipped"


ENDED = frozenset({Stand.SUCCEEDED, Stand.FAILED})
_HOLDING = frozenset({Stand.GRANTED, Stand.PULLING})


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a job asks of each of its nodes.

    Attributes:
        job: the job.
        key: its image.
        rerun_at: when it began again after it had finished: what was granted before then counts no more.
        edited_at: when it was last edited: what was granted before then, and failed, is tried again.
    """

    job: ImagePullJob
    key: ImageKey
    rerun_at: datetime | None = None
    edited_at: datetime | None = None

    @property
    def is_never(self) -> bool:
        """Whether it goes on for ever."""
        return self.job.template.completion_policy.type is CompletionType.NEVER


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where one node stands for one job.

    Attributes:
        stand: what it waits for, has or came to.
        group: warm, stale, cold or skipped.
        round: of the turn that it waits for; 0 for a first one and for a renewal.
        is_renewal: the turn that it waits for is one.
        was_due_at: since when it waits for a turn that is not its first.
        due_at: when time alone makes it another: its next turn comes, or the one that it waits for lapses; or None.
        version: of the entry.
        ended_version: the version that has ended, also while the node pulls it again.
        ended_as: how that ended.
        is_suspended: its grant is; it takes no slot then.
        skip: why it is left out.
        seconds: how long the pull took that ended it.
    """

    stand: Stand
    group: Group
    round: int = 0
    is_renewal: bool = False
    was_due_at: datetime | None = None
    due_at: datetime | None = None
    version: int = 0
    ended_version: int = -1
    ended_as: Phase | None = None
    is_suspended: bool = False
    skip: Skip | None = None
    reason: str = ""
    message: str = ""
    digest: str = ""
    bytes: Bytes | None = None
    seconds: float | None = None
    is_changed: bool = False

    @property
    def holds_slot(self) -> bool:
        """Whether it counts towards the job's parallelism."""
        return self.stand in _HOLDING and self.skip is None and not self.is_suspended

    @property
    def is_candidate(self) -> bool:
        """Whether it waits for a grant that it may have."""
        return self.stand is Stand.WAITING and self.skip is None
