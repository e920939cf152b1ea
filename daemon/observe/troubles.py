"""
What fails for a while, such as a watch: in words for readiness and /state, and in the log when it begins and ends.

A failure is logged when it begins and when it becomes another; what repeats is counted by metrics alone. Which failures
there are, and which of them matter when, is the agent's and the coordinator's.
"""

import threading

import msgspec

from daemon.clock import Clock
from daemon.observe.logs import Logger


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that fails: when it was last seen to, and in which words."""

    seconds: float
    words: str


class Troubles:
    """
    Keeps what fails now; thread-safe.

    A trouble has a name (`watch`) and, where there are several of that name, the resource that it is about.

    Args:
        log: where changes are told: NAME_failed, NAME_works_again.
        clock: the time.
    """

    def __init__(self, log: Logger, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._troubles: dict[tuple[str, str], Trouble] = {}

    def failed(self, name: str, *, error: str, message: str, resource: str = "") -> None:
        """Take note that something has failed; `error` is the kind of failure, `message` what it says."""
        words = f"{name} {resource}: {error}: {message}" if resource else f"{name}: {error}: {message}"
        trouble = Trouble(seconds=self._clock.now().seconds, words=words)
        with self._lock:
            before = self._troubles.get((name, resource))
            self._troubles[name, resource] = trouble
        if before is None or before.words != words:
            self._log.warning(f"{name}_failed", **_about(resource), error=error, message=message)

    def over(self, name: str, *, resource: str = "") -> None:
        """Take note that something works, again where it did not."""
        with self._lock:
            before = self._troubles.pop((name, resource), None)
        if before is not None:
            self._log.info(f"{name}_works_again", **_about(resource))

    def forget(self, name: str) -> None:
        """Drop all troubles of a name: nobody asks any more for what failed."""
        with self._lock:
            self._troubles = {key: trouble for key, trouble in self._troubles.items() if key[0] != name}

    def of(self, name: str) -> dict[str, Trouble]:
        """Return what fails under a name, by resource."""
        with self._lock:
            return {resource: trouble for (known, resource), trouble in self._troubles.items() if known == name}


def _about(resource: str) -> dict[str, str]:
    return {"resource": resource} if resource else {}
