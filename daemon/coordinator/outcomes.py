"""
What became of a request, and what follows: what is known now, what has to be read, what is left alone for a while.

A write that was refused or whose answer never came says nothing about the object: it is read before anything else is
decided of it. One node that refuses never holds up another.
"""

from collections import Counter
from typing import Final, Protocol

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, Conflict, Denied, Invalid, NotFound, Oversized, Throttled
from daemon.coordinator.agenda import Agenda
from daemon.coordinator.desk import Desk, Told
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening
from daemon.coordinator.learning import Learning
from daemon.coordinator.passing import Passing
from daemon.coordinator.records import NodeRecord
from daemon.coordinator.requests import About, Outcome, Request, Urgency
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage


REFUSED_SECONDS: Final = 60.0
GATE_AGAIN_SECONDS: Final = 5.0
STRIKES: Final = 2
READ_AGAIN_SECONDS: Final = 1.0

# The server has answered, and done nothing.
_NOT_DONE: Final = (Invalid, Conflict, Denied, NotFound, Throttled, Oversized)


class OutcomeListener(Protocol):
    """Hears what requests came to, in the loop's thread."""

    def status_written(self, told: Told) -> None:
        """A job's status was written."""
        ...

    def gate_opened(self, node: SeenNode, opening: Opening) -> None:
        """A node's startup taint is off."""
        ...

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """The API server refuses what is to be written, also after a fresh look."""
        ...


class Outcomes:
    """Turns outcomes into what the fleet knows."""

    def __init__(self, fleet: Fleet, *, agenda: Agenda, desk: Desk, listener: OutcomeListener) -> None:
        self._fleet = fleet
        self._learning = Learning(fleet)
        self._passing = Passing(fleet)
        self._agenda = agenda
        self._desk = desk
        self._listener = listener
        self._jobs_to_read: dict[str, tuple[float, str]] = {}
        self._gates_refused: Counter[str] = Counter()

    def read(self, now: Moment) -> Request | None:
        """Return a read of a job of which a request's outcome is not known."""
        for uid, (at_seconds, path) in tuple(self._jobs_to_read.items()):
            if uid not in self._fleet.jobs:
                del self._jobs_to_read[uid]
            elif at_seconds <= now.seconds:
                del self._jobs_to_read[uid]
                return Request(urgency=Urgency.READ, about=About.JOB, subject=uid, path=path)
        return None

    def next_read_seconds(self) -> float | None:
        """Return when a read of a job is due, in seconds of the clock."""
        return min((at_seconds for at_seconds, _ in self._jobs_to_read.values()), default=None)

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Take over what an outcome tells."""
        match outcome.request.about:
            case About.NODE_IMAGE:
                self._node_image(outcome, now=now)
            case About.NODE:
                self._node(outcome, now=now)
            case About.JOB:
                self._job(outcome, now=now)

    def _node_image(self, outcome: Outcome, *, now: Moment) -> None:
        request, error = outcome.request, outcome.error
        record = self._fleet.nodes.get(request.subject)
        if record is None:
            return
        if not outcome.was_sent:
            self._again(record, is_known=request.write is not None, now=now)
        elif error is None:
            self._answered(record, outcome, now=now)
        elif isinstance(error, NotFound):
            self._missing(record, now=now)
        elif isinstance(error, Denied) and request.write is not None:
            self._refused(record, request, error, now=now)
        else:
            if isinstance(error, (Invalid, Oversized)) and request.write is not None:
                record.strike_words, record.tested = error.message, request.tested
            elif request.write is not None:
                self._failed(record, request, error, now=now)
            else:
                record.read_after = now.seconds + READ_AGAIN_SECONDS
            self._again(record, is_known=isinstance(error, Throttled) and request.write is not None, now=now)

    def _answered(self, record: NodeRecord, outcome: Outcome, *, now: Moment) -> None:
        request = outcome.request
        if request.write is not None:
            record.failures = 0
        if request.is_removal:
            # Gone, or going as soon as somebody's finalizer lets it: a read tells.
            self._passing.settled(record, is_known=False, now=now)
            return
        image = outcome.seen
        if isinstance(image, SeenNodeImage):
            self._learning.image_seen(image, now=now, is_ours=request.write is not None)
        if request.write is not None:
            record.strikes, record.strike_words = 0, ""
            self._passing.accepted(record)
        elif record.strike_words:
            self._judge(record, request, now=now)
        self._passing.settled(record, is_known=True, now=now)

    def _judge(self, record: NodeRecord, request: Request, *, now: Moment) -> None:
        """After the read that follows a refusal: nothing has changed, so it is what we write that is refused."""
        image = record.image
        is_same = image is not None and record.tested in {
            (image.uid, image.generation, 0),
            (image.uid, image.generation, image.version),
        }
        record.strikes = record.strikes + 1 if is_same else 0
        words, record.strike_words = record.strike_words, ""
        if record.strikes >= STRIKES:
            record.strikes = 0
            self._hold(record, request, Invalid(words, code=422), seconds=REFUSED_SECONDS, now=now)
        record.suspects.update(record.keys())

    def _missing(self, record: NodeRecord, *, now: Moment) -> None:
        if record.image is not None:
            image = record.image
            self._learning.image_gone(record.name, uid=image.uid, version=image.version, now=now)
        self._passing.settled(record, is_known=True, now=now)

    def _refused(self, record: NodeRecord, request: Request, error: ClusterError, *, now: Moment) -> None:
        record.failures += 1
        self._hold(record, request, error, seconds=refused_seconds(record.failures), now=now)
        self._again(record, is_known=True, now=now)

    def _hold(self, record: NodeRecord, request: Request, error: ClusterError, *, seconds: float, now: Moment) -> None:
        if not record.refusal or seconds >= REFUSED_SECONDS:
            self._listener.write_refused(request, error)
        self._passing.hold(record, words=error.message, seconds=seconds, now=now)

    def _failed(self, record: NodeRecord, request: Request, error: ClusterError, *, now: Moment) -> None:
        """Ask less and less often where writes fail again and again while others may not: a webhook is down, say."""
        record.failures += 1
        seconds = rest_seconds(record.failures)
        if seconds >= REFUSED_SECONDS:
            self._hold(record, request, error, seconds=seconds, now=now)
        elif seconds:
            self._passing.rest(record, seconds=seconds, now=now)

    def _again(self, record: NodeRecord, *, is_known: bool, now: Moment) -> None:
        """Have everything of a node looked at again that the request was about."""
        record.suspects.update(record.keys())
        self._passing.settled(record, is_known=is_known, now=now)

    def _node(self, outcome: Outcome, *, now: Moment) -> None:
        record = self._fleet.nodes.get(outcome.request.subject)
        opening = self._agenda.openings.pop(outcome.request.subject, None)
        if record is None:
            self._gates_refused.pop(outcome.request.subject, None)
            return
        if isinstance(outcome.seen, SeenNode):
            if record.node is not None and record.node.uid == outcome.seen.uid:
                # One that a watch has told to be gone meanwhile does not come back by an answer.
                self._learning.node_seen(outcome.seen, now=now)
            self._gates_refused.pop(record.name, None)
            if opening is not None:
                self._listener.gate_opened(outcome.seen, opening)
        elif outcome.error is not None:
            seconds = GATE_AGAIN_SECONDS
            if isinstance(outcome.error, (Denied, Oversized)):
                self._gates_refused[record.name] += 1
                seconds = refused_seconds(self._gates_refused[record.name])
                self._listener.write_refused(outcome.request, outcome.error)
            self._passing.wake_gate(record, seconds=seconds, now=now)
        # A Node's write says nothing of its NodeImage's grants.
        record.is_busy = False
        if record.node is None and record.image is None:
            self._gates_refused.pop(record.name, None)
            self._fleet.forget(record)
            return
        self._passing.release(record, now=now, with_gate=outcome.error is None)

    def _job(self, outcome: Outcome, *, now: Moment) -> None:
        request, error = outcome.request, outcome.error
        job = self._fleet.jobs.get(request.subject)
        if job is None:
            return
        if isinstance(error, NotFound) or (error is None and request.is_removal and outcome.was_sent):
            self._learning.job_gone(request.subject)
            return
        seen = outcome.seen if isinstance(outcome.seen, SeenJob) else None
        if seen is not None and seen.uid != request.subject:
            self._learning.job_gone(request.subject)
            return
        if seen is not None:
            self._learning.job_seen(seen, now=now)
        told = self._desk.answered(request.subject, seen=seen) if request.write is not None else None
        if told is not None:
            self._listener.status_written(told)
        if error is not None:
            self._job_failed(request, error, now=now)

    def _job_failed(self, request: Request, error: ClusterError, *, now: Moment) -> None:
        if isinstance(error, (Denied, Invalid, Oversized)) and request.write is not None:
            seconds = refused_seconds(self._desk.failures(request.subject))
            self._desk.hold(request.subject, seconds=seconds, now=now)
            self._passing.wake_job(request.subject, seconds=seconds, now=now)
            self._listener.write_refused(request, error)
            return
        seconds = rest_seconds(self._desk.failures(request.subject))
        if request.is_removal and not seconds:
            self._fleet.todo.ripe.add(request.subject)
        elif seconds and request.write is not None:
            self._desk.hold(request.subject, seconds=seconds, now=now)
            self._passing.wake_job(request.subject, seconds=seconds, now=now)
        # A read that fails is asked again no sooner than each second: no token slows it.
        wait_seconds = 0.0 if request.write is not None else READ_AGAIN_SECONDS
        self._jobs_to_read[request.subject] = (now.seconds + wait_seconds, request.path)


def rest_seconds(failures: int) -> float:
    """Return how long an object is left alone after so many failures in a row: not at all, 1 s, doubling to 60 s."""
    return float(min(REFUSED_SECONDS, 1 << min(failures - 2, 6))) if failures > 1 else 0.0


def refused_seconds(refusals: int) -> float:
    """
    Return how long an object is left alone after so many refusals in a row: 1 s, doubling to 60 s.

    A policy means it; an API server that has just started refuses everything for a moment, until it knows all rights.
    """
    return float(min(REFUSED_SECONDS, 1 << min(max(refusals - 1, 0), 6)))


def is_trouble(error: ClusterError | None) -> bool:
    """Tell whether a failure is the API server's and no object's: it should be left alone for a while."""
    return error is not None and (isinstance(error, Throttled) or not isinstance(error, _NOT_DONE))
