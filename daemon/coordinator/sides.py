"""
What else a coordinator sees to beside its jobs' nodes: image lists and secret copies, each in a package of its own, and
OpenKruise's finalizer (finalizer.py).

The loop asks each in its own thread, as it asks agenda.py: what they know they keep themselves, and what they find they
leave in the fleet (jobs that are held back, secrets that were found).
"""

from collections.abc import Mapping
from typing import Protocol

from daemon.clock import Moment
from daemon.coordinator.requests import About, Outcome, Request


class Side(Protocol):
    """One of them; every call comes from the loop's thread, once everything is listed."""

    def look(self, news: frozenset[str], *, now: Moment) -> None:
        """Hear which jobs, by uid, are new, changed or gone since the last look, before anything is sent."""
        ...

    def has_work(self) -> bool:
        """Tell whether there may be something to write now."""
        ...

    def next(self, now: Moment) -> Request | None:
        """Return the next write; None where there is none. A token of the budget is there."""
        ...

    def read(self, now: Moment) -> Request | None:
        """Return the next read, which needs no token."""
        ...

    def next_seconds(self) -> float | None:
        """Return when time alone brings something to do, in seconds of the clock."""
        ...

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Hear what became of a request of its own."""
        ...


Sides = Mapping[frozenset[About], Side]
"""Each side with the kinds of its requests."""
