"""
The connections to one API server: their socket options, and how all of them are cut from another thread.

A peer that is gone is found by the kernel: probes after 15 s of silence, the end after 30 s, also while we send.
"""

import contextlib
import re
import socket
import ssl
import threading
import weakref
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.connection import HTTPSConnection

from daemon.cluster.access import Access, NoAccess


# Idle ones are kept; a thread that finds none opens another.
KEPT_CONNECTIONS = 8

SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
]


class Sockets:
    """Every socket of a pool, so that `cut` ends what waits on them; thread-safe."""

    def __init__(self) -> None:
        self.is_cut = False
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def add(self, opened: socket.socket) -> None:
        """Remember a socket; one that comes after the cut is cut at once."""
        with self._lock:
            self._open.add(opened)
            if self.is_cut:
                _shut(opened)

    def cut(self) -> None:
        """End every wait on these sockets, and on those still to come; closing them is left to their users."""
        with self._lock:
            self.is_cut = True
            for opened in list(self._open):
                _shut(opened)


class Connection(HTTPSConnection):
    """A connection that makes its socket known (urllib3's way to do so is a subclass)."""

    def __init__(self, *arguments: Any, sockets: Sockets, **options: Any) -> None:  # noqa: ANN401 - urllib3's own
        super().__init__(*arguments, **options)
        self._sockets = sockets
        self.stream_socket: socket.socket | None = None

    def connect(self) -> None:
        """Connect; the socket stays known also where http.client lets go of it (Connection: close)."""
        super().connect()
        self.stream_socket = self.sock
        self._sockets.add(self.sock)


def open_pool(access: Access, *, tls: ssl.SSLContext, sockets: Sockets, kept: int) -> urllib3.HTTPSConnectionPool:
    """
    Return a pool to the access's server; it connects on first use, and keeps so many connections that are idle.

    Raises:
        NoAccess: the server's address is none.
    """
    address = split_server(access.server)
    if access.is_insecure:
        # The person said so in the kubeconfig; once a request is too often.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    pool = urllib3.HTTPSConnectionPool(
        address.hostname or "",
        address.port or 443,
        maxsize=kept,
        block=False,
        retries=False,
        ssl_context=tls,
        server_hostname=access.server_name or None,
        socket_options=SOCKET_OPTIONS,
        sockets=sockets,
    )
    pool.ConnectionCls = Connection
    return pool


def split_server(server: str) -> SplitResult:
    """
    Return the parts of a server's address.

    Raises:
        NoAccess: it is not https://host[:port][/path].
    """
    try:
        address = urlsplit(server)
        is_good = address.scheme == "https" and bool(address.hostname) and address.port != 0
    except ValueError:
        is_good = False
    if not is_good or address.username or address.query or address.fragment:
        raise NoAccess(f"API server {_shown(server)}: must be https://host:port, without a user or a query")
    return address


def _shown(server: str) -> str:
    """Leave out what may hold a password."""
    return "with a user in its address" if "@" in server else repr(re.split("[?#]", server)[0])


def _shut(opened: socket.socket) -> None:
    # SSLSocket.shutdown would also drop the TLS state under the thread that reads.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
