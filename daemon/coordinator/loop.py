"""
The loop of a term: it owns everything that is known, and is the only one to change it.

It waits for what the watches saw and for what became of requests, works out what that changes, and has the most urgent
things written as tokens and senders come free. What is decided where: learning.py and passing.py change what fleet.py
knows, agenda.py chooses, outcomes.py understands answers.
"""

import queue
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from daemon.clock import Clock, Moment
from daemon.cluster.backoff import asked_seconds, backoff_seconds
from daemon.coordinator.agenda import Agenda
from daemon.coordinator.budget import Budget
from daemon.coordinator.desk import Desk
from daemon.coordinator.events import Gone, Listed, Seen, Stop
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.outcomes import OutcomeListener, Outcomes, is_trouble
from daemon.coordinator.passing import Passing
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import Outcome, Request
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage, SeenPod
from daemon.coordinator.sending import SENDERS
from daemon.coordinator.sides import Side, Sides


LONGEST_WAIT_SECONDS: Final = 5.0
MESSAGES_AT_ONCE: Final = 256
# An edit of a job looks at all of its nodes: many in a row must not keep the loop from going round.
TAKING_SECONDS: Final = 0.25
# A single failure is that request's; from here on the API server is left alone.
TROUBLES: Final = 3

_NEEDED: Final = frozenset({"imagepulljobs", "imagelistpulljobs", "nodeimages", "nodes"})

Message = Seen | Gone | Listed | Outcome | Stop


class LoopListener(OutcomeListener, Protocol):
    """Hears what the loop does, in its thread."""

    def started(self) -> None:
        """Everything is listed: from now on it acts."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A request is over."""
        ...

    def looked(self, loop: "CoordinatorLoop") -> None:
        """The loop has gone round; what it knows may be read until this returns."""
        ...


def _no_sides(_loop: "CoordinatorLoop") -> Sides:
    return {}


class CoordinatorLoop:
    """
    Leads for one term; `run` belongs in a thread of its own, `post` and `stop` are for any thread.

    Args:
        fleet: what is known; nothing yet.
        paths: where our kinds are.
        budget: how many writes a second are allowed.
        send: has a request sent, whose outcome comes back by `post`.
        follow_pods: watches the Pods of these namespaces, and returns those that are watched no more.
        listener: hears what happens.
        clock: the time.
        make_sides: makes what else is seen to: lists and secrets.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        paths: Paths,
        budget: Budget,
        send: Callable[[Request], None],
        follow_pods: Callable[[frozenset[str]], tuple[str, ...]],
        listener: LoopListener,
        clock: Clock,
        make_sides: "Callable[[CoordinatorLoop], Sides]" = _no_sides,
    ) -> None:
        self.fleet = fleet
        self.budget = budget
        self.paths = paths
        self.desk = Desk(fleet, paths=paths, write_rate=budget.rate)
        self.agenda = Agenda(fleet, desk=self.desk, paths=paths)
        self.in_flight = 0
        self._learning = Learning(fleet)
        self._passing = Passing(fleet)
        self._outcomes = Outcomes(fleet, agenda=self.agenda, desk=self.desk, listener=listener)
        self._send = send
        self._follow_pods = follow_pods
        self._listener = listener
        self._clock = clock
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._missing = set(_NEEDED)
        sides = make_sides(self)
        self._sides = tuple(sides.values())
        self._side_of = {about: side for abouts, side in sides.items() for about in abouts}
        self._namespaces: frozenset[str] = frozenset()
        self._is_ending = False
        self._troubles = 0
        self._is_own_turn = False
        self._paused_until = float("-inf")

    def post(self, message: Message) -> None:
        """Give the loop something to know."""
        self._inbox.put(message)

    def stop(self) -> None:
        """Send nothing new; `run` returns once nothing is on its way."""
        self._inbox.put(Stop())

    def run(self) -> None:
        """Lead until stopped."""
        while not self._is_ending or self.in_flight:
            self._take_all(wait_seconds=self._seconds_left())
            self._act(self._clock.now())
            self._listener.looked(self)

    def _act(self, now: Moment) -> None:
        """Take note of the time, and send what has to be sent."""
        if not self.fleet.is_started:
            return
        self._passing.passed(now)
        self.desk.recall(now)
        self._look(now)
        self._watch_pods()
        self._send_all(now)

    def _look(self, now: Moment) -> None:
        """Have the sides look at what is new, before anything is sent."""
        news, self.fleet.todo.news = frozenset(self.fleet.todo.news), set()
        for side in self._sides:
            side.look(news, now=now)

    def _take_all(self, *, wait_seconds: float) -> None:
        """Wait for the first message or the time, then take what has come, a bounded part of it."""
        try:
            message = self._inbox.get(timeout=wait_seconds)
        except queue.Empty:
            return
        now = self._clock.now()
        for _ in range(MESSAGES_AT_ONCE):
            self._take(message, now=now)
            if self._clock.now().seconds - now.seconds >= TAKING_SECONDS:
                return
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
        self._take(message, now=now)

    def _take(self, message: Message, *, now: Moment) -> None:
        match message:
            case Seen(value):
                self._see(value, now=now)
            case Outcome():
                self._end(message, now=now)
            case Gone():
                self._lose(message, now=now)
            case Listed():
                self._complete(message, now=now)
            case Stop():
                self._is_ending = True

    def _see(self, value: SeenJob | SeenNode | SeenNodeImage | SeenPod | SeenList, *, now: Moment) -> None:
        match value:
            case SeenNodeImage():
                self._learning.image_seen(value, now=now)
            case SeenNode():
                self._learning.node_seen(value, now=now)
            case SeenJob():
                self._learning.job_seen(value, now=now)
            case SeenList():
                self._learning.list_seen(value)
            case SeenPod():
                # What a watch that has been ended had still to tell says nothing.
                if value.namespace in self._namespaces:
                    self._learning.pod_seen(value, now=now)

    def _lose(self, gone: Gone, *, now: Moment) -> None:
        match gone.resource:
            case "nodeimages":
                self._learning.image_gone(gone.name, uid=gone.uid, version=gone.version, now=now)
            case "nodes":
                self._learning.node_gone(gone.name, uid=gone.uid, now=now)
            case "imagepulljobs":
                self._learning.job_gone(gone.uid)
            case "imagelistpulljobs":
                self._learning.list_gone(f"{gone.namespace}/{gone.uid}")
            case _:
                self._learning.pod_gone(gone.namespace, name=gone.name, now=now)

    def _complete(self, listed: Listed, *, now: Moment) -> None:
        if listed.resource == "pods":
            if listed.namespace in self._namespaces:
                self._learning.pods_listed(listed.namespace, now=now)
            return
        self._missing.discard(listed.resource)
        if not self._missing and not self.fleet.is_started:
            self.fleet.start(now)
            self._listener.started()

    def _end(self, outcome: Outcome, *, now: Moment) -> None:
        self.in_flight -= 1
        self._listener.ended(outcome)
        side = self._side_of.get(outcome.request.about)
        if side is not None:
            side.take(outcome, now=now)
        else:
            self._outcomes.take(outcome, now=now)
        if not is_trouble(outcome.error):
            self._troubles = 0
            return
        self._troubles += 1
        if outcome.error is not None and self._troubles >= TROUBLES:
            wait_seconds = asked_seconds(outcome.error) + backoff_seconds(self._troubles - TROUBLES + 1)
            self._paused_until = max(self._paused_until, now.seconds + wait_seconds)

    def _watch_pods(self) -> None:
        namespaces = self.fleet.pods.namespaces
        if namespaces != self._namespaces:
            self._namespaces = namespaces
            for namespace in self._follow_pods(namespaces):
                self.fleet.pods.drop(namespace)

    def _send_all(self, now: Moment) -> None:
        while self.in_flight < SENDERS and not self._is_ending and now.seconds >= self._paused_until:
            request = self._next(now)
            if request is None:
                return
            self.in_flight += 1
            self._send(request)

    def _next(self, now: Moment) -> Request | None:
        """Choose what is asked next; a write takes a token first."""
        request = self._outcomes.read(now) or self.agenda.read(now) or self._of_sides(lambda side: side.read(now))
        if request is not None:
            return request
        if not self._has_work():
            self.budget.rest()
            return None
        if not self.budget.take():
            return None
        request = self._next_write(now)
        if request is None:
            self.budget.give_back()
        return request

    def _has_work(self) -> bool:
        return self.agenda.has_work() or any(side.has_work() for side in self._sides)

    def _next_write(self, now: Moment) -> Request | None:
        """
        Choose what is written next; lists and secrets go before grants, which may wait for them.

        They take turns where tokens are short: whoever edits a list of 255 images all the time stops nobody else.
        """
        if (urgent := self.agenda.urgent(now)) is not None:
            return urgent
        own = self.agenda.pressing(now) if self._is_own_turn and self.budget.is_short else None
        aside = self._of_sides(lambda side: side.next(now)) if own is None else None
        self._is_own_turn = aside is not None
        return own or aside or self.agenda.next(now)

    def _of_sides(self, ask: "Callable[[Side], Request | None]") -> Request | None:
        return next((request for side in self._sides if (request := ask(side)) is not None), None)

    def _seconds_left(self) -> float:
        """Return how long the loop may wait when no message comes."""
        if not self.fleet.is_started:
            return LONGEST_WAIT_SECONDS
        now = self._clock.now()
        waits = [LONGEST_WAIT_SECONDS]
        if (wake := self._passing.next_wake()) is not None:
            waits.append((wake - now.at) / timedelta(seconds=1))
        if (due := self.desk.next_seconds()) is not None:
            waits.append(due - now.seconds)
        waits += [due - now.seconds for side in self._sides if (due := side.next_seconds()) is not None]
        reads = (self._outcomes.next_read_seconds(), self.agenda.next_read_seconds())
        waits += [
            at_seconds - now.seconds for at_seconds in reads if at_seconds is not None and at_seconds > now.seconds
        ]
        if self._paused_until > now.seconds:
            waits.append(self._paused_until - now.seconds)
        elif self.in_flight < SENDERS and (left := self.budget.wait_seconds()) is not None:
            waits.append(left)
        return max(0.0, min(waits))
