"""The wire of the scripted API server: TLS, HTTP/1.1, a list, a watch in chunks, and whatever its script says."""

import contextlib
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tests.servers.connections import ConnectionCut
from tests.servers.processes import until
from tests.servers.scripted_answers import Answer, Hang, Lines, Raw, Reply, Request, event, refused, status


if TYPE_CHECKING:
    from tests.servers.scripted_api import ScriptedApi

POLL_SECONDS = 0.01


class Wire(ThreadingHTTPServer):
    """Listens for one ScriptedApi; a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: "ScriptedApi", *, host: str, port: int, tls: ssl.SSLContext) -> None:
        self.api = api
        self.tls = tls
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Exchange)

    def start(self) -> None:
        """Take connections in a thread."""
        threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), name="scripted-api", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end every connection."""
        self.shutdown()
        self.server_close()
        self.cut()
        until(lambda: not self.open, what="all connections of the scripted API ended", timeout_seconds=30)

    def cut(self) -> None:
        """End every connection from below, as a network does."""
        with self.lock:
            for connection in self.open:
                # As TLS objects they would first drop their state under the thread that uses it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Serve a connection: the handshake too is this thread's, so that a silent client holds up no other."""
        try:
            wrapped = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            request.close()
            return
        with self.lock:
            self.open.add(wrapped)
            self.api.connections += 1
        try:
            self.finish_request(wrapped, client_address)
        finally:
            with self.lock:
                self.open.discard(wrapped)
            wrapped.close()


class _Exchange(BaseHTTPRequestHandler):
    """One connection from a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Wire
    connection: ssl.SSLSocket

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ConnectionCut):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: `requests` has it all."""

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
        api = self.server.api
        request = self._request()
        reply = api.reply(request)
        if reply is None and not api.accepts(request):
            reply = refused(401, "Unauthorized", "Unauthorized")
        self._wait_while_stalled()
        if reply is not None:
            self._play(reply)
        elif request.verb == "watch":
            self._watch(request)
        elif request.verb == "list":
            self._list(request)
        else:
            body = request.body if request.verb in {"create", "update"} else b"{}"
            self._answer(Answer(headers={"Content-Type": "application/json"}, body=body))

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        verbs = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
        plain = "watch" if "watch" in query else "list" if parts.path == self.server.api.path else "get"
        return Request(
            verb=verbs.get(self.command, plain),
            path=parts.path,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
            at_seconds=time.monotonic(),
            client=_mail(self.connection),
        )

    def _play(self, reply: Reply) -> None:
        if isinstance(reply, Answer):
            self._answer(reply)
        elif isinstance(reply, Lines):
            self._begin_chunks()
            for chunk in reply.chunks:
                self._pause(reply.gap_seconds)
                self._chunk(chunk)
            self._end(reply.then)
        elif isinstance(reply, Raw):
            self.wfile.write(reply.content)
            raise ConnectionCut
        elif isinstance(reply, Hang):
            self._end("hang")

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.code)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _end(self, how: str) -> None:
        if how == "end":
            self._chunk(b"")
            return
        if how == "hang":
            api = self.server.api
            with api.changed:
                api.changed.wait_for(lambda: api.is_ending)
        raise ConnectionCut

    def _list(self, request: Request) -> None:
        objects, version = self.server.api.objects()
        begin = int(request.query.get("continue", "0"))
        end = begin + int(request.query.get("limit", "500"))
        metadata = {"resourceVersion": str(version), "continue": str(end) if end < len(objects) else ""}
        body = msgspec.json.encode({"kind": "NodeImageList", "metadata": metadata, "items": objects[begin:end]})
        self._answer(Answer(headers={"Content-Type": "application/json"}, body=body))

    def _watch(self, request: Request) -> None:
        api = self.server.api
        version = int(request.query["resourceVersion"])
        deadline = time.monotonic() + float(request.query["timeoutSeconds"])
        self._begin_chunks()
        if version < api.compacted:
            gone = status(410, "Expired", f"too old resource version: {version}")
            self._chunk(event("ERROR", msgspec.Raw(gone)))
            self._end("end")
            return
        while (due := self._due(version, deadline)) or time.monotonic() < deadline:
            for each, sort, resource in due:
                self._chunk(event(sort, resource))
                version = each
        self._wait_while_stalled()
        self._end("end")

    def _due(self, version: int, deadline: float) -> list[tuple[int, str, dict[str, object]]]:
        """Wait until there is something to send, or the deadline."""
        api = self.server.api
        with api.changed:
            api.changed.wait_for(lambda: self._is_due(version), timeout=max(0.0, deadline - time.monotonic()))
            if api.is_ending:
                raise ConnectionCut
            return [each for each in api.events if each[0] > version] if not api.is_stalled else []

    def _is_due(self, version: int) -> bool:
        api = self.server.api
        has_news = bool(api.events) and api.events[-1][0] > version
        return api.is_ending or (has_news and not api.is_stalled)

    def _wait_while_stalled(self) -> None:
        api = self.server.api
        with api.changed:
            api.changed.wait_for(lambda: api.is_ending or not api.is_stalled)
            if api.is_ending:
                raise ConnectionCut

    def _pause(self, seconds: float) -> None:
        api = self.server.api
        with api.changed:
            if seconds and api.changed.wait_for(lambda: api.is_ending, timeout=seconds):
                raise ConnectionCut

    def _begin_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))


def _mail(connection: ssl.SSLSocket) -> str:
    names = dict((connection.getpeercert() or {}).get("subjectAltName", ()))  # type: ignore[arg-type]
    return str(names.get("email", ""))
