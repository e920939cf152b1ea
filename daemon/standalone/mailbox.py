"""What the main thread waits for: changes of the node's state, a signal, the node loop's end."""

import queue
import signal
from collections.abc import Callable
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
    """SIGINT, SIGTERM or SIGHUP arrived."""

    number: int


class LoopEnded(msgspec.Struct, frozen=True):
    """The node loop's thread is over, with the error that ended it if one did."""

    error: BaseException | None


Letter = NodeChanged | Signalled | LoopEnded

_Handler = Callable[[int, FrameType | None], object] | int | None
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Mailbox:
    """
    Collects letters from any thread and from signals; a context that restores the signals' handlers.

    A second signal, of any kind, ends the process at once, as a person who presses Ctrl-C twice expects. Under nohup
    SIGHUP stays ignored.
    """

    def __init__(self) -> None:
        self._letters: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._handlers: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        for each in self._handlers:
            signal.signal(each, signal.SIG_DFL)
        self.signalled(number)

    def signalled(self, number: int) -> None:
        """Note a signal."""
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
