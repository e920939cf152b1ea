"""
Image lists, a side of the loop: one job for each image, the list's status, and its end.

What is to be done is worked out when a list or one of its jobs has changed (review.py), and asked for when there is a
token (turns.py); what became of that is answers.py's. A list's jobs wait for each other before they are granted
anything, so that one write of a NodeImage grants the whole list.
"""

from collections.abc import Iterable

from daemon.clock import Moment
from daemon.coordinator.desk import Desk
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.lists.answers import Answers, ListListener
from daemon.coordinator.lists.course import Course
from daemon.coordinator.lists.page import STATUS_PART
from daemon.coordinator.lists.review import Review
from daemon.coordinator.lists.turns import Turns
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import About, Outcome, Request
from daemon.coordinator.slots import LIST, let_go


class Lists:
    """
    Sees to every list.

    Args:
        fleet: what is known.
        desk: what is said of each job.
        paths: where our kinds are.
        listener: hears what happens.
    """

    def __init__(self, fleet: Fleet, *, desk: Desk, paths: Paths, listener: ListListener) -> None:
        self._fleet = fleet
        self._desk = desk
        self._paths = paths
        self._courses: dict[str, Course] = {}
        self._list_of: dict[str, str] = {}
        self._ready: dict[str, None] = {}
        self._review = Review(fleet, desk=desk)
        self._turns = Turns(fleet, review=self._review, paths=paths)
        self._answers = Answers(fleet, courses=self._courses, listener=listener)

    def look(self, news: frozenset[str], *, now: Moment) -> None:
        """Work out anew what lists have to have written that have changed, or of which a job has."""
        changed, self._fleet.todo.lists = self._fleet.todo.lists, set()
        touched, self._answers.touched = self._answers.touched, set()
        # Without the kind it is not known which lists there are: their jobs are served as any others.
        if self._paths.has_lists:
            for key in changed | touched | self._lists_of(news) | self._waiting_for(news) | self._due(now):
                self._look_at(key, now=now)

    def has_work(self) -> bool:
        """Tell whether a list may have something to write now."""
        return bool(self._ready)

    def next(self, now: Moment) -> Request | None:
        """Return the next write: of a job, in its list's order, else of a list; the lists take turns."""
        going = len(self._ready.keys() | self._turns.next_seconds.keys())
        apart_seconds = going / (self._desk.write_rate * STATUS_PART)
        for key in tuple(self._ready):
            course = self._courses.get(key)
            request = self._turns.write(course, now=now, apart_seconds=apart_seconds) if course is not None else None
            del self._ready[key]
            if request is not None:
                self._ready[key] = None
                return request
        return None

    def read(self, now: Moment) -> Request | None:
        """Return the next read: of a job whose state is not known, or of a list."""
        found = (self._turns.read(course, now=now) for course in tuple(self._courses.values()) if course.reads)
        return next((request for request in found if request is not None), None)

    def next_seconds(self) -> float | None:
        """Return when time alone brings something: another try, a status that waits, a list's end."""
        reads = (at for course in self._courses.values() for key, at in course.reads.items() if key not in course.busy)
        coming = (self._turns.next_seconds.values(), self._turns.end_seconds.values(), reads)
        return min((at for times in coming for at in times), default=None)

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Hear what became of a request."""
        if outcome.request.about is About.LIST:
            self._answers.take_list(outcome, now=now)
        else:
            self._answers.take(outcome, now=now)

    def _look_at(self, key: str, *, now: Moment) -> None:
        self._turns.forget(key)
        if key not in self._fleet.lists.records:
            self._courses.pop(key, None)
            return
        course = self._courses.get(key)
        if course is None:
            course = self._courses[key] = Course(key)
        self._review.look_at(course, now=now)
        self._ready[key] = None

    def _lists_of(self, news: Iterable[str]) -> set[str]:
        """Return the lists whose jobs are new, changed or gone, and let go whoever is a list's no more."""
        found = set()
        for uid in news:
            job = self._fleet.jobs.get(uid)
            before, after = self._list_of.pop(uid, ""), job.seen.list_key if job is not None else ""
            if after:
                self._list_of[uid] = after
            elif before:
                let_go(self._fleet, uid, why=LIST)
            found |= {before, after} - {""}
        return found

    def _waiting_for(self, news: Iterable[str]) -> set[str]:
        """Return the lists of which a job's name is free now, since whoever had it is gone."""
        gone = frozenset(uid for uid in news if uid not in self._fleet.jobs)
        waiting = [course for course in self._courses.values() if gone and course.waits_for(gone)]
        for course in waiting:
            course.forget_setbacks(holders=gone)
        return {course.list_key for course in waiting}

    def _due(self, now: Moment) -> set[str]:
        times = (*self._turns.next_seconds.items(), *self._turns.end_seconds.items())
        return {key for key, at_seconds in times if at_seconds <= now.seconds}
