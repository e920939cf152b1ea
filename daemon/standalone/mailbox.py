"""What the main thread waits for: changes of the node's state, a signal, the node loop's end."""

import queue
import signal
from types import FrameType, TracebackType
from typing import Self

import msgspec

from daemon.clock import Moment
from daemon.node.task import NodeState


class NodeChanged(msgspec.Struct, frozen=True):
    """The node went from one state to another."""

    before: NodeState
    after: NodeState
    now: Moment


class Signalled(msgspec.Struct, frozen=True):
    """SIGINT or SIGTERM arrived."""

    number: int


class LoopEnded(msgspec.Struct, frozen=True):
    """The node loop's thread is over, with the error that ended it if one did."""

    error: BaseException | None


Letter = NodeChanged | Signalled | LoopEnded


class Mailbox:
    """
    Collects letters from any thread and from signals; a context that restores the signals' handlers.

    A second signal ends the process at once, as a person who presses Ctrl-C twice expects.
    """

    def __init__(self) -> None:
        self._letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._letters.put(Signalled(number))

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Note a change of the node's state (the node loop's Observer)."""
        if before is not after:
            self._letters.put(NodeChanged(before, after, now))

    def ended(self, error: BaseException | None) -> None:
        """Note that the node loop is over."""
        self._letters.put(LoopEnded(error))

    def wait(self, *, timeout_seconds: float | None) -> Letter | None:
        """Return the next letter, None when none came in time."""
        try:
            return self._letters.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
