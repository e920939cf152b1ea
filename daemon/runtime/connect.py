"""
The way in: an endpoint becomes an `ImageRuntime`.

grpc is loaded here and not before, so a command without a runtime never pays for it and its environment is set in time.
"""

import os

from daemon.clock import Clock, SystemClock
from daemon.runtime.interface import ImageRuntime


def connect(endpoint: str, *, clock: Clock | None = None) -> ImageRuntime:
    """
    Return the runtime at `endpoint` (`unix:///path` or `/path`) without asking it anything: it may be away for now.

    Raises:
        ValueError: the endpoint names no Unix socket.
    """
    prepare_environment()
    from daemon.runtime.channel import open_channel, socket_path
    from daemon.runtime.cri import CriRuntime

    socket = f"unix://{socket_path(endpoint)}"
    return CriRuntime(open_channel(endpoint), endpoint=socket, clock=clock or SystemClock())


def prepare_environment() -> None:
    """Set what grpc reads when it is loaded: it must not print into the log, nor run fork handlers (we never fork)."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
