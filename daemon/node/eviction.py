"""
What a removal of a standing image means: when it is pulled again, and what a person is told of the third in a day.

Pure: tasks in, tasks out. That it is gone is warmth.py's to notice.
"""

from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.node.task import Task


REFILL_FIRST_SECONDS = 10.0
REFILL_CAP_SECONDS = 3600.0
EVICTION_WINDOW_SECONDS = 86400.0
EVICTION_LOOP = 3


def evicted(task: Task, *, now: Moment) -> Task:
    """
    Note that a task's image is gone from the node: one that had succeeded is pulled again under the same version.

    At once the first time in a day, then after 10 s doubling to 1 h, since a kubelet that is short of disk would take
    it again (design: kept warm).
    """
    gone = replace(task, image_id="", digest="", is_adopted=False, is_fetched=False)
    if task.phase is not Phase.SUCCEEDED:
        return gone
    times = (*_evictions_of_a_day(task, now=now), now.seconds)
    again = replace(gone, phase=Phase.WAITING, is_refill=True, attempt=0, spent_seconds=0.0, evicted_seconds=times)
    again = replace(again, completed_at=None, started_at=None)
    again = replace(again, not_before_seconds=now.seconds + refill_seconds(len(times)))
    reason, message = eviction_note(again, now=now)
    return replace(again, reason=reason, message=message)


def refill_seconds(evictions: int) -> float:
    """Tell how long to leave an image alone after its n-th removal in a day."""
    if evictions <= 1:
        return 0.0
    return min(REFILL_CAP_SECONDS, REFILL_FIRST_SECONDS * 2.0 ** min(evictions - 2, 12))


def eviction_note(task: Task, *, now: Moment) -> tuple[Reason | None, str]:
    """Return the reason and message of a task whose image keeps being removed, None and "" of another's."""
    evictions = len(_evictions_of_a_day(task, now=now))
    if evictions < EVICTION_LOOP:
        return None, ""
    return Reason.EVICTION_LOOP, (
        f"removed {evictions} times in a day: the kubelet collects images that no Pod has used first "
        "when the disk is above its thresholds; give the node more disk, warm fewer images, or raise "
        "imageGCHighThresholdPercent and lower imagefs.available of evictionHard, which takes images first"
    )


def _evictions_of_a_day(task: Task, *, now: Moment) -> tuple[float, ...]:
    return tuple(at for at in task.evicted_seconds if now.seconds - at < EVICTION_WINDOW_SECONDS)
