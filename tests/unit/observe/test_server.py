"""The HTTP server over real sockets: what it answers, and that no client can keep another out."""

import http.client
import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from daemon.observe import connections, exchange
from daemon.observe.answer import JSON, Answer
from daemon.observe.listening import CannotListen
from daemon.observe.logs import configure, logger
from daemon.observe.server import HttpServer
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("restored")


def _broken() -> Answer:
    raise KeyError("a defect")


ROUTES: dict[str, Callable[[], Answer]] = {
    "/healthz": lambda: Answer(body=b"ok\n"),
    "/readyz": lambda: Answer(body=b"runtime: away\n", status=503),
    "/state": lambda: Answer(body=b"{}\n", content_type=JSON),
    "/large": lambda: Answer(body=b"x" * 10_000_000),
    "/broken": _broken,
}


@pytest.fixture
def log() -> io.StringIO:
    """Where the server's log goes."""
    stream = io.StringIO()
    configure("json", stream=stream)
    return stream


@pytest.fixture
def server(log: io.StringIO) -> Iterator[HttpServer]:
    """A running server at a port of its own."""
    server = HttpServer("127.0.0.1:0", routes=ROUTES, logger=logger())
    server.start()
    yield server
    server.stop()


def _ask(
    port: int, path: str, *, method: str = "GET", host: str = "127.0.0.1", body: bytes | None = None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    with closing(connection):
        connection.request(method, path, body=body)
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined]
        return response


def _body(response: http.client.HTTPResponse) -> bytes:
    return bytes(response.body)  # type: ignore[attr-defined]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def _exchange(port: int, request: bytes) -> bytes:
    """Send raw bytes and return everything that comes back."""
    with _connect(port) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _healthz(port: int) -> int:
    return _ask(port, "/healthz").status


@pytest.mark.parametrize(
    ("path", "status", "body", "kind"),
    [
        ("/healthz", 200, b"ok\n", "text/plain; charset=utf-8"),
        ("/healthz?verbose", 200, b"ok\n", "text/plain; charset=utf-8"),
        ("/readyz", 503, b"runtime: away\n", "text/plain; charset=utf-8"),
        ("/state", 200, b"{}\n", "application/json"),
        ("http://host/healthz", 200, b"ok\n", "text/plain; charset=utf-8"),
    ],
)
def test_a_path_is_answered_by_its_route(server: HttpServer, path: str, status: int, body: bytes, kind: str) -> None:
    """Status, body and type are the route's; a query is passed over, and nothing is kept by anyone on the way."""
    response = _ask(server.port, path)

    assert (status, body, kind) == (response.status, _body(response), response.headers["Content-Type"])
    assert "no-store" == response.headers["Cache-Control"]
    assert "close" == response.headers["Connection"]


@pytest.mark.parametrize("path", ["/", "/healthz/", "/metric", "*"])
def test_another_path_is_not_found_and_told_which_there_are(server: HttpServer, path: str) -> None:
    """Who guesses is helped."""
    response = _ask(server.port, path)

    assert 404 == response.status
    assert b"Not Found: there is /healthz /readyz /state /large /broken\n" == _body(response)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_refused_with_those_allowed(server: HttpServer, method: str) -> None:
    """Nothing here can be changed; a body does not cut the answer off."""
    response = _ask(server.port, "/healthz", method=method, body=b"x" * 50_000)

    assert (405, "GET, HEAD") == (response.status, response.headers["Allow"])


@pytest.mark.parametrize("path", ["/healthz", "/nothing"])
def test_head_is_get_without_body(server: HttpServer, path: str) -> None:
    """With the headers of the whole."""
    head, get = _ask(server.port, path, method="HEAD"), _ask(server.port, path)

    assert (get.status, get.headers["Content-Length"], b"") == (
        head.status,
        head.headers["Content-Length"],
        _body(head),
    )


def test_a_large_answer_comes_whole(server: HttpServer) -> None:
    """Larger than any buffer."""
    assert 10_000_000 == len(_body(_ask(server.port, "/large")))


def test_a_route_that_raises_is_500_and_logged(server: HttpServer, log: io.StringIO) -> None:
    """The prober gets an answer without our inside, the operator the traceback, and the server goes on."""
    response = _ask(server.port, "/broken")

    assert (500, b"Internal Server Error\n") == (response.status, _body(response))
    (row,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert ("error", "http_answer_failed", "/broken") == (row["level"], row["event"], row["path"])
    assert "KeyError" in row["exception"]
    assert 200 == _healthz(server.port)


def test_requests_are_not_logged(server: HttpServer, log: io.StringIO) -> None:
    """Probes come each few seconds for ever."""
    _ask(server.port, "/healthz")
    _ask(server.port, "/nothing")

    assert "" == log.getvalue()


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        (b"400", b"hello\r\n\r\n"),
        (b"400", b"GET /healthz\r\n\r\n"),
        (b"400", b"GET http://[x HTTP/1.1\r\n\r\n"),
        (b"400", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
        (b"431", b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 40_000),
        (b"200", b"GET /healthz HTTP/1.1\n\n"),
        (b"200", b"GET /healthz HTTP/1.0\r\n\r\n"),
    ],
)
def test_what_is_no_request_is_refused(server: HttpServer, status: bytes, request_bytes: bytes) -> None:
    """With the status that says why; a head has a bound, and old or terse clients are understood."""
    answer = _exchange(server.port, request_bytes)

    assert b"HTTP/1.1 " + status == answer[:12]


def test_one_connection_is_one_exchange(server: HttpServer) -> None:
    """A second request on it is not answered: no connection lives for ever."""
    answer = _exchange(server.port, b"GET /healthz HTTP/1.1\r\n\r\n" * 2)

    assert 1 == answer.count(b"HTTP/1.1 200")


def test_a_client_that_drips_is_cut_off(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole head: a byte now and then does not win more."""
    monkeypatch.setattr(exchange, "READ_SECONDS", 0.3)
    began = time.monotonic()

    with _connect(server.port) as connection:
        connection.settimeout(0.02)
        answer = b""
        while not answer:
            connection.sendall(b"x")
            try:
                answer = connection.recv(100)
            except TimeoutError:
                assert time.monotonic() < began + 5

    assert answer.startswith(b"HTTP/1.1 408")


def test_a_client_that_takes_nothing_is_cut_off(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stands still holds a thread for as long as an answer may take, and no longer."""
    monkeypatch.setattr(exchange, "WRITE_SECONDS", 0.2)

    with _connect(server.port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        until(lambda: _clients() >= 1, what="the exchange to begin", timeout_seconds=5)

        until(lambda: not _clients(), what="the exchange to end", timeout_seconds=5)

    assert 200 == _healthz(server.port)


def _clients() -> int:
    return sum(thread.name == "http-client" for thread in threading.enumerate())


def test_silent_clients_keep_nobody_out(server: HttpServer) -> None:
    """However many connect and say nothing, a probe is answered, and threads stay few."""
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(_connect(server.port))
        statuses = [_healthz(server.port) for _ in range(5)]
        count = _clients()

    assert [200] * 5 == statuses
    assert count <= connections.MOST_CONNECTIONS + 5


def test_clients_that_take_no_answer_keep_nobody_out(server: HttpServer) -> None:
    """As many as may be open, and each has asked for more than a socket holds."""
    with ExitStack() as stack:
        for _ in range(connections.MOST_CONNECTIONS):
            stack.enter_context(_connect(server.port)).sendall(b"GET /large HTTP/1.1\r\n\r\n")
        until(lambda: _clients() >= connections.MOST_CONNECTIONS, what="all are answered", timeout_seconds=5)
        statuses = [_healthz(server.port) for _ in range(5)]

    assert [200] * 5 == statuses


def test_many_clients_at_once_are_all_answered(server: HttpServer) -> None:
    """As many as may be open."""
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(_healthz(server.port))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert [200] * 20 == statuses


def test_more_than_all_busy_are_turned_away_at_once() -> None:
    """Where every thread works on an answer, a newcomer is not left waiting."""
    open_connections = connections.Connections(most=1)
    first, second, other = socket.socketpair(), socket.socketpair(), socket.socketpair()
    with ExitStack() as stack:
        for pair in (first, second, other):
            for end in pair:
                stack.enter_context(end)
        admitted = [open_connections.admit(first[0]), open_connections.admit(second[0])]
        open_connections.busy(second[0])

        assert [True, True] == admitted
        assert b"" == first[1].recv(1)
        assert not open_connections.admit(other[0])


_SHORT_OF_DESCRIPTORS = """
import os, resource, sys
from daemon.observe.answer import Answer
from daemon.observe.logs import configure, logger
from daemon.observe.server import HttpServer

configure("json", stream=sys.stdout)
server = HttpServer("127.0.0.1:0", routes={"/healthz": lambda: Answer(body=b"ok")}, logger=logger())
server.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    print(server.port, flush=True)
sys.stdin.readline()
for descriptor in taken:
    os.close(descriptor)
sys.stdin.readline()
server.stop()
"""


def test_a_shortage_of_descriptors_passes() -> None:
    """Who connected meanwhile is answered once there are some again, and waiting for them costs no CPU."""
    command = [sys.executable, "-c", _SHORT_OF_DESCRIPTORS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        port = int(child.stdout.readline())
        # An accept that waits has its descriptor already (accept4 takes it first), which the first connection gets.
        with _connect(port), _connect(port) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(100)
            child.stdin.write("more\n")
            child.stdin.flush()
            connection.settimeout(10)
            answer = connection.recv(100)
        rest, _ = child.communicate("end\n", timeout=20)

    assert answer.startswith(b"HTTP/1.1 200")
    assert "" == rest


def test_a_client_that_goes_ends_nothing(server: HttpServer, log: io.StringIO) -> None:
    """Before, in, or after its request, also by a reset."""
    for request in (b"", b"GET /he", b"GET /large HTTP/1.1\r\n\r\n"):
        with _connect(server.port) as connection:
            connection.sendall(request)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    assert 200 == _healthz(server.port)
    until(lambda: not _clients(), what="the threads to end", timeout_seconds=5)
    assert "" == log.getvalue()


@pytest.mark.parametrize(("listen", "host"), [(":0", "127.0.0.1"), (":0", "::1"), ("[::1]:0", "::1")])
def test_each_family_is_served(listen: str, host: str, log: io.StringIO) -> None:
    """IPv4 and IPv6 over one port."""
    try:
        server = HttpServer(listen, routes=ROUTES, logger=logger())
    except CannotListen:
        pytest.skip("this machine has no IPv6")
    server.start()
    try:
        assert 200 == _ask(server.port, "/healthz", host=host).status
    finally:
        server.stop()


def test_a_port_in_use_is_an_error_of_ours(server: HttpServer) -> None:
    """One line, for the command to end with."""
    with pytest.raises(CannotListen, match="Address already in use"):
        HttpServer(f"127.0.0.1:{server.port}", routes=ROUTES, logger=logger())


def test_a_stopped_server_is_gone(log: io.StringIO) -> None:
    """Its port is free, its connections are cut, its threads have ended; stopping twice is fine."""
    server = HttpServer("127.0.0.1:0", routes=ROUTES, logger=logger())
    server.start()
    with _connect(server.port) as connection:
        until(_clients, what="the connection to be taken", timeout_seconds=5)

        server.stop()
        server.stop()

        assert b"" == connection.recv(1)
        with pytest.raises(ConnectionRefusedError):
            _connect(server.port)
    until(lambda: not _clients(), what="the threads to end", timeout_seconds=5)
    assert not [thread for thread in threading.enumerate() if thread.name == "http"]


def test_a_server_that_never_started_can_be_stopped(log: io.StringIO) -> None:
    """A role that fails in between lets go of the port."""
    server = HttpServer("127.0.0.1:0", routes=ROUTES, logger=logger())

    server.stop()

    with pytest.raises(ConnectionRefusedError):
        _connect(server.port)
