"""
How many writes a second a coordinator allows itself: a token bucket, shared by all its threads.

Saturating a person's API server is a defect. Whoever has something to write takes a token first, and decides what to
write then; so nothing that is decided waits in a queue and goes stale.
"""

import threading
from typing import Final

from daemon.clock import Clock


SPARE_WAIT_SECONDS: Final = 0.1


class Budget:
    """
    A bucket of tokens that fills at `rate` a second, up to twice that.

    `rate` is how many a second, `throttled_seconds` is how long something has waited for a token, in all. Thread-safe.
    """

    def __init__(self, *, rate: float, clock: Clock) -> None:
        self.rate = rate
        self._most = max(1.0, 2.0 * rate)
        self._tokens = self._most
        self._clock = clock
        self._at_seconds = clock.now().seconds
        self._lock = threading.Lock()
        self._waits_since: float | None = None
        self._throttled_seconds = 0.0

    def take(self) -> bool:
        """Take a token; False where there is none."""
        with self._lock:
            now_seconds = self._fill()
            if self._tokens < 1.0:
                if self._waits_since is None:
                    self._waits_since = now_seconds
                return False
            self._tokens -= 1.0
            self._end_wait(now_seconds)
            return True

    def spare_seconds(self) -> float:
        """Take a token for what is least urgent and return 0; else how long to wait before asking again."""
        with self._lock:
            self._fill()
            if self._waits_since is None and self._tokens >= 1.0:
                self._tokens -= 1.0
                return 0.0
            return max(SPARE_WAIT_SECONDS, (1.0 - self._tokens) / self.rate)

    @property
    def is_short(self) -> bool:
        """Whether less is left than comes in a second: what is written now, something else waits for."""
        with self._lock:
            self._fill()
            return self._tokens < self.rate

    def give_back(self) -> None:
        """Return a token that was not used."""
        with self._lock:
            self._tokens = min(self._most, self._tokens + 1.0)

    def rest(self) -> None:
        """Say that nothing waits for a token any more."""
        with self._lock:
            self._end_wait(self._fill())

    def wait_seconds(self) -> float | None:
        """Return how long what waits has to wait for a token; None where nothing waits."""
        with self._lock:
            self._fill()
            return max(0.0, (1.0 - self._tokens) / self.rate) if self._waits_since is not None else None

    @property
    def throttled_seconds(self) -> float:
        """How long something has waited for a token, in all."""
        with self._lock:
            waiting = 0.0 if self._waits_since is None else self._clock.now().seconds - self._waits_since
            return self._throttled_seconds + waiting

    def _fill(self) -> float:
        now_seconds = self._clock.now().seconds
        passed = max(0.0, now_seconds - self._at_seconds)
        self._tokens = min(self._most, self._tokens + passed * self.rate)
        self._at_seconds = now_seconds
        return now_seconds

    def _end_wait(self, now_seconds: float) -> None:
        if self._waits_since is not None:
            self._throttled_seconds += now_seconds - self._waits_since
            self._waits_since = None
