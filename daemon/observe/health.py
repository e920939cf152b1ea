"""
Whether the process is well, as a probe asks: /healthz (does the loop go round) and /readyz (can it work).

/healthz answers 500 where it fails, as kruise-daemon's did, /readyz 503. Liveness never depends on the API server or
the runtime: a restart mends neither.
"""

import threading
import time
from collections.abc import Callable, Mapping

from daemon.observe.answer import Answer


UNHEALTHY = 500
NOT_READY = 503
PERIODS = 3
# From the first look that finds the loop silent, it has this long to show that it was the process that stood still.
GRACE_SECONDS = 10.0

Check = Callable[[], str]


class Pulse:
    """
    Tells whether a loop still goes round; `beat` is the loop's, `check` any thread's.

    The clock is one that stands still while the machine is suspended, as the loop's own waits do: after the wake both
    go on where they were. A process that was frozen by itself (SIGSTOP, a cgroup's freezer) has been silent on every
    clock; therefore the first look never condemns, only a later one that still finds no beat.

    Args:
        period_seconds: the loop beats at least that often.
        monotonic: the time.
    """

    def __init__(self, *, period_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit_seconds = period_seconds * PERIODS
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._beat_seconds = monotonic()
        self._doubted_seconds: float | None = None

    def beat(self) -> None:
        """Say that the loop has gone round."""
        with self._lock:
            self._beat_seconds = self._monotonic()
            self._doubted_seconds = None

    def check(self) -> str:
        """Return "" while the loop lives, else what is wrong."""
        with self._lock:
            now = self._monotonic()
            silent_seconds = now - self._beat_seconds
            if silent_seconds <= self._limit_seconds:
                return ""
            if self._doubted_seconds is None:
                self._doubted_seconds = now
            if now - self._doubted_seconds < GRACE_SECONDS:
                return ""
            return f"the loop has not gone round for {silent_seconds:.0f} s"


def health(checks: Mapping[str, Check], *, failed_status: int) -> Answer:
    """Run every check: "ok" where each is content, else a line for each that is not, and the status for it."""
    words = {name: _words(check) for name, check in checks.items()}
    failing = [f"{name}: {what}\n" for name, what in words.items() if what]
    if not failing:
        return Answer(body=b"ok\n")
    return Answer(body="".join(failing).encode(), status=failed_status)


def _words(check: Check) -> str:
    """Ask a check; one that breaks is one that fails."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a probe has an answer whatever a check meets
        return f"the check itself failed: {type(error).__name__}"
