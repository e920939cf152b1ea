"""One thread that calls functions at their times; they should only note and return."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Alarm:
    """Calls what it was given, when the time for it has come."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_stopped = False
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and forget what is not due yet."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join()

    def at(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something called at a time of time.monotonic."""
        with self._changed:
            heapq.heappush(self._waiting, (seconds, next(self._order), call))
            self._changed.notify_all()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next call that is due; None at the end."""
        with self._changed:
            while not self._is_stopped:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(timeout=left)
            return None
