"""
Keeps one copy of each pull secret that jobs name, where agents may read it: made, followed, released.

A side of the loop (sides.py). A new job waits for its secrets, so that its first write of a NodeImage names them. What
is in a Secret stays with the senders (errand.py); here are names, digests and states. Whose secrets are whose uses.py
knows, what a job gets of one record.py, when each is looked at dates.py, what a person is told words.py.
"""

from typing import Final, Protocol

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, Denied, Oversized, ServerFailed
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.records import Course, JobRecord
from daemon.coordinator.requests import About, Errand, Outcome, Request, Urgency
from daemon.coordinator.secrets.content import Fingerprints
from daemon.coordinator.secrets.dates import Dates
from daemon.coordinator.secrets.denials import Denials
from daemon.coordinator.secrets.errand import Answer, Copy, ListCopies, Look, Release, State
from daemon.coordinator.secrets.names import KnownCopy, Source, chosen, secrets_in
from daemon.coordinator.secrets.record import PATIENCE, SURE, SourceRecord, wait_seconds
from daemon.coordinator.secrets.uses import Uses, sources_of
from daemon.coordinator.secrets.words import trouble_of, words_of
from daemon.coordinator.slots import SECRETS, hold_back, let_go
from daemon.coordinator.standing import Stand


REREAD_SECONDS: Final = 60.0
DENIED_SECONDS: Final = 5.0
LIST_SECONDS: Final = 300.0
MOST_AT_ONCE: Final = 8
"""Of the sixteen senders: a slow answer about Secrets must not keep grants from going."""

_ANSWERED: Final = (Denied, ServerFailed, Oversized)


class SecretListener(Protocol):
    """Hears of pull secrets, in the loop's thread; of nothing that is in one."""

    def secret_copied(self, source: str, *, copy: str) -> None:
        """A copy was made, or has something else in it now."""
        ...

    def secret_released(self, source: str, *, copy: str) -> None:
        """A copy was deleted, since no job uses it any more or its source is gone."""
        ...

    def secret_troubled(self, source: str, *, state: str, words: str) -> None:
        """A source can't be had; told once until that changes."""
        ...

    def secrets_unlisted(self, error: ClusterError) -> None:
        """The copies can't be listed, so some may stay that nobody needs."""
        ...


class Copies:
    """
    Keeps the copies.

    Args:
        fleet: what is known; jobs are held back in it, and their secrets noted.
        secret_namespace: where copies are.
        listener: hears what happens.
        reread_seconds: how long until a source in use is read again, give or take a tenth.
    """

    def __init__(
        self, fleet: Fleet, *, secret_namespace: str, listener: SecretListener, reread_seconds: float = REREAD_SECONDS
    ) -> None:
        self._fleet = fleet
        self._place = secret_namespace
        self._listener = listener
        self._reread_seconds = reread_seconds
        self._fingerprints = Fingerprints()
        self._uses = Uses()
        self._records: dict[Source, SourceRecord] = {}
        self._writes: dict[Source, None] = {}
        self._reads: dict[Source, None] = {}
        self._dates = Dates()
        self._denials = Denials(fleet)
        self._in_flight = 0
        self._is_listed = False
        self._list_failures = 0
        self._wants_list = False
        self._list_at = float("-inf")
        self._list_sent = float("-inf")

    # As a side of the loop

    def look(self, news: frozenset[str], *, now: Moment) -> None:
        """Follow the jobs, what nodes say of their pulls, and the time."""
        for uid in news:
            self._job_news(uid)
        denied, self._fleet.todo.denied = self._fleet.todo.denied, set()
        for uid in denied:
            for source in self._uses.sources(uid):
                self._denials.add(uid, source)
                self._records[source].denied.add(uid)
                self._offer(source, now=now)
        for source in self._dates.take(now.seconds):
            if source in self._records:
                self._records[source].due_seconds = float("inf")
                self._come_due(source, now=now)
        if now.seconds >= self._list_at:
            self._wants_list, self._list_at = True, float("inf")
        self._denials.hold()

    def has_work(self) -> bool:
        """Tell whether a copy may have to be written now."""
        return self._is_listed and bool(self._writes) and self._in_flight < MOST_AT_ONCE

    def next(self, now: Moment) -> Request | None:
        """Return the next errand that may write."""
        while self.has_work():
            source = next(iter(self._writes))
            del self._writes[source]
            errand = self._errand(source, now=now)
            if errand is not None:
                return self._sent(source, errand, urgency=Urgency.UPKEEP)
        return None

    def read(self, now: Moment) -> Request | None:
        """Return the next errand that writes nothing: a list of the copies, or a look at a source."""
        if self._in_flight >= MOST_AT_ONCE:
            return None
        if self._wants_list:
            self._wants_list, self._list_sent = False, now.seconds
            return self._request("", path=secrets_in(self._place), errand=ListCopies(place=self._place))
        while self._reads:
            source = next(iter(self._reads))
            del self._reads[source]
            record = self._records.get(source)
            if record is None or record.is_busy or not self._uses.users(source):
                continue
            if not self._is_resting(source, record, now=now):
                self._ask(source, record, now=now)
                return self._sent(source, Look(source=source, fingerprints=self._fingerprints), urgency=Urgency.READ)
        return None

    def next_seconds(self) -> float | None:
        """Return when time alone brings an errand."""
        return min(self._list_at, self._dates.next())

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Hear what became of an errand."""
        self._in_flight -= 1
        if isinstance(outcome.request.errand, ListCopies):
            self._take_list(outcome, now=now)
            return
        source = _source_of(outcome)
        record = self._records.get(source)
        if record is None:
            return
        record.is_busy, record.answered_seconds = False, now.seconds
        if isinstance(outcome.answer, Answer):
            record.failures = 0
            self._answered(source, record, outcome.answer, is_look=isinstance(outcome.request.errand, Look), now=now)
        elif isinstance(outcome.request.errand, Release) and outcome.answer is not None:
            self._released(source, record, outcome.request.errand.name, was_there=outcome.answer is True)
        else:
            self._failed(source, record, outcome.error, now=now)
        self._offer(source, now=now)

    # Jobs

    def _job_news(self, uid: str) -> None:
        job = self._fleet.jobs.get(uid)
        key = f"{job.seen.namespace}/{job.seen.name}" if job is not None else ""
        for source in self._uses.note(uid, key=key, sources=self._sources(job)):
            self._records.setdefault(source, SourceRecord())
            self._touch(source)
        if job is None:
            self._forget(uid)
        else:
            self._settle(job)

    def _sources(self, job: JobRecord | None) -> tuple[Source, ...]:
        """Return what a job uses; a finished one as long as a node keeps its image."""
        if job is None or (job.course is Course.FINISHED and not self._fleet.owners.names(job.uid)):
            return ()
        return sources_of(job)

    def _forget(self, uid: str) -> None:
        for known in (self._fleet.secrets, self._fleet.secret_troubles, self._fleet.held_back):
            known.pop(uid, None)
        self._denials.forget(uid)

    def _settle(self, job: JobRecord) -> None:
        """Give a job what is known of its secrets, or hold it back until all of that is known."""
        uid, key = job.uid, f"{job.seen.namespace}/{job.seen.name}"
        sources = self._uses.sources(uid)
        if not all(self._records[source].is_told(key) for source in sources):
            hold_back(self._fleet, uid, why=SECRETS)
            return
        records = [(source, self._records[source]) for source in sources]
        found = {record.reference(source, key=key, place=self._place) for source, record in records}
        references = sorted((each for each in found if each is not None), key=lambda each: each.name)
        if sources or uid in self._fleet.secrets:
            self._fleet.set_secrets(uid, tuple(references))
        self._tell(job, sources)
        let_go(self._fleet, uid, why=SECRETS)

    def _tell(self, job: JobRecord, sources: tuple[Source, ...]) -> None:
        """Note why a job has not all of its secrets."""
        answers = [(source, answer) for source in sources if (answer := self._records[source].answer) is not None]
        trouble = trouble_of(answers, place=self._place)
        if trouble == self._fleet.secret_troubles.get(job.uid):
            return
        self._fleet.secret_troubles.pop(job.uid, None)
        if trouble is not None:
            self._fleet.secret_troubles[job.uid] = trouble
        self._fleet.todo.dirty.add(job.uid)

    # Sources

    def _touch(self, source: Source) -> None:
        """Have a source looked at that may need an errand; one that nobody uses and that has no copy is forgotten."""
        record = self._records[source]
        users = self._uses.users(source)
        if record.is_busy:
            return
        if not users and not record.copies:
            del self._records[source]
            return
        needs_copy = bool(users) and record.needs_copy(self._uses.references(source))
        if needs_copy and source.namespace == self._place:
            self._reads[source] = None
        elif needs_copy or record.surplus or (record.copies and (not users or record.is_gone)):
            self._writes[source] = None

    def _offer(self, source: Source, *, now: Moment) -> None:
        """Look at a source for a denied pull, at most each DENIED_SECONDS; then see to whatever else it needs."""
        record = self._records.get(source)
        if record is None or record.is_busy:
            return
        at_seconds = record.denied_seconds + DENIED_SECONDS
        if record.denied and at_seconds <= now.seconds:
            record.must_copy = True
        elif record.denied:
            self._wake(source, record, at_seconds)
        self._touch(source)

    def _come_due(self, source: Source, *, now: Moment) -> None:
        """See to a source whose time has come."""
        for uid in self._uses.users(source):
            if not self._sources(self._fleet.jobs.get(uid)):
                self._job_news(uid)
        self._offer(source, now=now)
        record = self._records.get(source)
        if record is not None and source not in self._writes and self._uses.users(source):
            self._reads[source] = None

    def _errand(self, source: Source, *, now: Moment) -> Errand | None:
        """Return what has to be done about a source now; None for nothing."""
        record = self._records.get(source)
        if record is None or record.is_busy or self._is_resting(source, record, now=now):
            return None
        references = self._uses.references(source)
        if references and record.needs_copy(references):
            self._ask(source, record, now=now)
            known = chosen(source, record.copies)
            return Copy(
                source=source,
                place=self._place,
                references=references,
                known=known,
                fingerprints=self._fingerprints,
            )
        names = record.copies if not references or record.is_gone else record.surplus
        return Release(source=source, place=self._place, name=min(names)) if names else None

    def _is_resting(self, source: Source, record: SourceRecord, *, now: Moment) -> bool:
        """Tell whether a source is left alone after a failure, and come back to it then."""
        is_resting = record.not_before > now.seconds
        if is_resting:
            self._wake(source, record, record.not_before)
        return is_resting

    def _ask(self, source: Source, record: SourceRecord, *, now: Moment) -> None:
        """Note for whom an errand is that begins now."""
        record.asked_for = self._uses.references(source)
        if record.denied:
            record.denied_seconds = now.seconds
        record.asking |= record.denied
        record.denied.clear()

    def _sent(self, source: Source, errand: Errand, *, urgency: Urgency) -> Request:
        self._records[source].is_busy = True
        return self._request(source.key, path=source.path, errand=errand, urgency=urgency)

    def _request(self, subject: str, *, path: str, errand: Errand, urgency: Urgency = Urgency.READ) -> Request:
        self._in_flight += 1
        return Request(urgency=urgency, about=About.SECRET, subject=subject, path=path, errand=errand)

    # Outcomes

    def _answered(self, source: Source, record: SourceRecord, answer: Answer, *, is_look: bool, now: Moment) -> None:
        is_good = answer.state is State.PRESENT
        is_same = is_good and record.is_present and answer.digest == record.digest
        is_copied = source.namespace != self._place
        if is_look and is_copied and is_good:
            # Looked at alone: what has changed has to be copied first.
            record.must_copy = record.must_copy or not is_same
            self._plan(source, record, now=now)
            return
        record.wrongs = 0 if is_good else record.wrongs + 1
        if not is_good and record.wrongs < SURE:
            record.must_copy, record.not_before = True, now.seconds + wait_seconds(record, reread_seconds=1.0)
            return
        self._settled(source, record, answer, now=now)

    def _settled(self, source: Source, record: SourceRecord, answer: Answer, *, now: Moment) -> None:
        """Let the jobs go on with an answer, and run again what failed where that may help now."""
        before = record.answer
        is_news = record.settle(answer)
        self._report(source, before, answer)
        for uid in self._uses.users(source):
            job = self._fleet.jobs[uid]
            self._settle(job)
            # What nobody has begun needs no second turn.
            if is_news and (job.tally.holding or job.tally.count(Stand.FAILED)):
                self._fleet.run_again(job, now=now)
        self._denials.clear(source, record.asking)
        record.asking.clear()
        self._plan(source, record, now=now)

    def _report(self, source: Source, before: Answer | None, answer: Answer) -> None:
        if answer.state is State.PRESENT:
            if answer.has_changed:
                self._listener.secret_copied(source.key, copy=answer.copy)
        elif before is None or (before.state, before.words) != (answer.state, answer.words):
            words = words_of(source, answer, place=self._place)
            self._listener.secret_troubled(source.key, state=answer.state.value, words=words)

    def _released(self, source: Source, record: SourceRecord, name: str, *, was_there: bool) -> None:
        record.failures = 0
        record.copies.discard(name)
        record.surplus.discard(name)
        if was_there:
            self._listener.secret_released(source.key, copy=name)
        for uid in self._uses.users(source):
            self._settle(self._fleet.jobs[uid])

    def _failed(self, source: Source, record: SourceRecord, error: ClusterError | None, *, now: Moment) -> None:
        """Try again later; where the API server has answered so again and again, the jobs go on without."""
        record.failures += 1
        record.denied |= record.asking
        record.asking.clear()
        record.must_copy = True
        if record.failures >= PATIENCE and isinstance(error, _ANSWERED):
            self._denials.clear(source, record.denied)
            record.denied.clear()
            if record.told_for != self._uses.references(source):
                self._settled(source, record, Answer(state=State.UNREAD, words=error.message), now=now)
                record.must_copy = True
        record.not_before = now.seconds + wait_seconds(record, reread_seconds=self._reread_seconds)

    def _plan(self, source: Source, record: SourceRecord, *, now: Moment) -> None:
        """Have a source looked at again."""
        record.due_seconds = float("inf")
        self._wake(source, record, now.seconds + wait_seconds(record, reread_seconds=self._reread_seconds))

    def _wake(self, source: Source, record: SourceRecord, at_seconds: float) -> None:
        if at_seconds < record.due_seconds:
            record.due_seconds = at_seconds
            self._dates.put(source, at_seconds)

    # Lists of copies

    def _take_list(self, outcome: Outcome, *, now: Moment) -> None:
        if isinstance(outcome.answer, tuple):
            self._list_failures, self._list_at = 0, now.seconds + LIST_SECONDS
            self._is_listed = True
            self._take_copies(outcome.answer)
            return
        self._list_failures += 1
        self._list_at = now.seconds + min(LIST_SECONDS, 2.0 ** min(self._list_failures, 10) / 2)
        if isinstance(outcome.error, _ANSWERED) and self._list_failures >= SURE:
            # Copies that others made are not found then; those of ours are, by their names.
            self._is_listed = True
            self._listener.secrets_unlisted(outcome.error)

    def _take_copies(self, copies: tuple[KnownCopy, ...]) -> None:
        """Compare what is there with what should be; what an errand has seen to since is newer than the list."""
        found: dict[Source, dict[str, tuple[str, ...]]] = {}
        for copy in copies:
            found.setdefault(copy.source, {})[copy.name] = copy.references
        for source in {*found, *self._records}:
            record = self._records.setdefault(source, SourceRecord())
            here = found.get(source, {})
            if record.is_busy or record.answered_seconds >= self._list_sent:
                record.copies |= here.keys()
                continue
            name = chosen(source, here)
            others = here.keys() - {name} if record.is_present else set()
            # Those that were there at the last list too: since then NodeImages name the one.
            record.copies, record.spare, record.surplus = set(here), others, record.spare & others
            references = here.get(name, ())
            if record.answer is None:
                record.included = references
            elif record.is_present and references != record.told_for:
                record.must_copy = True
            self._touch(source)


def _source_of(outcome: Outcome) -> Source:
    namespace, _, name = outcome.request.subject.partition("/")
    return Source(namespace, name)
