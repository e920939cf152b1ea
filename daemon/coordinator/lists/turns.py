"""
What is asked of the API server next for one list: its jobs first, then its status, and in the end its deletion.

Called when there is a token, after the list was looked at (review.py). It decides nothing of what was decided there.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from daemon.api.times import later
from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.lists.asking import (
    to_amend,
    to_create,
    to_delete,
    to_end,
    to_read,
    to_read_list,
    to_tell,
)
from daemon.coordinator.lists.course import OF_LIST, Course, Key
from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.page import NEWS_SECONDS
from daemon.coordinator.lists.review import Review
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.lists.status import is_over
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import Request


LOOK_SECONDS: Final = 60.0
"""How long a date to come is trusted: the wall's clock may be put forward."""


class Turns:
    """
    Chooses requests.

    `next_seconds` is when another choice may be made of a list, `end_seconds` when it may be due to end, in seconds of
    the clock.
    """

    def __init__(self, fleet: Fleet, *, review: Review, paths: Paths) -> None:
        self._fleet = fleet
        self._review = review
        self._paths = paths
        self.next_seconds: dict[str, float] = {}
        self.end_seconds: dict[str, float] = {}

    def forget(self, key: str) -> None:
        """Wait no more for a list, which is looked at now."""
        self.next_seconds.pop(key, None)
        self.end_seconds.pop(key, None)

    def write(self, course: Course, *, now: Moment, apart_seconds: float) -> Request | None:
        """Return the next write for a list; None where there is none now."""
        found = next(self._of_jobs(course, now=now), None)
        if found is not None:
            key, request = found
            course.busy.add(key)
            return request
        self._again(course, course.next_try(now_seconds=now.seconds))
        if course.seen is None or course.is_lost or course.seen.is_deleting:
            return None
        return self._end(course, course.seen, now=now) or self._status(
            course, course.seen, now=now, apart_seconds=apart_seconds
        )

    def read(self, course: Course, *, now: Moment) -> Request | None:
        """Return the next read for a list; None where there is none now."""
        for key, at_seconds in tuple(course.reads.items()):
            if at_seconds > now.seconds or key in course.busy:
                continue
            request = self._to_read(course, key)
            if request is not None:
                course.busy.add(key)
                return request
            del course.reads[key]
        return None

    def _of_jobs(self, course: Course, *, now: Moment) -> Iterator[tuple[Key, Request]]:
        """Yield what can be asked now, the most urgent first: an amendment may be a suspension."""
        seen, plan = course.seen, course.plan
        for amendment in plan.amends if seen is not None else ():
            key = Key(is_image=False, text=amendment.job.uid)
            if seen is not None and course.is_free(key, now_seconds=now.seconds):
                course.sent[amendment.job.uid] = seen.generation
                yield key, to_amend(seen, amendment, paths=self._paths)
        for job in plan.deletes:
            key = Key(is_image=False, text=job.uid)
            if course.is_free(key, now_seconds=now.seconds):
                yield key, to_delete(course.list_key, job, paths=self._paths)
        for image in plan.creates if seen is not None else ():
            key = Key(is_image=True, text=image)
            if seen is not None and course.is_free(key, now_seconds=now.seconds):
                yield key, to_create(seen, image=image, paths=self._paths)

    def _to_read(self, course: Course, key: Key) -> Request | None:
        if key == OF_LIST:
            return self._to_read_list(course)
        if key.is_image:
            if (seen := course.seen) is None:
                return None
            name = job_name(seen.name, image=key.text)
            return to_read(course.list_key, key, path=self._paths.job(seen.namespace, name=name))
        job = self._fleet.jobs.get(key.text)
        if job is None:
            return None
        return to_read(course.list_key, key, path=self._paths.job(job.seen.namespace, name=job.seen.name))

    def _to_read_list(self, course: Course) -> Request | None:
        """Ask for a list by its own name, or by the one that a job of it has."""
        jobs = (self._fleet.jobs[uid].seen for uid in self._fleet.lists.jobs(course.list_key))
        named = [(job.namespace, job.list_name) for job in jobs]
        if course.seen is not None:
            named = [(course.seen.namespace, course.seen.name)]
        if not named:
            return None
        namespace, name = named[0]
        return to_read_list(course.list_key, namespace=namespace, name=name, paths=self._paths)

    def _end(self, course: Course, seen: SeenList, *, now: Moment) -> Request | None:
        """Delete a list whose time to live is over."""
        ends_at = self._ends_at(course, seen)
        if ends_at is None or course.is_ending:
            return None
        if ends_at > now.at:
            wait_seconds = min((ends_at - now.at) / timedelta(seconds=1), LOOK_SECONDS)
            self.end_seconds[course.list_key] = now.seconds + wait_seconds
            return None
        course.is_ending = True
        return to_end(seen, paths=self._paths)

    def _ends_at(self, course: Course, seen: SeenList) -> datetime | None:
        completed_at = seen.status.completion_time
        page = course.page
        if page is None or completed_at is None or seen.wish is None:
            return None
        if not is_over(seen, page.said(seen), observed=page.observed):
            return None
        seconds = seen.wish.template.completion_policy.ttl_seconds_after_finished
        return later(completed_at, seconds=seconds) if seconds is not None else None

    def _status(self, course: Course, seen: SeenList, *, now: Moment, apart_seconds: float) -> Request | None:
        page = course.page
        if page is None or page.is_busy or course.is_ending or OF_LIST in course.reads:
            return None
        looks_at = page.looked_seconds + max(NEWS_SECONDS, apart_seconds)
        if looks_at > now.seconds and not self._review.may_be_news(course, seen, page):
            self._again(course, looks_at)
            return None
        page.looked_seconds = now.seconds
        wanted = self._review.wanted(course, seen, page, now=now)
        due_seconds = page.due_seconds(seen, wanted, apart_seconds=apart_seconds)
        if due_seconds is None:
            return None
        if due_seconds > now.seconds:
            self._again(course, due_seconds)
            return None
        page.sent(seen, wanted, now_seconds=now.seconds)
        return to_tell(seen, wanted, paths=self._paths)

    def _again(self, course: Course, at_seconds: float | None) -> None:
        """Have a list looked at again, when the sooner time comes."""
        if at_seconds is not None:
            self.next_seconds[course.list_key] = min(at_seconds, self.next_seconds.get(course.list_key, at_seconds))
