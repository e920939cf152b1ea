"""Waits for a container runtime: one pass gives it --runtime-wait, a watching run all the time it needs."""

import sys
import time

from daemon.config import RunSettings
from daemon.display.text import duration
from daemon.runtime.detection import Detection, detect
from daemon.runtime.interface import ImageRuntime
from daemon.standalone.mailbox import Mailbox, Signalled


RETRY_SECONDS = 1.0


class RuntimeMissing(Exception):
    """No container runtime answered in time; the text says where was looked and what was wrong."""


class Interrupted(Exception):
    """A signal came while waiting: `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def wait_for_runtime(settings: RunSettings, *, mailbox: Mailbox) -> ImageRuntime:
    """
    Find the runtime, looking again each second; who waits is told so once, on standard error.

    Raises:
        RuntimeMissing: none answered within settings.runtime_wait_seconds (never, with --watch).
        Interrupted: SIGINT or SIGTERM.
    """
    ends_at = time.monotonic() + settings.runtime_wait_seconds
    is_told = False
    while True:
        found = detect(settings.runtime_endpoint)
        if found.runtime is not None:
            return found.runtime
        if time.monotonic() >= ends_at and not settings.is_watching:
            raise RuntimeMissing(f"{_words(found)}\ngive its socket with --runtime-endpoint, or start it")
        if not is_told:
            is_told = True
            sys.stderr.write(f"prewarm: {_words(found)}\nwaiting for one{_limit(settings)}\n")
        letter = mailbox.wait(timeout_seconds=RETRY_SECONDS)
        if isinstance(letter, Signalled):
            raise Interrupted(letter.number)


def _words(found: Detection) -> str:
    """Say where was looked and what was wrong there."""
    places = "\n".join(f"  {refused.endpoint}: {refused.why}" for refused in found.refused)
    return f"no container runtime answers:\n{places}"


def _limit(settings: RunSettings) -> str:
    return "" if settings.is_watching else f", for at most {duration(settings.runtime_wait_seconds)}"
