"""
When which job's status is written: a second apart for one job, five where only progress moves, its end at once.

What a status says is jobstatus.py's, the counts that it tells accounting.py's. Compared is with what the API server has
made of the last write, since a schema that does not know our fields drops them.
"""

import heapq
import math
from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.clock import Moment
from daemon.cluster.writes import merge_patch
from daemon.coordinator.account import Account
from daemon.coordinator.accounting import account_of
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.jobstatus import Urgency as StatusUrgency
from daemon.coordinator.jobstatus import next_status, said_before, stands, status_patch, urgency_of
from daemon.coordinator.paths import Paths
from daemon.coordinator.records import Course, JobRecord, deadline_of
from daemon.coordinator.requests import About, Request, Urgency
from daemon.coordinator.seen import SeenJob


Fields = dict[str, object]

NEWS_SECONDS: Final = 1.0
PROGRESS_SECONDS: Final = 5.0
ALONE_SECONDS: Final = 2.0
"""How long a new job waits for a node before it has none: what watches tell of two kinds comes in no order."""
STATUS_PART: Final = 0.25
"""How much of the budget tells how far jobs are; grants are what they wait for."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A status that was written: of which job, what was said before and since, and the counts that it says."""

    job: SeenJob
    earlier: Mapping[str, object]
    later: Mapping[str, object]
    account: Account


class Page:
    """What is known of one job's writes."""

    def __init__(self, *, since_seconds: float) -> None:
        self.since_seconds = since_seconds
        self.sent: Fields | None = None
        self.answered: Fields | None = None
        self.earlier: Mapping[str, object] = {}
        self.account = Account()
        self.looked_seconds = float("-inf")
        self.written_seconds = float("-inf")
        self.held_until = float("-inf")
        self.is_busy = False
        self.failures = 0


class Desk:
    """Writes the statuses of the jobs that the fleet calls dirty; `write_rate` is of everything, a second."""

    def __init__(self, fleet: Fleet, *, paths: Paths, write_rate: float) -> None:
        self._fleet = fleet
        self.write_rate = write_rate
        self._paths = paths
        self._pages: dict[str, Page] = {}
        self._later: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def next(self, now: Moment) -> Request | None:
        """Return the next status to write now; None where there is none."""
        aside: set[str] = set()
        try:
            while self._fleet.todo.dirty:
                uid = self._fleet.todo.dirty.pop()
                job = self._fleet.jobs.get(uid)
                if job is None:
                    self._pages.pop(uid, None)
                    continue
                page = self._page(uid, now=now)
                if page.is_busy or uid in self._fleet.checking:
                    aside.add(uid)
                    continue
                request = self._look(job, page, now=now)
                if request is not None:
                    return request
        finally:
            self._fleet.todo.dirty |= aside
        return None

    def next_seconds(self) -> float | None:
        """Return when a status that waits is due, in seconds of the clock."""
        return self._heap[0][0] if self._heap else None

    def has_work(self) -> bool:
        """Tell whether a job may have a status to write now."""
        return any(not self._is_busy(uid) for uid in self._fleet.todo.dirty)

    def answered(self, uid: str, *, seen: SeenJob | None) -> Told | None:
        """Take note of what became of a write, and return what was told by it; without an answer nothing was."""
        page = self._pages.get(uid)
        if page is None:
            return None
        page.is_busy = False
        page.failures = page.failures + 1 if seen is None else 0
        self._fleet.todo.dirty.add(uid)
        if seen is None or page.sent is None:
            page.sent = page.answered = None
            return None
        page.answered = seen.status.raw
        return Told(job=seen, earlier=page.earlier, later=page.sent, account=page.account)

    def failures(self, uid: str) -> int:
        """Return how many writes of a job have failed in a row."""
        page = self._pages.get(uid)
        return page.failures if page is not None else 0

    def hold(self, uid: str, *, seconds: float, now: Moment) -> None:
        """Leave a job's status alone for a while, which the API server does not take."""
        page = self._page(uid, now=now)
        page.held_until = now.seconds + seconds
        self._postpone(uid, page.held_until)

    def said(self, job: JobRecord) -> Mapping[str, object]:
        """Return what a job's status says, with what the API server has dropped of it."""
        page, current = self._pages.get(job.uid), job.seen.status.raw
        if page is None:
            return current
        if page.is_busy and page.sent is not None and current and current.items() <= page.sent.items():
            # Its watch has told of the write before the answer did.
            return page.sent
        return said_before(current, sent=page.sent, answered=page.answered)

    def recall(self, now: Moment) -> None:
        """Take up again what was put off until now."""
        while self._heap and self._heap[0][0] <= now.seconds:
            at_seconds, uid = heapq.heappop(self._heap)
            if self._later.get(uid) == at_seconds:
                del self._later[uid]
                self._fleet.todo.dirty.add(uid)

    def _news_seconds(self) -> float:
        """Return how far apart one job's statuses are: together no more than their part of the budget."""
        waiting = len(self._fleet.todo.dirty | self._later.keys())
        return max(NEWS_SECONDS, waiting / (self.write_rate * STATUS_PART))

    def _postpone(self, uid: str, at_seconds: float) -> None:
        """Put a job off; one that is put off already is looked at when the sooner time comes."""
        if at_seconds < self._later.get(uid, math.inf):
            self._later[uid] = at_seconds
            heapq.heappush(self._heap, (at_seconds, uid))

    def _page(self, uid: str, *, now: Moment) -> Page:
        page = self._pages.get(uid)
        if page is None:
            page = self._pages[uid] = Page(since_seconds=now.seconds)
        return page

    def _is_busy(self, uid: str) -> bool:
        page = self._pages.get(uid)
        return uid in self._fleet.checking or (page is not None and page.is_busy)

    def _look(self, job: JobRecord, page: Page, *, now: Moment) -> Request | None:
        if job.course is Course.DELETING or not self._fleet.pods.is_listed(job):
            return None
        if (at_seconds := self._looks_at(job, page)) > now.seconds:
            self._postpone(job.uid, at_seconds)
            return None
        page.looked_seconds = now.seconds
        current = job.seen.status.raw
        earlier = said_before(current, sent=page.sent, answered=page.answered)
        account, wanted = self._wanted(job, earlier=earlier, now=now)
        if stands(wanted, current=current, sent=page.sent, answered=page.answered):
            return None
        urgency = urgency_of(earlier, wanted)
        due_seconds = page.written_seconds + max(_WAITS[urgency], self._news_seconds() if _WAITS[urgency] else 0.0)
        if now.seconds < due_seconds:
            self._postpone(job.uid, due_seconds)
            return None
        page.earlier, page.account = earlier, account
        page.sent, page.is_busy, page.written_seconds = wanted, True, now.seconds
        path = self._paths.job(job.seen.namespace, name=job.seen.name)
        write = merge_patch(f"{path}/status", status_patch(job.seen, wanted))
        return Request(urgency=Urgency.STATUS, about=About.JOB, subject=job.uid, path=path, write=write)

    def _looks_at(self, job: JobRecord, page: Page) -> float:
        """Return when a job's counts are worth a look, in seconds of the clock."""
        alone = page.since_seconds + ALONE_SECONDS if job.task is not None and not job.tally.selected else 0.0
        news = 0.0 if _may_have_ended(job) else page.looked_seconds + self._news_seconds()
        return max(page.held_until, alone, news)

    def _wanted(self, job: JobRecord, *, earlier: Mapping[str, object], now: Moment) -> tuple[Account, Fields]:
        deadline = deadline_of(job)
        is_over = deadline is not None and deadline <= now.at
        account = account_of(self._fleet, job, names_open=is_over, now=now.at)
        if not account.open and not account.renewing:
            job.is_refreshing = False
        return account, next_status(job.seen, account, now=now.at, deadline_passed=is_over, earlier=earlier)


_WAITS: Final = {
    StatusUrgency.NOTHING: PROGRESS_SECONDS,
    StatusUrgency.PROGRESS: PROGRESS_SECONDS,
    StatusUrgency.NEWS: NEWS_SECONDS,
    StatusUrgency.AT_ONCE: 0.0,
}


def _may_have_ended(job: JobRecord) -> bool:
    """Tell whether a look at the job's counts may find that it has ended, or not begun."""
    return job.course is Course.AGAIN or job.tally.open == 0 or job.seen.status.start_time is None
