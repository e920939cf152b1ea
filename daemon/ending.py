"""What ends an agent or a coordinator: a signal, or a thread's death. The main thread waits for it here."""

import contextlib
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

import msgspec


LOOK_SECONDS: Final = 0.5

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Handler = Callable[[int, FrameType | None], object] | int | None


class Signalled(msgspec.Struct, frozen=True):
    """SIGINT or SIGTERM arrived."""

    number: int


class Died(msgspec.Struct, frozen=True):
    """A thread met an error that nobody foresaw: the process ends with it, rather than go on with a part missing."""

    thread: str
    error: BaseException


class Ending:
    """
    Waits for the end of the process; a context that restores the signals' handlers.

    Once a signal has ended the wait, both are ignored instead, for good: what is left is to hand over the exit code,
    and a second one that came in that moment would put its own in the place of it.
    """

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Signalled | Died] = queue.SimpleQueue()
        self._before: dict[signal.Signals, Handler] = {}
        self._is_told = False

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # None: one that Python did not set, which it cannot set again.
            before = signal.SIG_DFL if handler is None else handler
            signal.signal(number, signal.SIG_IGN if self._is_told else before)

    def died(self, thread: str, error: BaseException) -> None:
        """Note that a thread is over, from that thread."""
        self._inbox.put(Died(thread, error))

    def wait(self) -> Signalled | Died:
        """Return what ends the process."""
        while True:
            # A signal that comes in the moment before a wait begins does not end that wait: Python looks at signals
            # between two instructions, and a lock that is being waited for is one.
            with contextlib.suppress(queue.Empty):
                end = self._inbox.get(timeout=LOOK_SECONDS)
                self._is_told = isinstance(end, Signalled)
                return end

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        # SimpleQueue's put is reentrant, so a handler may call it.
        self._inbox.put(Signalled(number))


def start_thread(name: str, work: Callable[[], None], *, ending: Ending) -> threading.Thread:
    """Run a part in a thread of its own; its root is the one place that catches everything, and ends the process."""

    def root() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a thread's root: nothing may be lost silently
            ending.died(name, error)

    thread = threading.Thread(target=root, name=name, daemon=True)
    thread.start()
    return thread
