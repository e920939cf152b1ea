"""Waits for a container runtime: one pass gives it 30 s, a watching run all the time it needs."""

from daemon.config import RunSettings
from daemon.runtime.detection import NoRuntime, find_runtime
from daemon.runtime.interface import ImageRuntime
from daemon.standalone.mailbox import Mailbox, Signalled


RETRY_SECONDS = 1.0


class RuntimeMissing(Exception):
    """No container runtime answered in time; the text says where was looked and what was wrong."""


class Interrupted(Exception):
    """A signal came while waiting."""


def wait_for_runtime(settings: RunSettings, *, mailbox: Mailbox) -> ImageRuntime:
    """
    Find the runtime, looking again each second.

    Raises:
        RuntimeMissing: none answered within settings.runtime_wait_seconds (never, with --watch).
        Interrupted: SIGINT or SIGTERM.
    """
    tries_left = settings.runtime_wait_seconds / RETRY_SECONDS
    while True:
        try:
            return find_runtime(settings.runtime_endpoint)
        except NoRuntime as error:
            tries_left -= 1
            if tries_left <= 0 and not settings.is_watching:
                raise RuntimeMissing(str(error)) from error
        if isinstance(mailbox.wait(timeout_seconds=RETRY_SECONDS), Signalled):
            raise Interrupted
