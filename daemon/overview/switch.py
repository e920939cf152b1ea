"""The commands `prewarm suspend` and `prewarm resume`: set spec.prewarm.suspend of jobs and lists, say what changed."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from daemon.cluster.errors import ClusterError, Denied, NotFound
from daemon.cluster.transport import HttpApi
from daemon.config import Named, Subject, SwitchSettings
from daemon.display.output import write_line
from daemon.overview.asking import FAILED, asked
from daemon.overview.documents import Job
from daemon.overview.jobs import LIST, job_of, list_of
from daemon.overview.leaderless import WORDS, lacks_leader
from daemon.overview.reading import JOBS, LISTS, REQUEST_SECONDS, Collection, Kinds, found_at, kinds_of
from daemon.overview.switching import Course, Step, is_taken, steps_for, suspension, told, unheard
from daemon.overview.troubles import words_for


def switch(settings: SwitchSettings, *, environment: Mapping[str, str]) -> int:
    """
    Suspend or resume jobs and lists.

    Returns the exit code: 0 all are as asked, 1 one could not be changed or was not found, 2 no usable kubeconfig.
    """
    return asked(
        settings,
        environment=environment,
        ask=lambda api, place: _switched(settings, api, settings.namespace or place.namespace),
    )


def _switched(settings: SwitchSettings, api: HttpApi, namespace: str) -> int:
    kinds = kinds_of(api)
    if settings.named:
        jobs, has_failed = _named(settings.named, namespace=namespace, api=api, kinds=kinds)
    else:
        jobs, has_failed = _all(None if settings.is_everywhere else namespace, api=api, kinds=kinds)
        if not jobs:
            write_line(sys.stderr, "No ImagePullJob and no ImageListPullJob found.")
    steps = steps_for(jobs, is_suspending=settings.is_suspending)
    for step in steps:
        try:
            has_failed |= not _done(step, settings=settings, api=api, kinds=kinds)
        except ClusterError as error:
            has_failed = True
            _complain(error)
    if any(step.course is Course.CHANGE for step in steps):
        _warn(api)
    return FAILED if has_failed else 0


def _warn(api: HttpApi) -> None:
    """Say so where nobody is there to pass on what was changed."""
    if lacks_leader(api, now=datetime.now(UTC), timeout_seconds=REQUEST_SECONDS):
        print(f"prewarm: {WORDS}", file=sys.stderr)


def _named(named: Sequence[Named], *, namespace: str, api: HttpApi, kinds: Kinds) -> tuple[list[Job], bool]:
    """Find each, or complain."""
    jobs, has_failed = [], False
    for each in named:
        try:
            jobs.append(_found(each, namespace=namespace, api=api, kinds=kinds))
        except ClusterError as error:
            has_failed = True
            _complain(error)
    return jobs, has_failed


def _found(named: Named, *, namespace: str, api: HttpApi, kinds: Kinds) -> Job:
    for subject, resource, decode in ((Subject.JOB, JOBS, job_of), (Subject.LIST, LISTS, list_of)):
        if named.kind in {None, subject} and kinds.has(resource):
            content = found_at(api, kinds.path(resource, namespace=namespace, name=named.name))
            if content is not None:
                return decode(content)
    what = {Subject.JOB: "ImagePullJob", Subject.LIST: "ImageListPullJob"}.get(
        named.kind or Subject.NODE, "ImagePullJob or ImageListPullJob"
    )
    raise NotFound(f"there is no {what} {namespace}/{named.name}", code=404)


def _all(namespace: str | None, *, api: HttpApi, kinds: Kinds) -> tuple[list[Job], bool]:
    """Return every job and list; that the lists can't be read keeps nothing from the jobs."""
    jobs = Collection(kinds.path(JOBS, namespace=namespace), decode=job_of)
    jobs.fill(api)
    if not kinds.has(LISTS):
        return list(jobs.values()), False
    lists = Collection(kinds.path(LISTS, namespace=namespace), decode=list_of)
    try:
        lists.fill(api)
    except Denied as error:
        _complain(error)
        return list(jobs.values()), True
    return [*lists.values(), *jobs.values()], False


def _done(step: Step, *, settings: SwitchSettings, api: HttpApi, kinds: Kinds) -> bool:
    """Do what is to be done about one job, and tell whether it is as asked."""
    job, is_suspending, is_trial = step.job, settings.is_suspending, settings.is_trial
    if step.course is Course.CHANGE:
        resource, decode = (LISTS, list_of) if job.kind == LIST else (JOBS, job_of)
        path = kinds.path(resource, namespace=job.namespace, name=job.name)
        write = suspension(path, is_suspending=is_suspending, is_trial=is_trial)
        answer = decode(api.send(write, timeout_seconds=REQUEST_SECONDS))
        if not is_taken(answer, is_suspending=is_suspending):
            print(unheard(job), file=sys.stderr)
            return False
    write_line(sys.stdout, told(step, is_suspending=is_suspending, is_trial=is_trial))
    # One that follows its list, asked for by name, is not as asked.
    return step.course is not Course.FOLLOWS or not settings.named


def _complain(error: ClusterError) -> None:
    print(f"prewarm: {words_for(error, is_writing=True)}", file=sys.stderr)
