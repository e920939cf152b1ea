"""What the log has of a coordinator: a line for what happened to a job, and one in ten seconds of how far it is."""

import io
import json
from collections.abc import Iterator

import msgspec
import pytest

from daemon.api.imagepulljob import Refresh
from daemon.cluster.errors import Denied
from daemon.coordinator.account import Account
from daemon.coordinator.journal import PROGRESS_SECONDS, Journal
from daemon.coordinator.requests import About, Request, Urgency
from daemon.coordinator.seen import SeenJob
from daemon.observe.logs import configure, logger
from tests.unit.coordinator.jobs_told import NEVER, NOW, Status, after, reason, seen_job, status_of, with_status
from tests.unit.observe.before import logging_as_before


COLD = Account(selected=3, cold=3, waiting=2, granted=1)
HALF = Account(selected=3, cold=2, warm=1, waiting=1, pulling=1, succeeded=1)
MOST = Account(selected=3, cold=1, warm=2, pulling=1, succeeded=2)
WARM = Account(selected=3, warm=3, succeeded=3)


class Course:
    """A journal, and a job that goes through what its nodes do."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        configure("json", stream=self._stream)
        self.journal = Journal(logger())
        self.status: Status = {}

    def go(self, job: SeenJob, account: Account, *, seconds: float) -> list[str]:
        """Let a status be written then, and return the names of the lines."""
        later = status_of(with_status(job, self.status), account, seconds=seconds)
        self.journal.status_written(job, self.status, later, account, now_seconds=seconds)
        self.status = later
        return [str(line["event"]) for line in self.take()]

    def take(self) -> list[Status]:
        """Return the lines since the last time, without their times."""
        rows = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        self._stream.seek(0)
        self._stream.truncate()
        return [{key: value for key, value in row.items() if key != "time"} for row in rows]


@pytest.fixture
def course() -> Iterator[Course]:
    """A job that has no status yet."""
    with logging_as_before():
        yield Course()


def test_a_job_is_told_from_its_begin_to_its_end(course: Course) -> None:
    """Its progress not more often than each ten seconds, its end at once."""
    job = seen_job()

    told = [
        course.go(job, account, seconds=seconds)
        for account, seconds in ((COLD, 0), (HALF, 1), (HALF, 11), (MOST, 12), (WARM, 13))
    ]

    assert [["job_began"], [], [], ["job_progress"], ["job_finished"]] == told
    assert PROGRESS_SECONDS == 10


def test_a_job_on_which_nothing_moves_is_told_once(course: Course) -> None:
    """A line each ten seconds for ever is no news."""
    job = seen_job()
    course.go(job, COLD, seconds=0)

    assert [] == [line for seconds in range(60) for line in course.go(job, COLD, seconds=seconds)]


def test_an_end_is_told_with_what_one_wants_to_know(course: Course) -> None:
    """In one line: how long it took, how many nodes have the image, and why it failed where it did."""
    job = seen_job()
    course.go(job, COLD, seconds=0)
    course.take()
    failed = Account(
        selected=3,
        cold=1,
        warm=2,
        succeeded=2,
        failed=1,
        failed_nodes=("c",),
        failures=(reason("Forbidden", 1, "c"),),
    )

    later = status_of(with_status(job, course.status), failed, seconds=42)
    course.journal.status_written(job, course.status, later, failed, now_seconds=42)

    (line,) = course.take()
    assert {
        "event": "job_finished",
        "level": "warning",
        "job": "team/base",
        "reason": "NodesFailed",
        "seconds": 42.0,
        "selected": 3,
        "warm": 2,
        "stale": 0,
        "cold": 1,
        "skipped": 0,
        "waiting": 0,
        "active": 0,
        "failed": 1,
        "message": "job has completed",
    } == line


def test_a_refresh_and_a_standstill_are_told(course: Course) -> None:
    """In the words of their events."""
    job = seen_job(completion=NEVER, refresh=Refresh(schedule="0 2 * * *"))
    quiet = msgspec.structs.replace(WARM, next_refresh=NOW)
    due = msgspec.structs.replace(quiet, last_refresh=NOW, next_refresh=after(86_400))
    renewing = msgspec.structs.replace(due, warm=2, stale=1, succeeded=2, pulling=1, renewing=1)
    missing = msgspec.structs.replace(
        due, warm=2, stale=1, succeeded=2, failed=1, failures=(reason("ImageNotFound", 1, "c"),)
    )

    told = [course.go(job, account, seconds=index) for index, account in enumerate((quiet, renewing, missing))]

    assert [["job_began"], ["refresh_started"], ["refresh_finished", "job_stalled"]] == told


def test_a_job_that_was_found_under_way_did_not_begin(course: Course) -> None:
    """A new leader goes on with it."""
    job = seen_job()
    course.status = status_of(job, COLD)

    assert ["job_progress"] == course.go(job, HALF, seconds=60)


def test_a_job_that_begins_again_is_told_to_begin(course: Course) -> None:
    """After an edit."""
    course.status = status_of(seen_job(), WARM)

    assert ["job_began"] == course.go(seen_job(generation=2), Account(), seconds=60)


def test_leadership_is_told(course: Course) -> None:
    """Who leads, who has lost it to whom, and since when it acts."""
    course.journal.leadership_won(identity="a")
    course.journal.term_began(api_version="apps.kruise.io/v1beta1")
    course.journal.synced(jobs=2, nodes=5)
    course.journal.leadership_lost(identity="a", leader="b")

    assert [
        {"event": "leadership_won", "level": "info", "identity": "a"},
        {"event": "term_began", "level": "info", "api_version": "apps.kruise.io/v1beta1"},
        {"event": "synced", "level": "info", "jobs": 2, "nodes": 5},
        {"event": "leadership_lost", "level": "warning", "identity": "a", "leader": "b"},
    ] == course.take()


def test_what_is_refused_or_unreadable_is_told(course: Course) -> None:
    """With where and why, since a person has to mend it."""
    request = Request(urgency=Urgency.GRANT, about=About.NODE_IMAGE, subject="n1", path="/nodeimages/n1")
    course.journal.write_refused(request, Denied("patch nodeimages n1: denied the request", code=403), now_seconds=0.0)
    course.journal.passed_over("nodeimages", name="n2", problem="spec.images: is no object")

    refused, unreadable = course.take()

    assert ("write_refused", "error", "Denied") == (refused["event"], refused["level"], refused["error"])
    assert ("nodeimage", "/nodeimages/n1") == (refused["about"], refused["path"])
    assert ("object_passed_over", "nodeimages", "n2") == (
        unreadable["event"],
        unreadable["resource"],
        unreadable["name"],
    )


def test_gates_are_told_and_cold_ones_as_a_warning(course: Course) -> None:
    """With the jobs that were not warm."""
    course.journal.gate_opened("n1", reason="warm", cold=())
    course.journal.gate_opened("n2", reason="deadline", cold=("team/base",))

    assert [("gate_opened", "info", []), ("gate_opened_cold", "warning", ["team/base"])] == [
        (line["event"], line["level"], line["cold"]) for line in course.take()
    ]
