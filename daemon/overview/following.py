"""
Keeps a scene right and shows it again whenever something has changed, until a signal: `--watch`.

Each collection has its watch in a thread, and one more shows; the main thread waits for the end.
"""

import signal
import threading
from typing import Final

import msgspec

from daemon.clock import Clock
from daemon.cluster.errors import ClusterError, Expired, Throttled
from daemon.cluster.interface import WatchApi
from daemon.cluster.reflector import Reflector
from daemon.ending import Died, Ending, start_thread
from daemon.overview.scenes import Part, Scene
from daemon.overview.screens import Screen


INTERRUPTED: Final = 130
TERMINATED: Final = 143
JOIN_SECONDS: Final = 2.0

# Worth another try before anything was shown. Once something was, it stands whatever the server says: one that has just
# started denies for seconds what it will allow, and does not know the kinds yet.
_PASSING: Final = (Throttled, Expired)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """
    How often a scene is shown.

    Attributes:
        least_seconds: between two times, however much changes.
        most_seconds: after which it is shown again although nothing has, since ages move on; None for never.
    """

    least_seconds: float = 0.25
    most_seconds: float | None = None


def follow(scene: Scene, *, api: WatchApi, screen: Screen, clock: Clock, pace: Pace) -> int:
    """
    Show a scene until SIGINT (130) or SIGTERM (143).

    Raises:
        ClusterError: it can't be read, or what it is about is gone.
        OutputLost, BrokenPipeError: nobody can read on.
    """
    with Ending() as ending:
        following = _Following(scene, api=api, screen=screen, clock=clock, pace=pace, ending=ending)
        shower = start_thread("show", following.run, ending=ending)
        end = ending.wait()
        following.stop()
        shower.join(JOIN_SECONDS)
    if isinstance(end, Died):
        raise end.error
    return INTERRUPTED if end.number == signal.SIGINT else TERMINATED


class _Following:
    """Watches and shows; `run` is for a thread of its own, `stop` for another."""

    def __init__(
        self, scene: Scene, *, api: WatchApi, screen: Screen, clock: Clock, pace: Pace, ending: Ending
    ) -> None:
        self._scene = scene
        self._api = api
        self._screen = screen
        self._clock = clock
        self._pace = pace
        self._ending = ending
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._has_shown = False
        self._watched: dict[int, Reflector[object]] = {}
        self._parts: list[Part] = []

    def run(self) -> None:
        """Show whatever changes; the screen is closed at the end."""
        try:
            while not self._stopping.is_set():
                self._watch_all()
                self._show()
                self._changed.wait(self._pace.most_seconds)
                self._stopping.wait(self._pace.least_seconds)
                self._changed.clear()
        finally:
            self._screen.close()

    def stop(self) -> None:
        """End everything."""
        self._stopping.set()
        self._changed.set()
        for reflector in tuple(self._watched.values()):
            reflector.stop()

    def _watch_all(self) -> None:
        """Begin to watch what the scene has come to need."""
        for part in self._scene.parts():
            key = id(part.collection)
            if key not in self._watched:
                part.collection.changed = self._changed.set
                reflector = part.collection.follow(self._api)
                self._watched[key] = reflector
                self._parts.append(part)
                start_thread(f"watch-{len(self._watched)}", reflector.run, ending=self._ending)

    def _show(self) -> None:
        """
        Show what is known, once everything that is needed has been read.

        Raises:
            ClusterError: it can't be.
        """
        needed = [part.collection for part in self._parts if part.is_needed]
        errors = [collection.error for collection in needed if collection.error is not None]
        for error in errors:
            if not (self._has_shown or isinstance(error, _PASSING)):
                raise error
        if all(part.collection.is_listed or not _is_awaited(part) for part in self._parts):
            now = self._clock.now().at.replace(microsecond=0)
            self._screen.show(self._scene.document(now), trouble=_trouble(errors))
            self._has_shown = True


def _is_awaited(part: Part) -> bool:
    """Tell whether a page has to wait for a collection: not for one that may not be read."""
    return part.is_needed or part.collection.error is None


def _trouble(errors: list[ClusterError]) -> str:
    return f"this may be old: {errors[0].message}" if errors else ""
