"""How one attempt is told to end, from any thread and at any point of it."""

import threading

from daemon.node.task import CancelCause
from daemon.runtime.interface import PullCall


class Cancellation:
    """Cancels one attempt from any thread, at any point of it; the first cause stands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call: PullCall | None = None
        self.cause: CancelCause | None = None
        self.words = ""
        self.cancelled = threading.Event()

    def cancel(self, cause: CancelCause, *, words: str = "") -> None:
        """Cancel the call under way, and any that would follow; `words` say more than the cause does."""
        with self._lock:
            if self.cause is None:
                self.cause, self.words = cause, words
            self.cancelled.set()
            call = self._call
        if call is not None:
            call.cancel()

    def watch(self, call: PullCall) -> None:
        """Let `cancel` reach this call from now on."""
        with self._lock:
            self._call = call
        if self.cancelled.is_set():
            call.cancel()
