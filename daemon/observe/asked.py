"""
A value that is asked for when someone wants it, and never waited for too long: free space, for /metrics and /state.

One question at a time is under way, however many want the answer, and an answer is good for a while.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar


T = TypeVar("T")

KEEP_SECONDS = 5.0
PATIENCE_SECONDS = 1.0


class Asked(Generic[T]):
    """
    Asks in a thread of its own and keeps the answer; from any thread.

    Args:
        ask: returns the value; an error is the same as no value.
        keep_seconds: how long an answer, also that there is none, stands.
        patience_seconds: how long `value` waits for one.
        monotonic: the time.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        *,
        keep_seconds: float = KEEP_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._keep_seconds = keep_seconds
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._answer: T | None = None
        self._until_seconds = float("-inf")
        self._asking: threading.Event | None = None

    def value(self) -> T | None:
        """Return the value, None where it cannot be had or does not come in time."""
        try:
            with self._lock:
                if self._is_fresh():
                    return self._answer
                asking = self._asking or self._begin()
        except RuntimeError:
            # No thread to be had.
            return None
        asking.wait(self._patience_seconds)
        with self._lock:
            return self._answer if self._is_fresh() else None

    def _is_fresh(self) -> bool:
        return self._monotonic() < self._until_seconds

    def _begin(self) -> threading.Event:
        asking = threading.Event()
        threading.Thread(target=self._find_out, args=(asking,), name="asked", daemon=True).start()
        self._asking = asking
        return asking

    def _find_out(self, asking: threading.Event) -> None:
        answer: T | None = None
        try:
            answer = self._ask()
        except Exception:  # noqa: BLE001 - the thread's root: that there is no value is the answer, and is shown as such
            answer = None
        with self._lock:
            self._answer = answer
            self._until_seconds = self._monotonic() + self._keep_seconds
            self._asking = None
        asking.set()
