"""
When the copies are listed, and what a list tells: copies that others made, that nobody needs, that are gone. Pure.

A list is older than what errands have seen since it was sent, and says nothing about that.
"""

from collections.abc import Iterable
from typing import Final

from daemon.cluster.errors import ClusterError, Denied, Oversized, ServerFailed
from daemon.coordinator.secrets.names import KnownCopy, Source, chosen
from daemon.coordinator.secrets.record import SURE, SourceRecord


LIST_SECONDS: Final = 300.0
ANSWERED: Final = (Denied, ServerFailed, Oversized)
"""The API server has answered, and may answer so for ever."""
MOST_TRIES: Final = 6
"""After so many lists without any answer, some half a minute, jobs wait for none: it may be too long to be sent."""


class Listing:
    """
    The lists of a term.

    Attributes:
        is_wanted: one should be sent.
        has_known: what there is is known, or can't be; nothing is written before.
        at_seconds: when the next one is due.
        sent_seconds: when the last one was sent.
    """

    def __init__(self) -> None:
        self.is_wanted = False
        self.has_known = False
        self.at_seconds = float("-inf")
        self.sent_seconds = float("-inf")
        self._failures = 0

    def passed(self, now_seconds: float) -> None:
        """Take note of the time."""
        if now_seconds >= self.at_seconds:
            self.is_wanted, self.at_seconds = True, float("inf")

    def sent(self, now_seconds: float) -> None:
        """Take note that one is on its way."""
        self.is_wanted, self.sent_seconds = False, now_seconds

    def succeeded(self, now_seconds: float) -> None:
        """Take note that one has come."""
        self.has_known, self._failures = True, 0
        self.at_seconds = now_seconds + LIST_SECONDS

    def failed(self, error: ClusterError | None, *, now_seconds: float) -> bool:
        """Have another one sent later, and tell whether the copies go on without: their names are found without too."""
        self._failures += 1
        self.at_seconds = now_seconds + min(LIST_SECONDS, 2.0 ** min(self._failures - 1, 10))
        goes_on = self._failures >= (SURE if isinstance(error, ANSWERED) else MOST_TRIES)
        self.has_known = self.has_known or goes_on
        return goes_on

    def compare(self, copies: Iterable[KnownCopy], *, records: dict[Source, SourceRecord]) -> tuple[Source, ...]:
        """Take over into the records what a list has told, and return the sources to look at."""
        found: dict[Source, dict[str, tuple[str, ...]]] = {}
        for copy in copies:
            found.setdefault(copy.source, {})[copy.name] = copy.references
        sources = tuple({*found, *records})
        for source in sources:
            record = records.setdefault(source, SourceRecord())
            here = found.get(source, {})
            if record.is_busy or record.answered_seconds >= self.sent_seconds:
                record.copies |= here.keys()
            else:
                _take(record, here, name=chosen(source, here))
        return sources


def _take(record: SourceRecord, here: dict[str, tuple[str, ...]], *, name: str) -> None:
    """Take over the copies of a source, of which the one of this name is in use."""
    others = here.keys() - {name} if record.is_present else set()
    # Those that were there at the last list too: since then NodeImages name the one.
    record.copies, record.spare, record.surplus = set(here), others, record.spare & others
    references = here.get(name, ())
    if record.answer is None:
        record.included = references
    elif record.is_present and references != record.told_for:
        record.must_copy = True
