"""
One list as its side keeps it: what has to be done, what is on its way, what was refused and waits for another try.

A key names what a request is about: an image whose job is to be made, or a job by its uid.
"""

from typing import Final, NamedTuple

import msgspec

from daemon.coordinator.lists.page import Page
from daemon.coordinator.lists.plan import Plan
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.outcomes import refused_seconds, rest_seconds


WAITED_FOR: Final = 2
"""How often the making of a job may fail before the list's other images go on without it."""


class Key(NamedTuple):
    """An image, or a job's uid."""

    is_image: bool
    text: str


OF_LIST: Final = Key(is_image=False, text="")
"""What a list is read for of which only its jobs are known."""


class Setback(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was tried and not done.

    Attributes:
        failures: how often in a row.
        until_seconds: when it is tried again, in seconds of the clock.
        words: why it is refused; "" where that is not known, or passes by itself.
        holder: the job that has the name.
    """

    failures: int
    until_seconds: float
    words: str = ""
    holder: str = ""


class Course:
    """
    A list and its jobs.

    Attributes:
        list_key: which list, as book.py knows it.
        seen: as it was seen last; None for a list of which only jobs were ever seen.
        is_lost: it is not there, as far as is known.
        is_gone: that is certain, so its jobs go too.
        plan: what has to be done.
        page: its status.
        busy: what a request is on its way for.
        reads: what has to be read before anything else is decided of it, and from when on, in seconds of the clock.
        setbacks: what has failed.
        sent: jobs that are being amended, with the list's generation then.
        settled: jobs that are what the API server made of the list, as generation of the list and of the job.
        is_ending: the list is being deleted by us.
    """

    def __init__(self, list_key: str) -> None:
        self.list_key = list_key
        self.seen: SeenList | None = None
        self.is_lost = False
        self.is_gone = False
        self.plan = Plan()
        self.page: Page | None = None
        self.busy: set[Key] = set()
        self.reads: dict[Key, float] = {}
        self.setbacks: dict[Key, Setback] = {}
        self.sent: dict[str, int] = {}
        self.settled: dict[str, tuple[int, int]] = {}
        self.is_ending = False

    def is_free(self, key: Key, *, now_seconds: float) -> bool:
        """Tell whether something may be tried now."""
        setback = self.setbacks.get(key)
        is_resting = setback is not None and setback.until_seconds > now_seconds
        return key not in self.busy and key not in self.reads and not is_resting

    def is_waited_for(self, image: str) -> bool:
        """Tell whether an image's job is about to be made, so that the list's others wait for it."""
        setback = self.setbacks.get(Key(is_image=True, text=image))
        return setback is None or (not setback.words and setback.failures < WAITED_FOR)

    def refusal(self, image: str) -> str:
        """Return why an image's job can't be made; "" where nothing is known to stand in the way."""
        setback = self.setbacks.get(Key(is_image=True, text=image))
        return setback.words if setback is not None else ""

    def set_back(
        self, key: Key, *, now_seconds: float, words: str = "", holder: str = "", is_refused: bool = False
    ) -> bool:
        """Note that something was not done; True where the words are news."""
        before = self.setbacks.get(key)
        failures = before.failures + 1 if before is not None else 1
        seconds = refused_seconds(failures) if is_refused else rest_seconds(failures)
        self.setbacks[key] = Setback(failures=failures, until_seconds=now_seconds + seconds, words=words, holder=holder)
        return bool(words) and (before is None or before.words != words)

    def forget_setbacks(self, *, holders: frozenset[str] | None = None) -> None:
        """Try again at once what was refused: everything, or what one of these jobs had the name of."""
        kept = {key: one for key, one in self.setbacks.items() if holders is not None and one.holder not in holders}
        self.setbacks = kept

    def waits_for(self, jobs: frozenset[str]) -> bool:
        """Tell whether one of these jobs has had a name that the list needs."""
        return any(setback.holder in jobs for setback in self.setbacks.values())

    def next_try(self, *, now_seconds: float) -> float | None:
        """Return when the first of what failed is tried again, in seconds of the clock."""
        coming = [one.until_seconds for one in self.setbacks.values() if one.until_seconds > now_seconds]
        return min(coming, default=None)
