"""
A network between a client and a server, that stalls, breaks, loses and refuses on command; it looks at nothing.

    with Network(server.port) as network:
        client = connect("127.0.0.1", network.port)
        network.stall()      # connections stay open and nothing arrives, in either direction
"""

import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers.connections import unsent_bytes
from tests.servers.processes import until


PIECE_BYTES = 64 << 10
CONNECT_SECONDS = 10.0
# Linux' socket filter, which socket has no name for: `BPF_RET | BPF_K` with 0 takes no byte of any packet.
SO_ATTACH_FILTER = 26
_TAKE_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


Connect = Callable[[], socket.socket]
Listen = Callable[[int], socket.socket]


def loopback(port: int) -> Connect:
    """Return how to reach the server at 127.0.0.1:port."""
    return lambda: socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)


def listen_on_loopback(port: int) -> socket.socket:
    """Listen at 127.0.0.1; port 0 is a free one."""
    return socket.create_server(("127.0.0.1", port))


class Network:
    """
    A way to a server, from a free port that it keeps; thread-safe.

    Args:
        server_port: the server's on 127.0.0.1, or how to reach it elsewhere.
        listen: where its own port is: on 127.0.0.1 where nothing else is said.
    """

    def __init__(self, server_port: int | Connect, *, listen: Listen = listen_on_loopback) -> None:
        self.port = 0
        self._connect = loopback(server_port) if isinstance(server_port, int) else server_port
        self._listen = listen
        self._listener: socket.socket | None = None
        self._changed = threading.Condition()
        self._is_stalled = False
        self._ends: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        self._sending: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.flow()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._ends) // 2

    def stall(self) -> None:
        """Let nothing through from now on; connections stay open, and new ones are taken."""
        with self._changed:
            self._is_stalled = True

    def flow(self) -> None:
        """Let through what waits, and all that comes."""
        with self._changed:
            self._is_stalled = False
            self._changed.notify_all()

    def cut(self) -> None:
        """Break every connection now; new ones are taken."""
        with self._changed:
            ends = list(self._ends)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def lose(self) -> None:
        """
        Lose all that the two ends of every connection send from now on, as when a machine is gone; new ones are taken.

        Neither end is told: no packet is acknowledged, not even the kernel's own probes. What is on its way to an end
        arrives before or never, since it would be sent again and again, by which the peer knows that somebody lives.
        """
        with self._changed:
            ends = list(self._ends)
            self._lost |= self._ends
        until(lambda: not self._sending.intersection(ends), what="nothing is being sent", timeout_seconds=10)
        until(lambda: not any(map(unsent_bytes, ends)), what="all that was sent has arrived", timeout_seconds=10)
        for end in ends:
            _take_nothing(end)

    def refuse(self) -> None:
        """Take no connections from now on, and break those that are open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def accept(self) -> None:
        """Take connections, again on the same port after `refuse`."""
        self._listener = self._listen(self.port)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._take, args=(self._listener,), name="network", daemon=True).start()

    def _take(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), name="network-carry", daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            # Not by a reset: one that comes before the client's TLS begins makes CPython 3.11 lose the client's socket.
            client.close()
            return
        server.settimeout(None)
        with self._changed:
            self._ends |= {client, server}
        back = threading.Thread(target=self._pump, args=(server, client), name="network-back", daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        with self._changed:
            self._ends -= {client, server}
            self._lost -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if self._begin_sending(sink):
                    try:
                        sink.sendall(piece)
                    finally:
                        self._sending.discard(sink)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _begin_sending(self, sink: socket.socket) -> bool:
        """Wait while the network is stalled; then note that an end is sent to, unless it is lost: False."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_stalled or self._listener is None)
            if sink in self._lost:
                return False
            self._sending.add(sink)
            return True


def _take_nothing(end: socket.socket) -> None:
    instructions = ctypes.create_string_buffer(_TAKE_NOTHING, len(_TAKE_NOTHING))
    end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(instructions)))
