"""
What happens in a coordinator, told to whoever shows it: logs, metrics, events, /state.

It hears the loop, the watches and the election, each in its own thread, and decides nothing.
"""

from collections.abc import Callable
from typing import Final

from daemon.clock import Clock, Moment
from daemon.cluster.errors import ClusterError
from daemon.cluster.metadata import Identity
from daemon.cluster.recorder import EventRecorder
from daemon.coordinator.announcer import events_of, gate_opened_cold, regarding_job, regarding_node
from daemon.coordinator.desk import Told
from daemon.coordinator.gate import Opening
from daemon.coordinator.loop import CoordinatorLoop
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import Outcome, Request
from daemon.coordinator.seen import SeenNode
from daemon.observe.logs import Logger


_LOOK_SECONDS: Final = 1.0


class Witness:
    """
    Hears everything.

    Args:
        log: where changes are told.
        recorder: sends events.
        gate_deadline_seconds: for the words of a gate that opened cold.
        clock: the time.
    """

    def __init__(self, log: Logger, *, recorder: EventRecorder, gate_deadline_seconds: float, clock: Clock) -> None:
        self._log = log
        self._recorder = recorder
        self._gate_deadline_seconds = gate_deadline_seconds
        self._clock = clock
        self._last_sync: Callable[[], Moment | None] = lambda: None
        self.is_acting = False

    def leads(self, paths: Paths, *, last_sync: Callable[[], Moment | None]) -> None:
        """A term begins, under these paths."""
        self._last_sync = last_sync
        self.is_acting = False
        self._log.info("term_began", api_version=paths.api_version)

    def started(self) -> None:
        """Everything is listed."""
        self.is_acting = True
        self._log.info("synced")

    def sent(self, request: Request) -> None:
        """A request is on its way."""

    def ended(self, outcome: Outcome) -> None:
        """A request is over."""
        if outcome.error is not None:
            self._log.warning("request_failed", path=outcome.request.path, message=outcome.error.message)

    def looked(self, loop: CoordinatorLoop) -> None:
        """The loop has gone round."""

    def status_written(self, told: Told) -> None:
        """A job's status was written."""
        for event in events_of(told.job, told.earlier, told.later, told.account):
            self._recorder.record(
                regarding_job(told.job), kind=event.kind, reason=event.reason, note=event.note, action=event.action
            )

    def gate_opened(self, node: SeenNode, opening: Opening) -> None:
        """A node's startup taint is off."""
        self._log.info("gate_opened", node=node.name, reason=opening.reason)
        if opening.reason == "deadline":
            event = gate_opened_cold(opening.cold, deadline_seconds=self._gate_deadline_seconds)
            self._recorder.record(
                regarding_node(node), kind=event.kind, reason=event.reason, note=event.note, action=event.action
            )

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """The API server refuses what is to be written."""
        self._log.error("write_refused", path=request.path, message=error.message)

    def passed_over(self, resource: str, identity: Identity, words: str) -> None:
        """An object can't be read."""
        self._log.warning("object_passed_over", resource=resource, name=identity.name, problem=words)

    def watch_failed(self, resource: str, error: ClusterError) -> None:
        """A list or watch failed and is tried again."""
        self._log.warning("watch_failed", resource=resource, message=error.message)
