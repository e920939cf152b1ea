"""The fault proxy's open connections, and how one is reset so that the peer sees exactly what was sent before."""

import contextlib
import fcntl
import socket
import struct
import termios
import threading

from tests.servers.processes import until


class ConnectionCut(Exception):
    """This connection is to be reset."""


class Connections:
    """The open connections and which of them wait for a request; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[socket.socket, bool] = {}

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._idle)

    def set_idle(self, connection: socket.socket, *, idle: bool) -> None:
        """Note that a connection waits for a request, or is busy with one."""
        with self._lock:
            self._idle[connection] = idle

    def remove(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._idle.pop(connection, None)

    def wake_idle(self) -> None:
        """End the connections that wait for a request; busy ones look for themselves."""
        with self._lock:
            for connection, idle in self._idle.items():
                if idle:
                    with contextlib.suppress(OSError):
                        _reset_on_close(connection)
                        connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Close at once with RST, after the peer's kernel has all that was sent: a reset throws away what waits."""
    with contextlib.suppress(OSError, TimeoutError):
        until(lambda: not unsent_bytes(connection), what="the peer has taken all", timeout_seconds=1)
    with contextlib.suppress(OSError):
        _reset_on_close(connection)
        # A reader may still refer to the socket: only closing the descriptor itself resets now.
        socket.close(connection.detach())


def unsent_bytes(connection: socket.socket) -> int:
    """Return how much of what was sent the peer's kernel has not acknowledged."""
    answer: bytes = fcntl.ioctl(connection, termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
