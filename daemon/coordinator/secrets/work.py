"""
Which errand goes next for which source: what has to be copied or released, and what is looked at again, and when.

Pure. What an answer means is copies.py's, what an errand does errand.py's.
"""

from typing import Final

from daemon.clock import Moment
from daemon.coordinator.requests import Errand
from daemon.coordinator.secrets.content import Fingerprints
from daemon.coordinator.secrets.dates import Dates
from daemon.coordinator.secrets.errand import Copy, Look, Release
from daemon.coordinator.secrets.names import Source, chosen
from daemon.coordinator.secrets.record import SourceRecord, wait_seconds
from daemon.coordinator.secrets.shares import Shares


DENIED_SECONDS: Final = 5.0
"""How far apart a source is looked at because of denied pulls."""


class Work:
    """
    What is to be done about the sources.

    Args:
        shares: the sources and who uses them.
        place: the namespace of the copies.
        reread_seconds: how long until a source in use is read again, give or take a tenth.
    """

    def __init__(self, shares: Shares, *, place: str, reread_seconds: float) -> None:
        self._shares = shares
        self._uses, self._records = shares.uses, shares.records
        self._place = place
        self._reread_seconds = reread_seconds
        self._fingerprints = Fingerprints()
        self._dates = Dates()
        self._writes: dict[Source, None] = {}
        self._reads: dict[Source, None] = {}

    @property
    def has_writes(self) -> bool:
        """Whether anything may have to be written."""
        return bool(self._writes)

    def touch(self, *sources: Source) -> None:
        """Have sources looked at that may need an errand; one that nobody uses and that has no copy is forgotten."""
        for source in sources:
            record = self._records.get(source)
            if record is None or record.is_busy:
                continue
            users = self._uses.users(source)
            needs_copy = bool(users) and record.needs_copy(self._uses.references(source))
            if not users and not record.copies:
                del self._records[source]
            elif needs_copy and source.namespace == self._place:
                self._reads[source] = None
            elif needs_copy or record.unneeded(is_used=bool(users)):
                self._writes[source] = None

    def offer(self, source: Source, *, now: Moment) -> None:
        """Look at a source for a denied pull, at most each DENIED_SECONDS; then see to whatever else it needs."""
        record = self._records.get(source)
        if record is None or record.is_busy:
            return
        at_seconds = record.denied_seconds + DENIED_SECONDS
        if record.denied and at_seconds <= now.seconds:
            record.must_copy = True
        elif record.denied:
            self._wake(source, record, at_seconds)
        self.touch(source)

    def passed(self, now: Moment) -> None:
        """Take note of the time."""
        for source in self._dates.take(now.seconds):
            record = self._records.get(source)
            if record is not None:
                record.due_seconds = float("inf")
                self._come_due(source, now=now)

    def next_seconds(self) -> float:
        """Return when time alone brings an errand; infinity for never."""
        return self._dates.next()

    def next_write(self, now: Moment) -> tuple[Source, Errand] | None:
        """Return the next errand that may write."""
        while self._writes:
            source = next(iter(self._writes))
            del self._writes[source]
            record = self._records.get(source)
            errand = self._errand(source, record, now=now) if record is not None else None
            if errand is not None:
                return source, errand
        return None

    def next_read(self, now: Moment) -> tuple[Source, Errand] | None:
        """Return the next look at a source."""
        while self._reads:
            source = next(iter(self._reads))
            del self._reads[source]
            record = self._records.get(source)
            if record is not None and self._uses.users(source) and self._is_free(source, record, now=now):
                self._ask(source, record, now=now)
                return source, Look(source=source, fingerprints=self._fingerprints)
        return None

    def plan(self, source: Source, record: SourceRecord, *, now: Moment) -> None:
        """Have a source looked at again."""
        record.due_seconds = float("inf")
        self._wake(source, record, now.seconds + self.wait_seconds(record))

    def wait_seconds(self, record: SourceRecord) -> float:
        """Return how long until a source is looked at again."""
        return wait_seconds(record, reread_seconds=self._reread_seconds)

    def _come_due(self, source: Source, *, now: Moment) -> None:
        """See to a source whose time has come."""
        self.touch(*self._shares.prune(source))
        self.offer(source, now=now)
        if source not in self._writes and self._uses.users(source):
            self._reads[source] = None

    def _errand(self, source: Source, record: SourceRecord, *, now: Moment) -> Errand | None:
        """Return what has to be done about a source now; None for nothing."""
        if not self._is_free(source, record, now=now):
            return None
        references = self._uses.references(source)
        if references and record.needs_copy(references):
            self._ask(source, record, now=now)
            return Copy(
                source=source,
                place=self._place,
                references=references,
                known=chosen(source, record.copies),
                fingerprints=self._fingerprints,
            )
        names = record.unneeded(is_used=bool(references))
        return Release(source=source, place=self._place, name=min(names)) if names else None

    def _is_free(self, source: Source, record: SourceRecord, *, now: Moment) -> bool:
        """Tell whether an errand can go; a source that is left alone after a failure comes up again then."""
        if record.is_busy:
            return False
        if record.not_before > now.seconds:
            self._wake(source, record, record.not_before)
            return False
        return True

    def _ask(self, source: Source, record: SourceRecord, *, now: Moment) -> None:
        """Note for whom an errand is that begins now."""
        record.asked_for = self._uses.references(source)
        if record.denied:
            record.denied_seconds = now.seconds
        record.asking |= record.denied
        record.denied.clear()

    def _wake(self, source: Source, record: SourceRecord, at_seconds: float) -> None:
        if at_seconds < record.due_seconds:
            record.due_seconds = at_seconds
            self._dates.put(source, at_seconds)
