"""
Runs a server as a child that can be stopped, killed, frozen and thawed, and that never outlives the test.

The kernel kills the child when the thread that started it ends (so start servers from the main thread), which holds
when pytest itself is killed. Its output goes to a file, and the end of the file into every error.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar


T = TypeVar("T")

POLL_SECONDS = 0.01


class ServerFailed(Exception):
    """A server did not start, did not answer in time or ended by itself; the message ends with its log."""


def until(condition: Callable[[], T], *, what: str, timeout_seconds: float) -> T:
    """
    Return the first true value of `condition`, asked again and again.

    Raises:
        TimeoutError: still false after timeout_seconds; the message says what was waited for.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_seconds:g} s: {what}")
        time.sleep(POLL_SECONDS)
    return value


class Process:
    """One server process; `start` after a stop or a kill runs the same command again, with the log appended."""

    def __init__(self, arguments: Sequence[str | Path], *, log: Path, environment: Mapping[str, str]) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.log = log
        self._environment = dict(environment)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._child is None:
            raise ServerFailed(f"{self.arguments[0]} is not running")
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self, is_ready: Callable[[], bool], *, timeout_seconds: float = 30) -> None:
        """
        Start it and wait until `is_ready`, though it may have ended since.

        Raises:
            ServerFailed: it ended before, or was not ready after timeout_seconds (it is killed then).
        """
        if self.is_running:
            raise ServerFailed(f"{self.arguments[0]} runs already")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

        def outcome() -> str:
            # Asked first: one that is ready and then ends was ready.
            end = "" if self.is_running else "ended"
            return "ready" if is_ready() else end

        try:
            came_to = until(outcome, what=self.arguments[0], timeout_seconds=timeout_seconds)
        except BaseException as error:
            self.kill()
            if isinstance(error, TimeoutError):
                raise ServerFailed(f"{error}\n{self.tail()}") from error
            raise
        if came_to == "ended":
            raise ServerFailed(f"{self.arguments[0]} ended at its start\n{self.tail()}")

    def stop(self, *, timeout_seconds: float = 10) -> int | None:
        """
        End it as a service manager would (SIGTERM, a frozen one too); then SIGKILL. Twice is fine.

        Returns its exit code; None where it had to be killed, or was not started.
        """
        if self._child is None:
            return None
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)
        try:
            code = self._child.wait(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self._child = None
        return code

    def kill(self) -> None:
        """End it by SIGKILL, with all that it started, as a crash would. Twice is fine."""
        if self._child is None:
            return
        self._send(signal.SIGKILL)
        self._child.wait(timeout=10)
        self._child = None

    def freeze(self) -> None:
        """Stop its execution: connections stay open and nothing answers, as with a hung runtime."""
        self._send(signal.SIGSTOP)
        # The signal is sent at once and felt a moment later, thread by thread.
        until(self._is_frozen, what=f"{self.arguments[0]} to freeze", timeout_seconds=10)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._send(signal.SIGCONT)

    def tail(self, *, lines: int = 30) -> str:
        """Return the end of what it printed, for a person."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log}", *text.splitlines()[-lines:]])

    def _is_frozen(self) -> bool:
        threads = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)

    def _send(self, number: signal.Signals) -> None:
        if self.is_running:
            os.killpg(self.pid, number)
