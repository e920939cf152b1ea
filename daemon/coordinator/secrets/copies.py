"""
Keeps one copy of each pull secret that jobs name, where agents may read it: made, followed, released.

A side of the loop (sides.py), and what the answers to its errands mean. A new job waits for its secrets, so that its
first write of a NodeImage names them. What is in a Secret stays with the senders (errand.py); here are names, digests
and states. Which errand goes next is work.py's, what jobs get shares.py's, what is known of one source record.py's,
what there is in all listing.py's.
"""

from typing import Final, Protocol

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.requests import About, Errand, Outcome, Request, Urgency
from daemon.coordinator.secrets.answer import Answer, State
from daemon.coordinator.secrets.copylist import ListCopies
from daemon.coordinator.secrets.denials import Denials
from daemon.coordinator.secrets.errand import Look, Release
from daemon.coordinator.secrets.listing import ANSWERED, Listing
from daemon.coordinator.secrets.names import Source, secrets_in
from daemon.coordinator.secrets.record import PATIENCE, SURE, SourceRecord
from daemon.coordinator.secrets.shares import Shares
from daemon.coordinator.secrets.words import words_of
from daemon.coordinator.secrets.work import Work


REREAD_SECONDS: Final = 60.0
MOST_AT_ONCE: Final = 8
"""Of the sixteen senders: a slow answer about Secrets must not keep grants from going."""


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
        self._shares = Shares(fleet, place=secret_namespace)
        self._records = self._shares.records
        self._work = Work(self._shares, place=secret_namespace, reread_seconds=reread_seconds)
        self._denials = Denials(fleet)
        self._listing = Listing()
        self._in_flight = 0
        self._heard_seconds = float("-inf")

    def look(self, news: frozenset[str], *, now: Moment) -> None:
        """Follow the jobs, what nodes say of their pulls, and the time."""
        for uid in news:
            self._work.touch(*self._shares.follow(uid))
            if uid not in self._fleet.jobs:
                self._denials.forget(uid)
        denied, self._fleet.todo.denied = self._fleet.todo.denied, set()
        for uid in denied:
            for source in self._shares.uses.sources(uid):
                self._denials.add(uid, source)
                self._records[source].denied.add(uid)
                self._work.offer(source, now=now)
        self._work.passed(now)
        self._listing.passed(now.seconds)
        self._denials.hold()

    def has_work(self) -> bool:
        """Tell whether a copy may have to be written now."""
        return self._listing.has_known and self._work.has_writes and self._in_flight < MOST_AT_ONCE

    def next(self, now: Moment) -> Request | None:
        """Return the next errand that may write."""
        found = self._work.next_write(now) if self.has_work() else None
        return self._sent(*found, urgency=Urgency.UPKEEP) if found is not None else None

    def read(self, now: Moment) -> Request | None:
        """Return the next errand that writes nothing: a list of the copies, or a look at a source."""
        if self._in_flight >= MOST_AT_ONCE:
            return None
        if self._listing.is_wanted:
            self._listing.sent(now.seconds)
            errand = ListCopies(place=self._place)
            return self._request("", path=secrets_in(self._place), errand=errand, urgency=Urgency.READ)
        found = self._work.next_read(now)
        return self._sent(*found, urgency=Urgency.READ) if found is not None else None

    def next_seconds(self) -> float | None:
        """Return when time alone brings an errand."""
        return min(self._listing.at_seconds, self._work.next_seconds())

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Hear what became of an errand."""
        self._in_flight -= 1
        errand, answer = outcome.request.errand, outcome.answer
        if answer is not None or isinstance(outcome.error, ANSWERED):
            self._heard_seconds = now.seconds
        if isinstance(errand, ListCopies):
            self._take_list(outcome, now=now)
            return
        source = _source_of(outcome)
        record = self._records.get(source)
        if record is None:
            return
        record.is_busy, record.answered_seconds = False, now.seconds
        if isinstance(answer, Answer):
            self._answered(source, record, answer, is_look=isinstance(errand, Look), now=now)
        elif isinstance(errand, Release) and isinstance(answer, bool):
            self._released(source, record, errand.name, was_there=answer, now=now)
        else:
            self._failed(source, record, outcome.error, now=now)
        self._work.offer(source, now=now)

    def _sent(self, source: Source, errand: Errand, *, urgency: Urgency) -> Request:
        self._records[source].is_busy = True
        return self._request(source.key, path=source.path, errand=errand, urgency=urgency)

    def _request(self, subject: str, *, path: str, errand: Errand, urgency: Urgency) -> Request:
        self._in_flight += 1
        return Request(urgency=urgency, about=About.SECRET, subject=subject, path=path, errand=errand)

    def _answered(self, source: Source, record: SourceRecord, answer: Answer, *, is_look: bool, now: Moment) -> None:
        record.failures = 0
        is_good = answer.state is State.PRESENT
        if is_look and is_good and source.namespace != self._place:
            # Looked at alone: what has changed has to be copied first.
            record.must_copy |= not record.is_present or answer.digest != record.digest
            self._work.plan(source, record, now=now)
            return
        record.wrongs = 0 if is_good else record.wrongs + 1
        if not is_good and record.wrongs < SURE:
            record.must_copy, record.not_before = True, now.seconds + self._work.wait_seconds(record)
            return
        self._settled(source, record, answer, now=now)

    def _settled(self, source: Source, record: SourceRecord, answer: Answer, *, now: Moment) -> None:
        """Let the jobs go on with an answer."""
        before = record.answer
        is_news = record.settle(answer)
        self._report(source, before, answer)
        self._shares.pass_on(source, is_news=is_news, now=now)
        self._denials.clear(source, record.asking)
        record.asking.clear()
        self._work.plan(source, record, now=now)

    def _report(self, source: Source, before: Answer | None, answer: Answer) -> None:
        if answer.state is State.PRESENT:
            if answer.has_changed:
                self._listener.secret_copied(source.key, copy=answer.copy)
        elif before is None or (before.state, before.words) != (answer.state, answer.words):
            words = words_of(source, answer, place=self._place)
            self._listener.secret_troubled(source.key, state=answer.state.value, words=words)

    def _released(self, source: Source, record: SourceRecord, name: str, *, was_there: bool, now: Moment) -> None:
        record.failures = 0
        record.copies.discard(name)
        record.surplus.discard(name)
        if was_there:
            self._listener.secret_released(source.key, copy=name)
        self._shares.pass_on(source, is_news=False, now=now)

    def _failed(self, source: Source, record: SourceRecord, error: ClusterError | None, *, now: Moment) -> None:
        """Try again later; where the API server answers others, or this one so each time, the jobs go on without."""
        record.failures += 1
        if record.failures == 1:
            record.failing_seconds = now.seconds
        record.denied |= record.asking
        record.asking.clear()
        # A webhook that is slower than our patience lets a write end without an answer each time.
        is_up = isinstance(error, ANSWERED) or self._heard_seconds > record.failing_seconds
        if record.failures >= PATIENCE and error is not None and is_up:
            self._denials.clear(source, record.denied)
            record.denied.clear()
            if record.told_for != self._shares.uses.references(source):
                self._settled(source, record, Answer(state=State.UNREAD, words=error.message), now=now)
        record.must_copy = True
        record.not_before = now.seconds + self._work.wait_seconds(record)

    def _take_list(self, outcome: Outcome, *, now: Moment) -> None:
        if isinstance(outcome.answer, tuple):
            self._listing.succeeded(now.seconds)
            self._work.touch(*self._listing.compare(outcome.answer, records=self._records))
        elif self._listing.failed(outcome.error, now_seconds=now.seconds) and outcome.error is not None:
            self._listener.secrets_unlisted(outcome.error)


def _source_of(outcome: Outcome) -> Source:
    namespace, _, name = outcome.request.subject.partition("/")
    return Source(namespace, name)
