"""
What a person is told of a list by events: jobs that it made or deleted, in OpenKruise's words, and what went wrong.

Pure. What becomes of its images, the events of their jobs tell.
"""

from typing import Final

from daemon.cluster.recorder import Regarding
from daemon.coordinator.announcer import NORMAL, WARNING, JobEvent, troubles_of
from daemon.coordinator.lists.asking import KIND
from daemon.coordinator.lists.page import ListTold
from daemon.coordinator.lists.seen import SeenList


MADE: Final = "Successful create ImagePullJob"
DELETED: Final = "Successful delete ImagePullJob"
REFUSED: Final = "FailedCreate"

_MAKE: Final = "CreateJob"
_DELETE: Final = "DeleteJob"


def regarding_list(seen: SeenList) -> Regarding:
    """Return a list as its events name it."""
    return Regarding(api_version=seen.api_version, kind=KIND, namespace=seen.namespace, name=seen.name, uid=seen.uid)


def job_made(*, job: str, image: str) -> JobEvent:
    """Tell of a job that was made."""
    return JobEvent(kind=NORMAL, reason=MADE, note=f"created ImagePullJob {job} for {image}", action=_MAKE)


def job_deleted(*, job: str) -> JobEvent:
    """Tell of a job that was deleted, since its image is listed no more."""
    return JobEvent(kind=NORMAL, reason=DELETED, note=f"deleted ImagePullJob {job}", action=_DELETE)


def job_refused(*, job: str, image: str, words: str) -> JobEvent:
    """Tell of a job that can't be made."""
    return JobEvent(kind=WARNING, reason=REFUSED, note=f"no ImagePullJob {job} for {image}: {words}", action=_MAKE)


def list_events(told: ListTold) -> tuple[JobEvent, ...]:
    """Tell what became so between two statuses of a list: a standstill, a bad end."""
    return troubles_of(told.earlier, told.later)
