"""
Finds the node's runtime: proved by what answers, never by a file that exists.

Whether an answer counts is decided by two calls, Version and ImageFsInfo: Docker's containerd, say, has a socket at the
usual place but its CRI switched off. Waiting and trying again is left to the caller.
"""

import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from daemon.runtime.connect import connect
from daemon.runtime.errors import CriError, Unsupported
from daemon.runtime.interface import ImageRuntime, RuntimeVersion


# In the order of how common they are; a node with two of them is told which one to take.
CANDIDATES = (
    "run/containerd/containerd.sock",
    "run/k3s/containerd/containerd.sock",
    "run/crio/crio.sock",
    "run/cri-dockerd.sock",
)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that is no runtime for us, and why, in words for the person at the node."""

    endpoint: str
    why: str


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """The first runtime that proved itself, connected, with what it said; and what was passed over before it."""

    runtime: ImageRuntime | None = None
    version: RuntimeVersion | None = None
    refused: tuple[Refused, ...] = ()


def detect(
    endpoint: str = "", *, root: Path = Path("/"), connected: Callable[[str], ImageRuntime] = connect
) -> Detection:
    """
    Return the runtime that answers at `endpoint`, or without one at the first of the usual sockets.

    Takes at most 8 s for a socket whose runtime hangs. The caller closes the runtime.

    Args:
        endpoint: `unix:///path` or a path; then no other is tried, and `root` does not apply.
        root: where the node's file system is mounted.
        connected: opens an endpoint.

    Raises:
        ValueError: the endpoint names no Unix socket.
    """
    refused: list[Refused] = []
    for candidate in (endpoint,) if endpoint else tuple(str(root / path) for path in CANDIDATES):
        runtime = connected(candidate)
        try:
            version = _prove(runtime)
        except CriError as error:
            refused.append(Refused(endpoint=runtime.endpoint, why=_why(error, runtime.endpoint)))
            runtime.close()
        else:
            return Detection(runtime=runtime, version=version, refused=tuple(refused))
    return Detection(refused=tuple(refused))


def _prove(runtime: ImageRuntime) -> RuntimeVersion:
    version = runtime.version()
    runtime.filesystem()
    return version


def _why(error: CriError, endpoint: str) -> str:
    """Say it in the words of files where the file is the reason, else in the runtime's."""
    if isinstance(error, Unsupported):
        return f"answers, but its CRI is switched off (disabled_plugins in its configuration?): {error.message}"
    try:
        mode = Path(endpoint.removeprefix("unix://")).stat().st_mode
    except FileNotFoundError:
        return "no such socket"
    except OSError as found:
        return f"cannot be opened: {found.strerror}"
    return error.message if stat.S_ISSOCK(mode) else "not a socket"
