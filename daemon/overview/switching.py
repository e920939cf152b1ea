"""
Which jobs `prewarm suspend` and `prewarm resume` change, how, and what came of it.

Pure. A job of a list follows its list, and what has finished is left alone: any edit of its spec would let it run
again (kruise#1386).
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from daemon.cluster.interface import Write
from daemon.cluster.writes import merge_patch
from daemon.overview.documents import Job
from daemon.overview.jobs import LIST, is_finished


class Course(StrEnum):
    """What is done about a job."""

    CHANGE = "change"
    SAME = "same"
    FINISHED = "finished"
    FOLLOWS = "follows"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One job, and what is done about it."""

    job: Job
    course: Course


def steps_for(jobs: Sequence[Job], *, is_suspending: bool) -> tuple[Step, ...]:
    """Decide what is done about each job."""
    return tuple(Step(job=job, course=_course(job, is_suspending=is_suspending)) for job in jobs)


def suspension(path: str, *, is_suspending: bool, is_trial: bool) -> Write:
    """Return the merge patch that suspends or resumes the job at a path; a trial is checked and not stored."""
    return merge_patch(f"{path}?dryRun=All" if is_trial else path, {"spec": {"prewarm": {"suspend": is_suspending}}})


def told(step: Step, *, is_suspending: bool, is_trial: bool) -> str:
    """Say in kubectl's form what was done about a job."""
    state = "suspended" if is_suspending else "resumed"
    words = {
        Course.CHANGE: state + (" (server dry run)" if is_trial else ""),
        Course.SAME: "is suspended already" if is_suspending else "is not suspended",
        Course.FINISHED: "has finished, left alone: an edit would let it run again",
        Course.FOLLOWS: f"follows its list, left alone: see list/{step.job.list}",
    }
    return f"{name_of(step.job)} {words[step.course]}"


def unheard(job: Job) -> str:
    """Say that the server has dropped the change: its CRDs do not know the field."""
    return (
        f"{name_of(job)} unchanged: the CRDs here have no spec.prewarm (OpenKruise's have not), so nothing can be "
        "suspended; `spec.parallelism: 0` keeps further nodes from beginning"
    )


def is_taken(job: Job, *, is_suspending: bool) -> bool:
    """Tell whether the job in an answer is as was asked; false is what absence means, too."""
    return job.is_suspended == is_suspending


def name_of(job: Job) -> str:
    """Name a job as kubectl does, with its namespace."""
    kind = "imagelistpulljob" if job.kind == LIST else "imagepulljob"
    return f"{kind}.apps.kruise.io/{job.name} -n {job.namespace}:"


def _course(job: Job, *, is_suspending: bool) -> Course:
    if job.list:
        return Course.FOLLOWS
    if job.is_suspended == is_suspending:
        return Course.SAME
    return Course.FINISHED if is_finished(job) else Course.CHANGE
