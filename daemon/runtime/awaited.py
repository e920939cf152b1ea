"""
A runtime that may not be there yet: whoever asks it before it is found, or while it is away, hears that it is down.

The agent starts with the node, often before the runtime does, and must neither end nor guess. Where no socket was
named, each question looks for one; once found it stays the one, since gRPC connects again by itself.
"""

import threading
import time
from collections.abc import Callable

from daemon.runtime.connect import connect
from daemon.runtime.detection import Detection, detect
from daemon.runtime.errors import RuntimeDown
from daemon.runtime.interface import (
    Downloads,
    ImageFilesystem,
    ImageRuntime,
    LocalImage,
    PullCall,
    PullRequest,
    RuntimeVersion,
)


LOOK_AGAIN_SECONDS = 1.0


def awaited(endpoint: str) -> ImageRuntime:
    """
    Return the runtime at `endpoint`, or with "" the first of the usual sockets that will answer; it may be away.

    Raises:
        ValueError: the endpoint names no Unix socket.
    """
    return connect(endpoint) if endpoint else AwaitedRuntime()


class AwaitedRuntime:
    """An ImageRuntime that `look` looks for until it is found; thread-safe, as that is."""

    def __init__(self, *, look: Callable[[], Detection] = detect) -> None:
        self._detect = look
        self._lock = threading.Lock()
        self._found: ImageRuntime | None = None
        self._is_closed = False
        self._looked_seconds = float("-inf")
        self._problem = "not looked for yet"

    @property
    def endpoint(self) -> str:
        """The socket, as `unix:///path`, "" before one is found."""
        return self._found.endpoint if self._found else ""

    @property
    def downloads(self) -> Downloads | None:
        """What only containerd tells; None as long as nothing is found."""
        return self._found.downloads if self._found else None

    def version(self) -> RuntimeVersion:
        """Ask who answers."""
        return self._runtime().version()

    def image_status(self, image: str) -> LocalImage | None:
        """Return the image, or None where it is absent."""
        return self._runtime().image_status(image)

    def images(self) -> tuple[LocalImage, ...]:
        """List every image."""
        return self._runtime().images()

    def pull(self, request: PullRequest) -> PullCall:
        """Start a PullImage and return at once."""
        return self._runtime().pull(request)

    def remove(self, image: str) -> None:
        """Remove an image by any of its names; absent is fine."""
        self._runtime().remove(image)

    def filesystem(self) -> ImageFilesystem:
        """Tell the free space where images are kept."""
        return self._runtime().filesystem()

    def close(self) -> None:
        """Cancel what runs and close the connection."""
        with self._lock:
            self._is_closed = True
            if self._found is not None:
                self._found.close()

    def _runtime(self) -> ImageRuntime:
        """Return what was found, looking for it where it was not; at most once a second, for all threads together."""
        with self._lock:
            if self._is_due():
                self._look()
            if self._found is None:
                raise RuntimeDown(self._problem)
            return self._found

    def _is_due(self) -> bool:
        is_wanted = self._found is None and not self._is_closed
        return is_wanted and time.monotonic() >= self._looked_seconds + LOOK_AGAIN_SECONDS

    def _look(self) -> None:
        detection = self._detect()
        self._found, self._problem = detection.runtime, _words(detection)
        self._looked_seconds = time.monotonic()


def _words(detection: Detection) -> str:
    """Say in one line where was looked and what was wrong there."""
    places = "; ".join(f"{refused.endpoint}: {refused.why}" for refused in detection.refused)
    return f"no container runtime answers ({places})"
