"""
Notices that a standing image is gone: by the runtime's own removal events, else by a look each minute.

Runs in threads of its own and only tells the loop; whether and when to pull again is transitions.py's.
"""

import threading
from collections.abc import Callable, Mapping

from daemon.node.inbox import (
    ImageLost,
    ImageRemoved,
    ImageSeen,
    Message,
    PresenceDoubted,
    RuntimeAnswered,
    RuntimeMet,
    RuntimeMissed,
)
from daemon.node.task import Task
from daemon.node.wanted import Key
from daemon.runtime.errors import CallTimeout, CriError, RuntimeDown
from daemon.runtime.interface import Downloads, ImageRuntime


LOOK_SECONDS = 60.0
RESUBSCRIBE_SECONDS = 1.0
PROBE_SECONDS = 1.0


def watch_removals(runtime: ImageRuntime, *, post: Callable[[Message], None], stop: threading.Event) -> None:
    """
    Post each removal until stopped, and that the runtime is away where it is.

    Each new subscription, also the first, doubts everything: what went while nobody listened must be looked for. On a
    node where nothing is wanted nobody else asks the runtime, so this asks it first.
    """
    while not stop.is_set():
        try:
            post(RuntimeMet(str(runtime.version())))
            is_event_driven = _listen(runtime.downloads, post=post)
        except CriError as error:
            tell_if_away(error, post=post)
            is_event_driven = True
        stop.wait(RESUBSCRIBE_SECONDS if is_event_driven else LOOK_SECONDS)


def _listen(downloads: Downloads | None, *, post: Callable[[Message], None]) -> bool:
    """Post removals until the stream breaks, and tell whether there is one: elsewhere all is doubted, once."""
    removals = downloads.removals() if downloads is not None else iter(())
    post(PresenceDoubted())
    for name in removals:
        post(ImageRemoved(name))
    return downloads is not None


def look(runtime: ImageRuntime, standing: Mapping[Key, Task], *, post: Callable[[Message], None]) -> None:
    """
    Ask the runtime for each standing image and post those that are absent, and those that are others.

    A runtime that goes away ends it: the loop looks again when it is back. That one image cannot be told of says
    nothing of the next.
    """
    for key, task in standing.items():
        if task.wanted.reference is None:
            continue
        try:
            image = runtime.image_status(task.wanted.image)
        except CriError as error:
            if tell_if_away(error, post=post):
                return
            continue
        if image is None:
            post(ImageLost(key, task.wanted.version, len(task.evicted_seconds)))
        elif task.image_id != (image_id := f"{key.repository}@{image.id}"):
            post(ImageSeen(key, task.image_id, image_id))


def probe(runtime: ImageRuntime, *, post: Callable[[Message], None], stop: threading.Event) -> None:
    """Ask a runtime that went away each second until it answers, and say so."""
    while not stop.is_set():
        try:
            version = runtime.version()
        except CriError:
            stop.wait(PROBE_SECONDS)
        else:
            post(RuntimeAnswered(str(version)))
            return


def tell_if_away(error: CriError, *, post: Callable[[Message], None]) -> bool:
    """Post that the runtime is away where an error means that, and tell whether it does."""
    is_away = isinstance(error, RuntimeDown | CallTimeout)
    if is_away:
        post(RuntimeMissed(error.message))
    return is_away
