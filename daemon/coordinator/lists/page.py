"""
When a list's status is written: a second apart, five where only progress moves, its end at once.

As desk.py has it for jobs: compared is with what the API server has made of the last write, since a schema that does
not know our fields drops them.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.coordinator.jobstatus import Urgency, said_before, stands, urgency_of
from daemon.coordinator.lists.seen import SeenList


NEWS_SECONDS: Final = 1.0
PROGRESS_SECONDS: Final = 5.0
STATUS_PART: Final = 0.1
"""How much of the budget tells how far lists are."""

Fields = dict[str, object]


class ListTold(msgspec.Struct, frozen=True, kw_only=True):
    """A status that was written: of which list, what was said before and since."""

    seen: SeenList
    earlier: Mapping[str, object]
    later: Mapping[str, object]


class Page:
    """
    What is known of one list's status.

    `looked_seconds` is when it was last worked out, in seconds of the clock. `observed` is the generation that it is
    about: where the API server does not keep it, the one that was first seen.
    """

    def __init__(self, seen: SeenList) -> None:
        self.observed = seen.status.observed_generation or seen.generation
        self.failures = 0
        self.held_until = float("-inf")
        self.is_busy = False
        self.looked_seconds = float("-inf")
        self._sent: Fields | None = None
        self._answered: Fields | None = None
        self._earlier: Mapping[str, object] = {}
        self._written_seconds = float("-inf")

    def said(self, seen: SeenList) -> Mapping[str, object]:
        """Return what the status says, with what the API server has dropped of it."""
        return said_before(seen.status.raw, sent=self._sent, answered=self._answered)

    def due_seconds(self, seen: SeenList, wanted: Fields, *, apart_seconds: float) -> float | None:
        """Return from when on a status may be written, in seconds of the clock; None where it stands already."""
        if stands(wanted, current=seen.status.raw, sent=self._sent, answered=self._answered):
            return None
        urgency = urgency_of(self.said(seen), wanted)
        if urgency is Urgency.AT_ONCE:
            return self.held_until
        wait = NEWS_SECONDS if urgency is Urgency.NEWS else PROGRESS_SECONDS
        return max(self.held_until, self._written_seconds + max(wait, apart_seconds))

    def sent(self, seen: SeenList, wanted: Fields, *, now_seconds: float) -> None:
        """Count a status as sent."""
        self._earlier = self.said(seen)
        self._sent, self._answered = wanted, None
        self.is_busy, self._written_seconds = True, now_seconds

    def answered(self, seen: SeenList | None) -> ListTold | None:
        """Take note of what became of it, and return what was told by it; without an answer nothing was."""
        self.is_busy = False
        if seen is None or self._sent is None:
            self.failures += 1
            self._sent = self._answered = None
            return None
        self.failures = 0
        self._answered = seen.status.raw
        observed = self._sent.get("observedGeneration")
        self.observed = observed if isinstance(observed, int) else self.observed
        return ListTold(seen=seen, earlier=self._earlier, later=self._sent)
