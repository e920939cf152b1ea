"""The wire of the fault proxy: takes a request, asks the registry, and sends or breaks the answer."""

import base64
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import urllib3

from tests.servers.connections import ConnectionCut, Connections, reset
from tests.servers.faults import Answer, Break, Corrupt, CutAll, Hang, Status, Truncate
from tests.servers.traffic import Kind, Request


if TYPE_CHECKING:
    from tests.servers.proxy import FaultProxy

CHUNK_BYTES = 256 << 10
POLL_SECONDS = 0.01

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/?]+)")
_KINDS = {"manifests": Kind.MANIFEST, "blobs": Kind.BLOB}
_HOP_BY_HOP = {"connection", "date", "host", "keep-alive", "server", "transfer-encoding"}


class Server(ThreadingHTTPServer):
    """Listens for one FaultProxy; a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: "FaultProxy", *, port: int) -> None:
        self.proxy = proxy
        self.connections = Connections()
        super().__init__(("127.0.0.1", port), _Exchange)

    def start(self) -> None:
        """Take connections in a thread."""
        threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), name="fault-proxy", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; open connections go on."""
        self.shutdown()
        self.server_close()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Know the connection before its thread starts, so that none escapes a cut."""
        self.connections.set_idle(request, idle=True)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Forget the connection at its end."""
        super().shutdown_request(request)
        self.connections.remove(request)


class _Exchange(BaseHTTPRequestHandler):
    """One connection from the runtime."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server
    cuts = 0

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionCut:
            self._reset()
        except OSError:
            # The runtime has hung up, as it does when a pull is cancelled.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: `traffic` has it all."""

    def do_HEAD(self) -> None:
        self._exchange()

    def do_GET(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        proxy = self.server.proxy
        self.cuts = proxy.cuts
        self.server.connections.set_idle(self.connection, idle=False)
        request = _request(self)
        proxy.traffic.saw(request)
        answer = proxy.script.answer(request)
        if isinstance(answer, Status):
            self._status(answer)
        elif isinstance(answer, Break) and not answer.after_bytes and not isinstance(answer, Truncate):
            self._break(answer)
        else:
            self._relay(request, answer)
        self.server.connections.set_idle(self.connection, idle=True)
        if self.cuts != proxy.cuts:
            raise ConnectionCut

    def _status(self, answer: Status) -> None:
        self.send_response(answer.code)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _relay(self, request: Request, answer: Answer | None) -> None:
        proxy = self.server.proxy
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = f"{proxy.upstream_url}{self.path}"
        try:
            response = proxy.upstream.request(
                self.command, url, headers=headers, preload_content=False, decode_content=False, redirect=False
            )
        except urllib3.exceptions.HTTPError:
            self._status(Status(502))
            return
        try:
            self._head(response)
            if self.command != "HEAD":
                digest = response.headers.get("Docker-Content-Digest", request.reference)
                self._body(response, answer, digest=digest, kind=request.kind)
        finally:
            # Half-read, it can't be used again; read to its end, the pool has it back by now.
            response.close()

    def _head(self, response: urllib3.BaseHTTPResponse) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()

    def _body(self, response: urllib3.BaseHTTPResponse, answer: Answer | None, *, digest: str, kind: Kind) -> None:
        end = answer.after_bytes if isinstance(answer, Break) else None
        sent = 0
        while (end is None or sent < end) and (chunk := response.read(CHUNK_BYTES)):
            data = bytearray(chunk if end is None else chunk[: end - sent])
            if isinstance(answer, Corrupt) and sent <= answer.offset < sent + len(data):
                data[answer.offset - sent] ^= 0xFF
            self._send(data, digest=digest, kind=kind)
            sent += len(data)
        if isinstance(answer, Break):
            self._break(answer)

    def _send(self, data: bytearray, *, digest: str, kind: Kind) -> None:
        proxy = self.server.proxy
        view = memoryview(data)
        while view:
            count = proxy.permit(len(view), cuts=self.cuts)
            self.connection.sendall(view[:count])
            proxy.traffic.sent(digest, count, kind=kind)
            view = view[count:]

    def _break(self, answer: Break) -> None:
        if isinstance(answer, Truncate):
            self.close_connection = True
            return
        if isinstance(answer, CutAll):
            self.server.proxy.cut()
        elif isinstance(answer, Hang):
            self.server.proxy.hang(cuts=self.cuts)
        raise ConnectionCut

    def _reset(self) -> None:
        reset(self.connection)
        self.close_connection = True


def _request(exchange: _Exchange) -> Request:
    found = _PATH.match(exchange.path)
    span = re.match(r"bytes=(\d+)-", exchange.headers.get("Range", ""))
    return Request(
        method=exchange.command,
        kind=_KINDS[found["kind"]] if found else Kind.PING if exchange.path.rstrip("/") == "/v2" else Kind.OTHER,
        repository=found["repository"] if found else "",
        reference=found["reference"] if found else "",
        range_start=int(span[1]) if span else None,
        user=_user(exchange.headers.get("Authorization", "")),
        at=time.monotonic(),
    )


def _user(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    return base64.b64decode(value).decode().partition(":")[0] if scheme.lower() == "basic" else ""
