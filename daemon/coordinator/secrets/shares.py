"""
What jobs get of what is known of their pull secrets: references, a grant or none yet, and words where some are missing.

Pure but for what it notes in the fleet.
"""

from typing import Final

from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.records import Course, JobRecord
from daemon.coordinator.secrets.names import Source
from daemon.coordinator.secrets.record import SourceRecord
from daemon.coordinator.secrets.uses import Uses, sources_of
from daemon.coordinator.secrets.words import trouble_of
from daemon.coordinator.slots import SECRETS, hold_back, let_go
from daemon.coordinator.standing import Stand


NO_SOURCES: Final[tuple[Source, ...]] = ()


class Shares:
    """
    The sources, and the jobs that use them.

    Args:
        fleet: what is known; jobs are held back in it, and their secrets noted.
        place: the namespace of the copies.
    """

    def __init__(self, fleet: Fleet, *, place: str) -> None:
        self.uses = Uses()
        self.records: dict[Source, SourceRecord] = {}
        self._fleet = fleet
        self._place = place

    def follow(self, uid: str) -> tuple[Source, ...]:
        """Take note of a job that is new, changed or gone, and return the sources that this is news for."""
        job = self._fleet.jobs.get(uid)
        touched = self.uses.note(uid, key=_key(job) if job is not None else "", sources=self._used(job))
        for source in touched:
            self.records.setdefault(source, SourceRecord())
        if job is not None:
            self._give(job)
        else:
            for known in (self._fleet.secrets, self._fleet.secret_troubles, self._fleet.held_back):
                known.pop(uid, None)
        return touched

    def prune(self, source: Source) -> tuple[Source, ...]:
        """End the uses of finished jobs whose last entry is gone, and return the sources that this is news for."""
        ended = [uid for uid in self.uses.users(source) if not self._used(self._fleet.jobs.get(uid))]
        return tuple(touched for uid in ended for touched in self.follow(uid))

    def pass_on(self, source: Source, *, is_news: bool, now: Moment) -> None:
        """Let the jobs of a source go on with what is known of it; with news, what they failed for is tried again."""
        for uid in self.uses.users(source):
            job = self._fleet.jobs.get(uid)
            # One that has gone is a user until its end is followed, and an answer may be heard before that.
            if job is None:
                continue
            self._give(job)
            # What nobody has begun needs no second turn.
            if is_news and (job.tally.holding or job.tally.count(Stand.FAILED)):
                self._fleet.run_again(job, now=now)
                # Reckoned anew, its nodes say again what they were denied before.
                self._fleet.todo.denied.discard(uid)

    def _used(self, job: JobRecord | None) -> tuple[Source, ...]:
        """Return what a job uses; a finished one as long as a node keeps its image."""
        if job is None or (job.course is Course.FINISHED and not self._fleet.owners.names(job.uid)):
            return NO_SOURCES
        return sources_of(job)

    def _give(self, job: JobRecord) -> None:
        """Note what a job has of its secrets, or hold it back until that is known of each."""
        uid, key, sources = job.uid, _key(job), self.uses.sources(job.uid)
        records = [(source, self.records[source]) for source in sources]
        if not all(record.is_told(key) for _, record in records):
            hold_back(self._fleet, uid, why=SECRETS)
            return
        found = [record.reference(source, key=key, place=self._place) for source, record in records]
        if sources or uid in self._fleet.secrets:
            references = sorted((each for each in found if each is not None), key=lambda each: each.name)
            self._fleet.set_secrets(uid, tuple(references))
        self._tell(job, sources)
        let_go(self._fleet, uid, why=SECRETS)

    def _tell(self, job: JobRecord, sources: tuple[Source, ...]) -> None:
        """Note why a job has not all of its secrets."""
        answers = [(source, answer) for source in sources if (answer := self.records[source].answer) is not None]
        trouble = trouble_of(answers, place=self._place)
        if trouble == self._fleet.secret_troubles.get(job.uid):
            return
        self._fleet.secret_troubles.pop(job.uid, None)
        if trouble is not None:
            self._fleet.secret_troubles[job.uid] = trouble
        self._fleet.todo.dirty.add(job.uid)


def _key(job: JobRecord) -> str:
    return f"{job.seen.namespace}/{job.seen.name}"
