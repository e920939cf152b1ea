"""
Which jobs' nodes were denied an image, and are looked into: such a job has not ended before it is known that nothing
has changed. Pure but for what it notes in the fleet.
"""

from collections.abc import Iterable

from daemon.coordinator.fleet import Fleet
from daemon.coordinator.records import Course, JobRecord
from daemon.coordinator.secrets.names import Source
from daemon.coordinator.standing import Stand


class Denials:
    """The sources that are looked into for each job, by uid."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._sources: dict[str, set[Source]] = {}

    def add(self, uid: str, source: Source) -> None:
        """Have a job wait for a source."""
        self._sources.setdefault(uid, set()).add(source)

    def clear(self, source: Source, uids: Iterable[str]) -> None:
        """Let jobs wait for a source no more."""
        for uid in tuple(uids):
            sources = self._sources.get(uid, set())
            sources.discard(source)
            if not sources:
                self._sources.pop(uid, None)
                self._let_go(uid)

    def forget(self, uid: str) -> None:
        """Drop a job that is no more."""
        self._sources.pop(uid, None)
        self._let_go(uid)

    def hold(self) -> None:
        """Keep from their end those jobs that would end by what nodes have said."""
        for uid in self._sources:
            job = self._fleet.jobs.get(uid)
            if job is not None and _would_end(job):
                self._fleet.checking.add(uid)
            else:
                self._let_go(uid)

    def _let_go(self, uid: str) -> None:
        if uid in self._fleet.checking:
            self._fleet.checking.discard(uid)
            self._fleet.todo.dirty.add(uid)


def _would_end(job: JobRecord) -> bool:
    is_ending = job.course is Course.ACTIVE and job.task is not None and not job.task.is_never
    return is_ending and not job.tally.open and job.tally.count(Stand.FAILED) > 0
