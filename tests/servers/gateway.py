"""
A gateway between clients and an API server that can look at requests, since it ends TLS: it loses, changes and holds
back answers, by a plan of the test's.

    with Gateway(apiserver) as gateway:
        gateway.plan = lambda request: Lost() if request.method == "PATCH" else None
        start_agent(node_image, containerd, variables=gateway.variables)

It shows the API server's own certificate, and passes tokens on, so a client needs to know nothing of it.
"""

import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import msgspec
import urllib3

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_existing import NotOurs
from tests.servers.connections import ConnectionCut


POLL_SECONDS = 0.01
PIECE_BYTES = 64 << 10
UPSTREAM_SECONDS = 30.0
_HOP_BY_HOP = {"connection", "host", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `number` counts those of its method, from 0."""

    method: str
    path: str
    number: int


class Lost(msgspec.Struct, frozen=True):
    """The API server does what was asked, and the connection breaks before its answer."""


class Dropped(msgspec.Struct, frozen=True):
    """The request does not arrive, and the connection breaks."""


class Unanswered(msgspec.Struct, frozen=True):
    """The API server does what was asked, and nothing is heard of it until the client gives up."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The API server is not asked, and this is answered in its place."""

    code: int
    headers: Mapping[str, str] = {}


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The API server does what was asked, and this is answered in place of its answer."""

    code: int
    headers: Mapping[str, str] = {}


class Held(msgspec.Struct, frozen=True):
    """The request waits in the gateway until `release` is set; it arrives late."""

    release: threading.Event


Fault = Lost | Dropped | Unanswered | Refused | Answered | Held


class Gateway:
    """One gateway, open while it is entered; `plan` says which request meets which fault, in any thread."""

    def __init__(self, apiserver: ApiServer) -> None:
        self.plan: Callable[[Passed], Fault | None] = lambda _request: None
        self.upstream_url = apiserver.url
        self.pool = urllib3.PoolManager(ca_certs=str(apiserver.ca_file), retries=False, maxsize=32)
        self._files = [apiserver.ca_file.with_name(name) for name in ("server.crt", "server.key")]
        self._lock = threading.Lock()
        self._seen: list[Passed] = []
        self._codes: dict[Passed, int] = {}
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self, tls=self._tls())
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="gateway", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
        self.pool.clear()

    @property
    def variables(self) -> dict[str, str]:
        """What tells a Pod to go through here."""
        port = self._server.server_address[1] if self._server is not None else 0
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}

    def seen(self, method: str, *, ending: str = "") -> list[Passed]:
        """Return the requests of a method so far, to paths with this ending."""
        with self._lock:
            return [one for one in self._seen if one.method == method and one.path.partition("?")[0].endswith(ending)]

    def code_of(self, request: Passed) -> int:
        """Return what the API server answered to a request, whatever became of that; 0 where it did not."""
        with self._lock:
            return self._codes.get(request, 0)

    def note_code(self, request: Passed, code: int) -> None:
        """Note what the API server answered."""
        with self._lock:
            self._codes[request] = code

    def note(self, method: str, path: str) -> Passed:
        """Note a request that has come."""
        with self._lock:
            number = sum(1 for one in self._seen if one.method == method)
            self._seen.append(Passed(method=method, path=path, number=number))
            return self._seen[-1]

    def _tls(self) -> ssl.SSLContext:
        certificate, key = self._files
        if not key.exists():
            raise NotOurs("this test would show the API server's own certificate, whose key is not the tests' own")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


class _Server(ThreadingHTTPServer):
    """Listens for one Gateway; a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, gateway: Gateway, *, tls: ssl.SSLContext) -> None:
        self.gateway = gateway
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._upstream: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Exchange)

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Serve one connection; what a broken one raises is nobody's concern."""
        with contextlib.suppress(OSError, ConnectionCut, urllib3.exceptions.HTTPError):
            wrapped = self._tls.wrap_socket(request, server_side=True)
            with self._lock:
                self._open.add(wrapped)
            try:
                self.finish_request(wrapped, client_address)
            finally:
                with self._lock:
                    self._open.discard(wrapped)
                wrapped.close()
        request.close()

    def know(self, answer: urllib3.BaseHTTPResponse) -> None:
        """Remember where an answer comes from, so that `cut` ends it too."""
        upstream = answer.connection
        if isinstance(upstream, urllib3.connection.HTTPConnection) and upstream.sock is not None:
            with self._lock:
                self._upstream.add(upstream.sock)

    def cut(self) -> None:
        """End every connection from below, on both sides."""
        with self._lock:
            for connection in [*self._open, *self._upstream]:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Exchange(BaseHTTPRequestHandler):
    """One connection from a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing: `seen` has it all."""

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def do_PATCH(self) -> None:
        self._exchange()

    def do_PUT(self) -> None:
        self._exchange()

    def do_DELETE(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = self.server.gateway.note(self.command, self.path)
        fault = self.server.gateway.plan(request)
        if isinstance(fault, Dropped):
            raise ConnectionCut
        if isinstance(fault, Refused):
            self._answer(fault)
            return
        if isinstance(fault, Held):
            fault.release.wait()
        answer = self._ask(body)
        self.server.gateway.note_code(request, answer.status)
        self.server.know(answer)
        try:
            if isinstance(fault, Unanswered):
                self._await_end()
            if isinstance(fault, (Lost, Unanswered)):
                raise ConnectionCut
            if isinstance(fault, Answered):
                self._answer(fault)
            else:
                self._relay(answer)
        finally:
            answer.close()

    def _ask(self, body: bytes) -> urllib3.BaseHTTPResponse:
        gateway = self.server.gateway
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        return gateway.pool.request(
            self.command,
            f"{gateway.upstream_url}{self.path}",
            body=body or None,
            headers=headers,
            # A watch may say nothing for as long as it likes.
            timeout=urllib3.Timeout(connect=UPSTREAM_SECONDS, read=None),
            preload_content=False,
            decode_content=False,
            redirect=False,
        )

    def _await_end(self) -> None:
        """Say nothing until the client closes the connection."""
        while self.connection.recv(PIECE_BYTES):
            pass

    def _answer(self, answered: Answered | Refused) -> None:
        self.send_response(answered.code)
        for name, value in {**answered.headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _relay(self, answer: urllib3.BaseHTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(PIECE_BYTES):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
