"""
Writes the node's reports into its NodeImage's status: the one thread that does.

It waits for its inbox (states of the node, what the watch saw of the object) and for the next time that clerk.py names.
While the API server is away the node goes on; what is written when it is back is the newest.
"""

import queue
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from daemon.agent import clerk, rival
from daemon.agent.clerk import Clerk, Observed, observed_of
from daemon.agent.document import AgentIdentity, Parts, document_of
from daemon.agent.rival import Rival
from daemon.clock import Clock, Moment
from daemon.cluster.backoff import asked_seconds, backoff_seconds
from daemon.cluster.errors import ClusterError, Invalid, NotFound
from daemon.cluster.interface import Api, Resource
from daemon.node.report import report_of
from daemon.node.task import NodeState


PATCH_TIMEOUT_SECONDS: Final = 10.0
# The kubelet gives a Pod 30 s to end, of which the loop takes up to ten for its pulls.
LAST_WORDS_SECONDS: Final = 6.0
LAST_PATCH_TIMEOUT_SECONDS: Final = 3.0
# Waiting stands still while the machine is suspended, and our durations do not.
LONGEST_WAIT_SECONDS: Final = 60.0


class Seen(msgspec.Struct, frozen=True):
    """The watch saw the object at `path`, or that there is none."""

    path: str
    observed: Observed | None


class LastWords(msgspec.Struct, frozen=True):
    """Everything has been said: write what is not written, and end."""


class WriterListener(Protocol):
    """Hears what became of each write, in the writer's thread."""

    def status_written(self) -> None:
        """The API server has the newest."""
        ...

    def status_failed(self, error: ClusterError) -> None:
        """A write did not get through and is tried again."""
        ...

    def status_refused(self, error: ClusterError) -> None:
        """The API server refuses what we say of this object, also after a fresh look at it."""
        ...

    def other_daemon_noticed(self, words: str) -> None:
        """Another writes this status too."""
        ...

    def other_daemon_gone(self) -> None:
        """Nobody else has written it for long."""
        ...


class StatusWriter:
    """
    Keeps the status of one NodeImage as the node's loop tells it; an Observer of that loop.

    Args:
        api: where the object is.
        agent: who says so.
        clock: the time.
        listener: hears what became of each write.
        announce: tells the cluster of another daemon that writes the status too: its words, and the object's uid.
        wait_of: how long to leave a failing server alone, by the number of failures in a row.
    """

    def __init__(
        self,
        api: Api,
        *,
        agent: AgentIdentity,
        clock: Clock,
        listener: WriterListener,
        announce: Callable[[str, str], None] = lambda _words, _uid: None,
        wait_of: Callable[[int], float] = backoff_seconds,
    ) -> None:
        self._api = api
        self._agent = agent
        self._clock = clock
        self._listener = listener
        self._announce = announce
        self._wait_of = wait_of
        self._inbox: queue.SimpleQueue[NodeState | Seen | LastWords] = queue.SimpleQueue()
        self._clerk = Clerk()
        self._path = ""
        self._is_ending = False
        self._has_told_of_other = False

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Take note of a state of the node, in its loop's thread."""
        del now
        if before is not after:
            self._inbox.put(after)

    def saw(self, path: str, resource: Resource | None) -> None:
        """Take note of the object as the watch saw it, None where there is none; from any thread."""
        self._inbox.put(Seen(path, observed_of(resource) if resource is not None else None))

    def stop(self) -> None:
        """Have what is not written yet written, in a few seconds, and let `run` return; from any thread."""
        self._inbox.put(LastWords())

    def run(self) -> None:
        """Write until stopped."""
        while not self._is_ending:
            self._take_all(wait_seconds=self._seconds_left())
            if self._is_due() and not self._is_ending:
                self._write(timeout_seconds=PATCH_TIMEOUT_SECONDS)
            self._tell_of_other()
        self._write_last_words()

    def _tell_of_other(self) -> None:
        other = self._other()
        if (other is not None) == self._has_told_of_other:
            return
        self._has_told_of_other = other is not None
        if other is not None:
            self._listener.other_daemon_noticed(rival.words_of(other))
            self._announce(rival.words_of(other), self._clerk.observed.uid if self._clerk.observed else "")
        else:
            self._listener.other_daemon_gone()

    def _other(self) -> Rival | None:
        return clerk.other_daemon(self._clerk, now_seconds=self._clock.now().seconds)

    def _seconds_left(self) -> float:
        at = clerk.due(self._clerk)
        return LONGEST_WAIT_SECONDS if at is None else max(0.0, at - self._clock.now().seconds)

    def _is_due(self) -> bool:
        at = clerk.due(self._clerk)
        return at is not None and at <= self._clock.now().seconds

    def _take_all(self, *, wait_seconds: float) -> None:
        """Wait for the first message or the time, then take all that have come; of several states the newest counts."""
        newest: NodeState | None = None
        try:
            message = self._inbox.get(timeout=min(wait_seconds, LONGEST_WAIT_SECONDS))
        except queue.Empty:
            return
        while True:
            if isinstance(message, NodeState):
                newest = message
            else:
                self._take(message)
            if self._inbox.empty():
                break
            message = self._inbox.get()
        if newest is not None:
            self._clerk = clerk.reported(self._clerk, report_of(newest), now_seconds=self._clock.now().seconds)

    def _take(self, message: Seen | LastWords) -> None:
        match message:
            case Seen(path, observed):
                self._path = path
                self._clerk = clerk.saw(self._clerk, observed, now_seconds=self._clock.now().seconds)
            case LastWords():
                self._is_ending = True

    def _write(self, *, timeout_seconds: float) -> None:
        """Write once; a refusal is tried again on what the server has now, any other failure later."""
        try:
            self._patch_until_understood(timeout_seconds=timeout_seconds)
        except Invalid as error:
            self._refuse(error)
        except NotFound as error:
            self._miss(error)
        except ClusterError as error:
            self._fail(error)

    def _patch_until_understood(self, *, timeout_seconds: float) -> None:
        """Patch; refused, read the object and patch again, once: either it has changed, or its schema refuses us."""
        try:
            self._patch(timeout_seconds=timeout_seconds)
        except Invalid:
            before = self._clerk.observed
            read = observed_of(self._api.get(self._path, timeout_seconds=timeout_seconds))
            self._clerk = clerk.saw(self._clerk, read, now_seconds=self._clock.now().seconds)
            if before is not None and before.uid == read.uid:
                self._patch(timeout_seconds=timeout_seconds)

    def _patch(self, *, timeout_seconds: float) -> None:
        report, sent = self._clerk.report, self._document()
        steps = clerk.operations(self._clerk, sent)
        self._clerk = clerk.sending(self._clerk, sent)
        answer = observed_of(self._api.patch(f"{self._path}/status", steps, timeout_seconds=timeout_seconds))
        now_seconds = self._clock.now().seconds
        self._clerk = clerk.wrote_status(self._clerk, report, sent=sent, answer=answer, now_seconds=now_seconds)
        self._listener.status_written()

    def _document(self) -> Parts:
        written, observed = self._clerk.written, self._clerk.observed
        earlier = written.sent if written else observed.parts if observed else {}
        return document_of(
            self._clerk.report,
            agent=self._agent,
            earlier=earlier,
            now=self._clock.now().at,
            other_daemon=rival.words_of(self._other()),
        )

    def _fail(self, error: ClusterError) -> None:
        wait_seconds = asked_seconds(error) + self._wait_of(self._clerk.failures + 1)
        self._clerk = clerk.failed(self._clerk, wait_seconds=wait_seconds, now_seconds=self._clock.now().seconds)
        self._listener.status_failed(error)

    def _miss(self, error: ClusterError) -> None:
        """
        Try again until the watch tells that the object is gone.

        Behind one address may be several servers, of which one does not know the kind yet.
        """
        wait_seconds = self._wait_of(self._clerk.failures + 1)
        if self._clerk.failures:
            self._listener.status_failed(error)
        self._clerk = clerk.failed(self._clerk, wait_seconds=wait_seconds, now_seconds=self._clock.now().seconds)

    def _refuse(self, error: ClusterError) -> None:
        now_seconds = self._clock.now().seconds
        self._clerk = clerk.failed(self._clerk, wait_seconds=clerk.REFUSED_SECONDS, now_seconds=now_seconds)
        self._listener.status_refused(error)

    def _write_last_words(self) -> None:
        """Write what differs from what was written, without pacing, until it is there or time is up."""
        ends_at = self._clock.now().seconds + LAST_WORDS_SECONDS
        while clerk.has_unwritten(self._clerk) and self._clock.now().seconds < ends_at:
            failures = self._clerk.failures
            self._write(timeout_seconds=LAST_PATCH_TIMEOUT_SECONDS)
            if self._clerk.failures != failures:
                self._take_all(wait_seconds=clerk.LAST_RETRY_SECONDS)
