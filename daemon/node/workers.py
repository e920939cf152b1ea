"""
The threads of one node's loop: each does one piece of I/O and posts what came of it to the loop's inbox.

They decide nothing and own no state but which of them can be cancelled.
"""

import threading
from collections.abc import Callable, Collection, Mapping

from daemon.node.attempt import Attempt, CredentialSource, release, run_attempt
from daemon.node.cancellation import Cancellation
from daemon.node.inbox import AttemptEnded, Crashed, Message, OrphansReleased, PullBegan, PullProgressed
from daemon.node.settings import NodeSettings
from daemon.node.task import AttemptEnd, CancelCause, Ending, Task
from daemon.node.wanted import Key
from daemon.node.warmth import look, probe, tell_if_away, watch_removals
from daemon.runtime.errors import CriError
from daemon.runtime.interface import ImageRuntime, Progress


class Workers:
    """
    Starts and cancels the workers of one loop; its methods are called in the loop's thread alone.

    Args:
        runtime: where images live.
        credentials: what to pull with.
        settings: see NodeSettings.
        post: takes a message to the loop, from any thread.
    """

    def __init__(
        self,
        runtime: ImageRuntime,
        *,
        credentials: CredentialSource,
        settings: NodeSettings,
        post: Callable[[Message], None],
    ) -> None:
        self._runtime = runtime
        self._credentials = credentials
        self._settings = settings
        self._post = post
        self._stop = threading.Event()
        self._cancellations: dict[int, Cancellation] = {}
        self._serial = 0

    def attempt(self, key: Key, task: Task) -> int:
        """
        Begin an attempt of a task and return the worker's number; AttemptEnded tells its end.

        Raises:
            ValueError: the task names no image; the plan gives such a task up instead.
        """
        if task.wanted.reference is None:
            raise ValueError(task.wanted.problem)
        serial = self._next_serial()
        cancellation = Cancellation()
        attempt = Attempt(
            wanted=task.wanted,
            reference=task.wanted.reference,
            role=self._settings.role,
            min_free=self._settings.min_free,
            needed_bytes=task.needed_bytes,
            is_refill=task.is_refill,
            is_held=task.is_held,
            is_hold_stale=task.is_hold_stale,
            runtime=self._runtime,
            credentials=self._credentials,
            cancellation=cancellation,
            listener=_Listener(key, serial=serial, post=self._post),
        )
        self._cancellations[serial] = cancellation
        self._spawn(
            f"pull-{serial}", lambda: self._post(AttemptEnded(key, serial, run_attempt(attempt))), serial=serial
        )
        return serial

    def release(self, key: Key, *, image: str) -> int:
        """Let go of what a withdrawn image holds and return the worker's number; AttemptEnded tells its end."""
        serial = self._next_serial()
        end = AttemptEnd(ending=Ending.CANCELLED, cause=CancelCause.WITHDRAWN)

        def work() -> None:
            release(self._runtime, image, role=self._settings.role)
            self._post(AttemptEnded(key, serial, end))

        self._spawn("release", work)
        return serial

    def cancel(self, serial: int | None, *, cause: CancelCause) -> None:
        """Tell an attempt's worker to end; one that has ended is fine."""
        if serial in self._cancellations:
            self._cancellations[serial].cancel(cause)

    def ended(self, serial: int) -> None:
        """Forget a worker whose end has been read."""
        self._cancellations.pop(serial, None)

    @property
    def are_pulling(self) -> bool:
        """Whether an attempt's end is still to come."""
        return bool(self._cancellations)

    def watch_removals(self) -> None:
        """Post removals from now on, until `stop`."""
        self._spawn("removals", lambda: watch_removals(self._runtime, post=self._post, stop=self._stop))

    def look(self, standing: Mapping[Key, Task]) -> None:
        """Ask the runtime for standing images and post those that are gone."""
        self._spawn("look", lambda: look(self._runtime, standing, post=self._post))

    def probe(self) -> None:
        """Ask a runtime that is away until it answers, and post that."""
        self._spawn("probe", lambda: probe(self._runtime, post=self._post, stop=self._stop))

    def release_orphans(self, images: Collection[str]) -> None:
        """Let go of what an earlier process of this role held for other images than these."""
        self._spawn("orphans", lambda: self._release_orphans(frozenset(images)))

    def stop(self) -> None:
        """Tell every worker to end."""
        self._stop.set()
        for cancellation in self._cancellations.values():
            cancellation.cancel(CancelCause.STOPPING)
        if self._settings.is_kept_warm:
            self._spawn("close", self._close_removals)

    def _close_removals(self) -> None:
        if self._runtime.downloads is not None:
            self._runtime.downloads.close_removals()

    def _release_orphans(self, images: frozenset[str]) -> None:
        try:
            # Only once it has said what it is does it tell whether it has downloads at all.
            self._runtime.version()
            downloads = self._runtime.downloads
            for hold in downloads.held(role=self._settings.role) if downloads else ():
                if hold.image not in images and not hold.is_own and downloads is not None:
                    downloads.release(hold.image, role=self._settings.role)
        except CriError as error:
            tell_if_away(error, post=self._post)
            return
        self._post(OrphansReleased())

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _spawn(self, name: str, work: Callable[[], None], *, serial: int | None = None) -> None:
        """Run work in a thread of its own; its root is the one place that catches everything, and hands it over."""

        def root() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - a thread's root: nothing may be lost silently
                self._post(Crashed(name, error, serial))

        threading.Thread(target=root, name=name, daemon=True).start()


class _Listener:
    """Hands a worker's words to the loop."""

    def __init__(self, key: Key, *, serial: int, post: Callable[[Message], None]) -> None:
        self._key = key
        self._serial = serial
        self._post = post

    def pulling(self) -> None:
        self._post(PullBegan(self._key, self._serial))

    def progressed(self, progress: Progress) -> None:
        self._post(PullProgressed(self._key, self._serial, progress))
