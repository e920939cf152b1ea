"""
The connections that are open at the HTTP server, bounded: who is slow gives way to who comes.

A bound that turned newcomers away would let a few silent connections keep the kubelet's probe out, and the agent be
killed for it.
"""

import socket
import threading
from contextlib import suppress


MOST_CONNECTIONS = 32


class Connections:
    """Knows each open connection and cuts what must go; from any thread."""

    def __init__(self, *, most: int = MOST_CONNECTIONS) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._idle: dict[socket.socket, None] = {}
        self._busy: set[socket.socket] = set()

    def admit(self, connection: socket.socket) -> bool:
        """Take in a connection, for which the oldest idle one is cut where there are too many; False: all are busy."""
        with self._changed:
            if len(self._idle) + len(self._busy) >= self._most:
                if not self._idle:
                    return False
                oldest = next(iter(self._idle))
                del self._idle[oldest]
                _cut(oldest)
            self._idle[connection] = None
            return True

    def busy(self, connection: socket.socket) -> None:
        """Keep a connection from being cut: its request is there and is being answered."""
        with self._changed:
            if connection in self._idle:
                del self._idle[connection]
                self._busy.add(connection)

    def idle(self, connection: socket.socket) -> None:
        """Let a connection be cut again: its answer is made, and only has to be taken."""
        with self._changed:
            if connection in self._busy:
                self._busy.remove(connection)
                self._idle[connection] = None

    def close(self, connection: socket.socket) -> None:
        """Close a connection and forget it; its own thread calls this last."""
        with self._changed:
            self._idle.pop(connection, None)
            self._busy.discard(connection)
            connection.close()
            self._changed.notify_all()

    def cut_all(self, *, timeout_seconds: float) -> None:
        """Cut every connection and wait until their threads have let go of them."""
        with self._changed:
            for connection in (*self._idle, *self._busy):
                _cut(connection)
            self._changed.wait_for(lambda: not self._idle and not self._busy, timeout=timeout_seconds)


def _cut(connection: socket.socket) -> None:
    """End both directions, which wakes up the thread that reads or writes."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
