"""
What became of the requests for lists, and what follows: what is known now, what is read, what is tried again when.

A write that was refused, or whose answer never came, says nothing: the object is read before anything else is decided
of it. The making of a job needs no read for that: made again, its name is taken, and then it is read who has it.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, Conflict, Denied, Invalid, NotFound, Oversized
from daemon.cluster.paths import Verb
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.lists.asking import parsed_subject
from daemon.coordinator.lists.course import OF_LIST, Course, Key
from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.page import ListTold
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.outcomes import READ_AGAIN_SECONDS, refused_seconds, rest_seconds
from daemon.coordinator.requests import Outcome, Request
from daemon.coordinator.seen import SeenJob


LOOK_AGAIN_SECONDS: Final = 5.0
"""When a list is asked for again that is there, and that its watch has not told of."""

_REFUSED: Final = (Denied, Invalid, Oversized, NotFound)


class ListListener(Protocol):
    """Hears what happens to lists, in the loop's thread."""

    def job_made(self, seen: SeenList, *, job: str, image: str) -> None:
        """An image's job was made."""
        ...

    def job_deleted(self, seen: SeenList, *, job: str) -> None:
        """A job was deleted that is no image's any more."""
        ...

    def job_refused(self, seen: SeenList, *, job: str, image: str, words: str) -> None:
        """An image's job can't be made, and why; said again only in other words."""
        ...

    def list_told(self, told: ListTold) -> None:
        """A list's status was written."""
        ...

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """The API server refuses what is to be written, also after a fresh look."""
        ...


class Answers:
    """
    Takes answers; `touched` has the lists that have to be looked at again.

    Args:
        fleet: what is known.
        courses: the lists, as book.py knows them.
        listener: hears what happens.
    """

    def __init__(self, fleet: Fleet, *, courses: Mapping[str, Course], listener: ListListener) -> None:
        self.touched: set[str] = set()
        self._fleet = fleet
        self._learning = Learning(fleet)
        self._courses = courses
        self._listener = listener

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Take over what an outcome about a job of a list tells."""
        list_key, key = parsed_subject(outcome.request.subject)
        course = self._courses.get(list_key)
        if course is None:
            # Its list is gone with all its jobs; one that was made all the same is seen, and goes too.
            write = outcome.request.write
            if isinstance(outcome.seen, SeenJob) and write is not None and write.verb is Verb.CREATE:
                self._learning.job_seen(outcome.seen, now=now)
            return
        self.touched.add(list_key)
        course.busy.discard(key)
        if not outcome.was_sent:
            return
        if outcome.request.write is None:
            self._read(course, key, outcome, now=now)
        elif outcome.request.write.verb is Verb.CREATE:
            self._created(course, key, outcome, now=now)
        elif outcome.request.is_removal:
            self._deleted(course, key, outcome, now=now)
        else:
            self._amended(course, key, outcome, now=now)

    def take_list(self, outcome: Outcome, *, now: Moment) -> None:
        """Take over what an outcome about a list tells."""
        list_key = outcome.request.subject
        course = self._courses.get(list_key)
        if course is None:
            return
        self.touched.add(list_key)
        if outcome.request.write is None:
            self._list_read(course, outcome, now=now)
        elif outcome.request.is_removal:
            self._list_ended(course, outcome, now=now)
        else:
            self._list_told(course, outcome, now=now)

    # Jobs

    def _created(self, course: Course, key: Key, outcome: Outcome, *, now: Moment) -> None:
        error = outcome.error
        if isinstance(outcome.seen, SeenJob):
            self._ours(course, key, outcome.seen, now=now)
            if course.seen is not None:
                self._listener.job_made(course.seen, job=outcome.seen.name, image=key.text)
        elif isinstance(error, Conflict):
            course.reads[key] = now.seconds
        elif isinstance(error, _REFUSED):
            self._refuse(course, key, words=error.message, now=now)
        elif error is not None:
            words = error.message if key in course.setbacks else ""
            if course.set_back(key, now_seconds=now.seconds, words=words):
                self._say_refused(course, key, words=words)

    def _ours(self, course: Course, key: Key, seen: SeenJob, *, now: Moment) -> None:
        course.setbacks.pop(key, None)
        self._learning.job_seen(seen, now=now)

    def _amended(self, course: Course, key: Key, outcome: Outcome, *, now: Moment) -> None:
        generation = course.sent.pop(key.text, 0)
        if isinstance(outcome.seen, SeenJob):
            course.setbacks.pop(key, None)
            course.settled[key.text] = (generation, outcome.seen.generation)
            self._learning.job_seen(outcome.seen, now=now)
        else:
            self._failed(course, key, outcome, now=now)

    def _deleted(self, course: Course, key: Key, outcome: Outcome, *, now: Moment) -> None:
        if outcome.error is not None:
            self._failed(course, key, outcome, now=now)
            return
        course.setbacks.pop(key, None)
        self._learning.job_gone(key.text)
        if course.seen is not None and not course.is_lost:
            # Its watch may have told of that before.
            self._listener.job_deleted(course.seen, job=outcome.request.path.rpartition("/")[2])

    def _failed(self, course: Course, key: Key, outcome: Outcome, *, now: Moment) -> None:
        """Read a job of which a write failed, and leave it alone for a while where that happens again."""
        error, request = outcome.error, outcome.request
        if isinstance(error, NotFound):
            self._learning.job_gone(key.text)
            return
        is_denied = isinstance(error, (Denied, Oversized))
        course.set_back(key, now_seconds=now.seconds, is_refused=is_denied)
        course.reads[key] = now.seconds
        if error is not None and (is_denied or course.setbacks[key].failures > 1):
            self._listener.write_refused(request, error)

    def _read(self, course: Course, key: Key, outcome: Outcome, *, now: Moment) -> None:
        seen, error = outcome.seen, outcome.error
        if error is not None and not isinstance(error, NotFound):
            course.reads[key] = now.seconds + READ_AGAIN_SECONDS
            return
        course.reads.pop(key, None)
        if not key.is_image and (not isinstance(seen, SeenJob) or seen.uid != key.text):
            self._learning.job_gone(key.text)
        if not isinstance(seen, SeenJob):
            return
        if not key.is_image:
            self._learning.job_seen(seen, now=now)
        elif seen.list_key == course.list_key and not seen.is_deleting:
            self._ours(course, key, seen, now=now)
        else:
            self._taken(course, key, seen, now=now)

    def _taken(self, course: Course, key: Key, seen: SeenJob, *, now: Moment) -> None:
        """Wait for a job that goes: an earlier list's of the same name, say; a person has to see to any other."""
        record = self._fleet.lists.records.get(seen.list_key)
        is_going = seen.is_deleting or (bool(seen.list_uid) and (record is None or record.seen is None))
        whose = f"the ImageListPullJob {seen.list_name}" if seen.list_uid else "no ImageListPullJob"
        words = f"the ImagePullJob {seen.name} is there already and belongs to {whose}: delete it, or rename the list"
        self._refuse(course, key, words="" if is_going else words, holder=seen.uid, now=now)

    def _refuse(self, course: Course, key: Key, *, words: str, now: Moment, holder: str = "") -> None:
        if course.set_back(key, now_seconds=now.seconds, words=words, holder=holder, is_refused=True):
            self._say_refused(course, key, words=words)

    def _say_refused(self, course: Course, key: Key, *, words: str) -> None:
        if course.seen is not None:
            name = job_name(course.seen.name, image=key.text)
            self._listener.job_refused(course.seen, job=name, image=key.text, words=words)

    # Lists

    def _list_told(self, course: Course, outcome: Outcome, *, now: Moment) -> None:
        error, page = outcome.error, course.page
        if page is None:
            return
        seen = outcome.seen if isinstance(outcome.seen, SeenList) and not course.is_lost else None
        if seen is not None:
            self._learning.list_seen(seen)
        told = page.answered(seen)
        if told is not None:
            self._listener.list_told(told)
        if isinstance(error, NotFound):
            self._learning.list_gone(course.list_key)
        elif error is not None:
            is_refused = isinstance(error, (Denied, Invalid, Oversized))
            seconds = refused_seconds(page.failures) if is_refused else rest_seconds(page.failures)
            page.held_until = now.seconds + seconds
            course.reads[OF_LIST] = now.seconds
            if is_refused:
                self._listener.write_refused(outcome.request, error)

    def _list_ended(self, course: Course, outcome: Outcome, *, now: Moment) -> None:
        """A list that we deleted is gone when its watch says so: somebody's finalizer may keep it."""
        if outcome.error is None and outcome.was_sent:
            return
        course.is_ending = False
        if isinstance(outcome.error, NotFound):
            self._learning.list_gone(course.list_key)
        elif course.page is not None:
            course.reads[OF_LIST] = now.seconds + READ_AGAIN_SECONDS

    def _list_read(self, course: Course, outcome: Outcome, *, now: Moment) -> None:
        course.busy.discard(OF_LIST)
        seen, error = outcome.seen, outcome.error
        name = outcome.request.path.rpartition("/")[2]
        if isinstance(error, NotFound) and f'"{name}" not found' not in error.message:
            # The kind is not served there any more: that says nothing of the list.
            course.reads[OF_LIST] = now.seconds + LOOK_AGAIN_SECONDS
        elif isinstance(error, NotFound) or (isinstance(seen, SeenList) and seen.key != course.list_key):
            course.reads.pop(OF_LIST, None)
            course.is_gone = True
            self._learning.list_gone(course.list_key)
        elif isinstance(seen, SeenList) and not course.is_lost:
            course.reads.pop(OF_LIST, None)
            self._learning.list_seen(seen)
        else:
            course.reads[OF_LIST] = now.seconds + (READ_AGAIN_SECONDS if error else LOOK_AGAIN_SECONDS)
