"""Watches over a run: shows what happens, renews what is due, and knows when it is over and with which exit code."""

import signal
import threading
from collections.abc import Iterable
from datetime import datetime

from daemon.api.nodeimage import Phase
from daemon.clock import Clock
from daemon.config import RunSettings
from daemon.display.events import Event, events_between
from daemon.display.streams import Display
from daemon.display.text import duration
from daemon.node.loop import NodeLoop
from daemon.node.task import NodeState
from daemon.node.wanted import wanted_of
from daemon.standalone import wishes as wish
from daemon.standalone.mailbox import LoopEnded, Mailbox, NodeChanged, Signalled
from daemon.standalone.wishes import Wishes


ALL_THERE = 0
SOME_FAILED = 1
NO_RUNTIME = 3
INTERRUPTED = 130

# A wall clock can be set while we wait for a date; a look each minute finds out.
LOOK_SECONDS = 60.0


class Supervisor:
    """
    Runs a node loop on wishes until they are answered or, watching, until a signal.

    Args:
        loop: the node's loop, not yet running; it gets a thread of its own.
        wishes: what this machine should have.
        display: where events are shown.
        mailbox: the loop's observer, where signals arrive too.
        clock: the time.
        settings: see RunSettings.
    """

    def __init__(
        self,
        loop: NodeLoop,
        *,
        wishes: Wishes,
        display: Display,
        mailbox: Mailbox,
        clock: Clock,
        settings: RunSettings,
    ) -> None:
        self._loop = loop
        self._wishes = wishes
        self._display = display
        self._mailbox = mailbox
        self._clock = clock
        self._settings = settings
        self._state = NodeState()
        self._began = clock.now()
        self._lost_at: float | None = None

    def run(self, notices: Iterable[str]) -> int:
        """Run to the end and return the exit code."""
        try:
            for notice in notices:
                self._show("notice", message=notice)
            if not self._wishes.owners and not self._settings.is_watching:
                return self._finished()
            return self._supervise()
        finally:
            self._display.close()

    def _supervise(self) -> int:
        thread = threading.Thread(target=self._run_loop, name="node", daemon=True)
        thread.start()
        self._want()
        code = self._watch()
        # Before the wait for the pulls' end: a second signal in it ends the process, and must find a terminal in order.
        self._display.close()
        self._loop.stop()
        thread.join(timeout=15.0)
        return code

    def _run_loop(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:  # noqa: BLE001 - the thread's root: the main thread ends with it
            self._mailbox.ended(error)
        else:
            self._mailbox.ended(None)

    def _want(self) -> None:
        self._loop.want(wanted_of(wish.node_image(self._wishes, now=self._clock.now().at)))

    def _watch(self) -> int:
        while True:
            letter = self._mailbox.wait(timeout_seconds=self._timeout_seconds())
            code = self._read(letter)
            if code is not None:
                return code
            self._renew()

    def _read(self, letter: NodeChanged | Signalled | LoopEnded | None) -> int | None:
        match letter:
            case NodeChanged():
                return self._changed(letter)
            case Signalled(number):
                return self._signalled(number)
            case LoopEnded(error):
                raise RuntimeError("the node loop ended by itself") from error
            case None:
                return self._given_up()

    def _changed(self, letter: NodeChanged) -> int | None:
        for event in events_between(letter.before, letter.after, now=letter.now):
            self._display.show(event)
        self._state = letter.after
        self._wishes = wish.noted(self._wishes, letter.after)
        if letter.after.is_runtime_up:
            self._lost_at = None
        elif self._lost_at is None:
            self._lost_at = letter.now.seconds
        is_over = not self._settings.is_watching and self._is_answered()
        return self._finished() if is_over else self._given_up()

    def _is_answered(self) -> bool:
        return self._state.is_wanted_known and all(task.is_ended for task in self._state.tasks.values())

    def _given_up(self) -> int | None:
        """End a single pass whose runtime has been away for too long."""
        if self._lost_at is None or self._settings.is_watching:
            return None
        if self._clock.now().seconds < self._lost_at + self._settings.runtime_wait_seconds:
            return None
        self._show("run_finished", message="the container runtime went away and did not come back")
        return NO_RUNTIME

    def _signalled(self, number: int) -> int:
        code = code_after(number, is_watching=self._settings.is_watching)
        is_stopped = code == ALL_THERE
        words = "stopped" if is_stopped else "interrupted; run it again within 24 h to go on from here"
        self._show("run_finished", message=words)
        return code

    def _finished(self) -> int:
        failed = sum(1 for task in self._state.tasks.values() if task.phase is Phase.FAILED)
        there = len(self._state.tasks) - failed
        seconds = self._clock.now().seconds - self._began.seconds
        words = f"{_images(there)} there, {failed} failed, in {duration(seconds)}"
        self._show("run_finished", message=words, succeeded=there, failed=failed, seconds=round(seconds, 3))
        return SOME_FAILED if failed else ALL_THERE

    def _renew(self) -> None:
        if not self._settings.is_watching:
            return
        renewed = wish.renewed(self._wishes, now=self._clock.now().at)
        if renewed is not self._wishes:
            self._wishes = renewed
            self._want()

    def _timeout_seconds(self) -> float | None:
        """Tell how long to wait: until something is due, and while a lost runtime is waited for a second at a time."""
        if self._lost_at is not None:
            return 1.0
        if not self._settings.is_watching:
            return None
        now = self._clock.now().at
        due = wish.next_due(self._wishes, now=now)
        return None if due is None else min(LOOK_SECONDS, max(0.0, _seconds_until(due, now=now)))

    def _show(
        self,
        name: str,
        *,
        message: str,
        succeeded: int | None = None,
        failed: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self._display.show(
            Event(
                time=self._clock.now().at,
                event=name,
                message=message,
                succeeded=succeeded,
                failed=failed,
                seconds=seconds,
            )
        )


def code_after(number: int, *, is_watching: bool) -> int:
    """Return the exit code after a signal: SIGTERM is how a watching run is stopped, all else breaks off."""
    return ALL_THERE if is_watching and number == signal.SIGTERM else INTERRUPTED


def _seconds_until(due: datetime, *, now: datetime) -> float:
    return (due - now).total_seconds()


def _images(count: int) -> str:
    return "1 image is" if count == 1 else f"{count} images are"
