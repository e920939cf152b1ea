"""One job and one node as the fleet keeps them: what was seen, and what was worked out from it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from daemon.api.imagepulljob import CompletionType
from daemon.api.reasons import Reason
from daemon.api.times import later
from daemon.clock import Moment
from daemon.coordinator.seen import ImageKey, SeenJob, SeenNode, SeenNodeImage
from daemon.coordinator.silence import Heard, Skip, silent_keys
from daemon.coordinator.standing import Standing, Task
from daemon.coordinator.tally import Tally


class Course(StrEnum):
    """How far a job has come, as its object says."""

    ACTIVE = "active"
    FINISHED = "finished"
    AGAIN = "again"
    UNSOUND = "unsound"
    DELETING = "deleting"


_GATING = frozenset({Course.ACTIVE, Course.AGAIN})
_FURTHEST_AHEAD: Final = timedelta(seconds=5)


def course_of(seen: SeenJob) -> Course:
    """
    Tell how far a job has come.

    A finished job with a new generation begins again (kruise#1386); where the generation is not kept (OpenKruise's
    CRDs), what has finished has finished.
    """
    if seen.is_deleting:
        return Course.DELETING
    if seen.job is None:
        return Course.UNSOUND
    if seen.status.completion_time is None:
        return Course.ACTIVE
    is_newer = 0 < seen.status.observed_generation < seen.generation
    if is_newer:
        return Course.AGAIN
    # Whoever wrote that a Never job has finished was mistaken.
    is_never = seen.job.template.completion_policy.type is CompletionType.NEVER
    return Course.ACTIVE if is_never else Course.FINISHED


def task_of(seen: SeenJob, *, edited_at: datetime | None) -> Task | None:
    """Return what an active job asks of its nodes; None of another."""
    if course_of(seen) is not Course.ACTIVE or seen.job is None or seen.key is None:
        return None
    task = Task(job=seen.job, key=seen.key, edited_at=edited_at)
    return task if task.is_never else msgspec.structs.replace(task, rerun_at=seen.status.last_refresh_time)


def _is_unobserved(seen: SeenJob) -> bool:
    """Tell whether a job was edited since a coordinator last looked at it."""
    return 0 < seen.status.observed_generation < seen.generation


def _edited_at(before: datetime | None, *, now: datetime) -> datetime:
    """
    Return a time later than any createdAt, which has whole seconds, of what was granted before.

    What was granted for an edit of the same second has that one's time, which is ahead; each further one counts as of
    a second later, a few at most.
    """
    at = now.replace(microsecond=0) + timedelta(seconds=1)
    return at if before is None or before < at else min(before + timedelta(seconds=1), at + _FURTHEST_AHEAD)


class JobRecord:
    """
    One job.

    `names` are the nodes that it selects, `pods` how many of its Pods run on which. `task` is None while it is not
    active.
    """

    def __init__(self, seen: SeenJob, *, now: datetime) -> None:
        self.tally = Tally()
        self.names: set[str] = set()
        self.pods: Counter[str] = Counter()
        self.last_refresh: datetime | None = None
        self.is_refreshing = _was_refreshing(seen)
        self.edited_at: datetime | None = None
        self.edited_generation = 0
        self.seen, self.course = seen, course_of(seen)
        self.task: Task | None = None
        self.looks_at: datetime | None = None
        self.take(seen, now=now)

    def take(self, seen: SeenJob, *, now: datetime) -> None:
        """Take over what its object says."""
        is_edited = self.seen.generation != seen.generation or _is_unobserved(seen)
        if is_edited and self.edited_generation != seen.generation:
            self.edited_at, self.edited_generation = _edited_at(self.edited_at, now=now), seen.generation
        self.seen, self.course = seen, course_of(seen)
        self.task = task_of(seen, edited_at=self.edited_at)
        told = seen.status.last_refresh_time
        if told is not None and (self.last_refresh is None or told > self.last_refresh):
            self.last_refresh = told

    def run_again(self, *, now: datetime) -> None:
        """Take it for edited now: what was granted before and failed is tried again."""
        self.edited_at = _edited_at(self.edited_at, now=now)
        self.task = task_of(self.seen, edited_at=self.edited_at)

    @property
    def uid(self) -> str:
        """Which job."""
        return self.seen.uid

    @property
    def is_gating(self) -> bool:
        """Whether Pods wait for it; also while it is about to begin again, and selects nothing yet."""
        if self.seen.job is None or self.course not in _GATING:
            return False
        prewarm = self.seen.job.template.prewarm
        return prewarm.gate and not prewarm.suspend


def _was_refreshing(seen: SeenJob) -> bool:
    """Tell whether a refresh was under way when the status was written: the next one's time is told after its end."""
    told = seen.status.raw.get("prewarm")
    return isinstance(told, dict) and "lastRefreshTime" in told and "nextRefreshTime" not in told


class NodeRecord:
    """
    One node by name: a Node, its NodeImage, or both.

    Attributes:
        standings: by the uid of each job that selects it.
        suspects: images whose entries may have to change without a grant.
        sent: the jobs whose grants are on their way, or of unknown outcome, by uid; each as it was then.
        is_busy: a request about it is on its way.
        must_read: what became of a request is not known.
        read_after: when it may be read again after that failed, in seconds of the clock.
        held_until: when it may be written again after a refusal, in seconds of the clock.
        refusal: why its NodeImage takes no write; "" while it does.
        waiting: jobs whose candidate it is, and that it could not serve when its turn came.
        since_seconds: when its Node was first seen, in seconds of the clock.
        opens_for: the uid of the Node for which the gate's deadline is noted.
        gone_uid: its last NodeImage that is gone.
        gone_version: how new that was.
        failures: how many writes in a row have failed, and not because of what they say.
        strikes: how often in a row a write was refused although nothing had changed.
        strike_words: why the last write was refused, until the object is read.
        tested: what that write tested.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: SeenNode | None = None
        self.image: SeenNodeImage | None = None
        self.heard: Heard | None = None
        self.skip: Skip | None = None
        self.looks_at: datetime | None = None
        self.standings: dict[str, Standing] = {}
        self.suspects: set[ImageKey] = set()
        self.sent: dict[str, Task | None] = {}
        self.is_busy = False
        self.must_read = False
        self.read_after = float("-inf")
        self.held_until = float("-inf")
        self.refusal = ""
        self.waiting: set[str] = set()
        self.since_seconds = float("-inf")
        self.opens_for = ""
        self.gone_uid = ""
        self.gone_version = 0
        self.failures = 0
        self.strikes = 0
        self.strike_words = ""
        self.tested = ("", 0, 0)

    @property
    def live_image(self) -> SeenNodeImage | None:
        """Its NodeImage, unless that is going or was made for another Node of the name, whose images are not here."""
        image, node = self.image, self.node
        if image is None or image.is_deleting:
            return None
        is_others = node is not None and bool(image.node_uid) and image.node_uid != node.uid
        return None if is_others else image

    @property
    def labels(self) -> dict[str, str] | None:
        """What selectors look at: the Node's labels, or those of a fake NodeImage; None where no job selects it."""
        if self.node is not None:
            return self.node.labels
        if self.image is not None and self.image.is_fake:
            return self.image.labels or {}
        return None

    def is_free(self, now_seconds: float) -> bool:
        """Tell whether it can be written now."""
        return not self.is_busy and not self.must_read and self.held_until <= now_seconds

    def silent_keys(self, now: Moment) -> tuple[ImageKey, ...]:
        """Return the images of which a status has to be written in the place of a node that is left out as silent."""
        if self.image is None or self.skip is None or self.skip.reason is not Reason.AGENT_SILENT:
            return ()
        return silent_keys(self.image, heard=self.heard, now=now)

    def keys(self) -> Iterable[ImageKey]:
        """Return every image that its NodeImage knows."""
        return {*self.image.entries, *self.image.statuses} if self.image is not None else ()


def deadline_of(job: JobRecord) -> datetime | None:
    """Return when a job has to have ended; None where nothing says so."""
    if job.task is None or job.task.is_never:
        return None
    seconds = job.task.job.template.completion_policy.active_deadline_seconds
    start = job.seen.status.start_time
    return later(start, seconds=seconds) if seconds is not None and start is not None else None


def end_of_life(seen: SeenJob) -> datetime | None:
    """Return when a finished job is to be deleted; one that a list controls goes with its list."""
    if (
        seen.list_uid
        or seen.job is None
        or seen.status.completion_time is None
        or course_of(seen) is not Course.FINISHED
    ):
        return None
    seconds = seen.job.template.completion_policy.ttl_seconds_after_finished
    return later(seen.status.completion_time, seconds=seconds) if seconds is not None else None
