"""
A list looked at anew: what has to be done for it, whether its jobs wait, and what its status should say.

It reads the fleet and changes what is kept of the list; what is then asked of the API server is turns.py's.
"""

from collections.abc import Iterable

from daemon.clock import Moment
from daemon.coordinator.desk import Desk
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.jobstatus import is_finished
from daemon.coordinator.lists.course import OF_LIST, Course
from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.page import Page
from daemon.coordinator.lists.parts import Part
from daemon.coordinator.lists.plan import Plan, plan_of
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.lists.status import goes_on, is_over, next_list_status
from daemon.coordinator.lists.verdicts import is_always
from daemon.coordinator.seen import SeenJob
from daemon.coordinator.slots import LIST, hold_back, let_go


class Review:
    """Looks at lists."""

    def __init__(self, fleet: Fleet, *, desk: Desk) -> None:
        self._fleet = fleet
        self._desk = desk

    def look_at(self, course: Course, *, now: Moment) -> None:
        """Work out what has to be done for a list, and have its jobs wait for it or go on."""
        record = self._fleet.lists.records[course.list_key]
        jobs = [self._fleet.jobs[uid].seen for uid in record.jobs]
        if record.seen is not None:
            self._living(course, record.seen, jobs)
        else:
            self._lost(course, jobs, now=now)
        self._hold(course, jobs)

    def wanted(self, course: Course, seen: SeenList, page: Page, *, now: Moment) -> dict[str, object]:
        """Return the status of a list as it should stand."""
        return next_list_status(
            seen,
            self._parts(course, seen),
            earlier=page.said(seen),
            is_over=is_over(seen, page.said(seen), observed=page.observed),
            is_done=course.plan.is_done,
            now=now.at,
        )

    def may_be_news(self, course: Course, seen: SeenList, page: Page) -> bool:
        """Tell whether a list may have begun, ended, or begun again since its status: that is told at once."""
        said = page.said(seen)
        jobs = course.plan.jobs.values()
        has_ended = course.plan.is_done and all(job.status.completion_time is not None for job in jobs)
        is_unseen = "startTime" not in said or page.observed != seen.generation
        return is_unseen or ("completionTime" in said) != (is_always(seen) and has_ended)

    def _living(self, course: Course, seen: SeenList, jobs: list[SeenJob]) -> None:
        if course.seen is not None and course.seen.generation != seen.generation:
            course.forget_setbacks()
        course.seen, course.is_lost = seen, False
        page = course.page = course.page or Page(seen)
        if seen.is_deleting:
            course.plan = Plan(deletes=() if seen.is_orphaning else _not_deleting(jobs))
            return
        generations = {job.uid: (seen.generation, job.generation) for job in jobs}
        course.settled = {uid: told for uid, told in course.settled.items() if generations.get(uid) == told}
        has_finished = is_over(seen, page.said(seen), observed=page.observed)
        course.plan = plan_of(seen, jobs, is_over=has_finished, settled=course.settled.keys())

    def _lost(self, course: Course, jobs: list[SeenJob], *, now: Moment) -> None:
        """See to jobs whose list is not there: one that was there is gone, another is asked for first."""
        course.is_lost = True
        course.is_gone = course.is_gone or course.seen is not None
        course.plan = Plan(deletes=_not_deleting(jobs)) if course.is_gone else Plan()
        if not course.is_gone and jobs:
            course.reads.setdefault(OF_LIST, now.seconds)

    def _hold(self, course: Course, jobs: Iterable[SeenJob]) -> None:
        """Hold a list's jobs back while it is not complete, or goes."""
        is_going = course.is_lost or (course.seen is not None and course.seen.is_deleting and course.plan.deletes)
        is_held = is_going or any(course.is_waited_for(image) for image in course.plan.creates)
        for job in jobs:
            if is_held:
                hold_back(self._fleet, job.uid, why=LIST)
            else:
                let_go(self._fleet, job.uid, why=LIST)

    def _parts(self, course: Course, seen: SeenList) -> tuple[Part, ...]:
        images = seen.wish.images if seen.wish is not None else ()
        return tuple(self._part(course, seen, image) for image in images)

    def _part(self, course: Course, seen: SeenList, image: str) -> Part:
        child = course.plan.jobs.get(image)
        job = self._fleet.jobs.get(child.uid) if child is not None else None
        if child is None or job is None:
            name, words = job_name(seen.name, image=image), course.refusal(image)
            return Part(image=image, job=name, has_job=False, refusal=words, goes_on=goes_on(seen))
        said = self._desk.said(job)
        has_ended = is_finished(job.seen, said)
        return Part(image=image, job=child.name, has_ended=has_ended, goes_on=goes_on(seen), status=said)


def _not_deleting(jobs: Iterable[SeenJob]) -> tuple[SeenJob, ...]:
    return tuple(job for job in jobs if not job.is_deleting)
