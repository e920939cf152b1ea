"""
One exchange over HTTP: a request's head in, an answer out, and the connection is over.

Only what a probe, a scraper and curl need: GET and HEAD, no body, no second request. Every step has a deadline and a
size, so that nobody holds a thread for longer than a few seconds.
"""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from daemon.observe.answer import Answer


READ_SECONDS = 5.0
WRITE_SECONDS = 5.0
LINGER_SECONDS = 1.0
MOST_HEAD_BYTES = 16 * 1024
MOST_LINGER_BYTES = 64 * 1024
ALLOWED = ("GET", "HEAD")

_PIECE_BYTES = 4096
_REQUEST_WORDS = 3

Routes = Mapping[str, Callable[[], Answer]]


class Asking(msgspec.Struct, frozen=True):
    """What a client asks for; the path is without its query."""

    method: str
    path: str


class Refused(Exception):
    """The request is not one that can be answered; the status says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def read_request(connection: socket.socket) -> Asking | None:
    """
    Read one request's head; None where the client has gone.

    Raises:
        Refused: it is no HTTP, too long, or not there in time.
    """
    head = b""
    ends_at = time.monotonic() + READ_SECONDS
    while not (end := _end_of_head(head)):
        if len(head) > MOST_HEAD_BYTES:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        piece = _receive(connection, ends_at=ends_at)
        if piece is None:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT)
        if not piece:
            return None
        head += piece
    return _parse(head[:end].split(b"\n", 1)[0])


def answer_of(asking: Asking, routes: Routes) -> Answer:
    """Have the path's route answer; whatever it raises is the caller's."""
    route = routes.get(asking.path)
    if route is None:
        return plain_answer(HTTPStatus.NOT_FOUND, words=f"there is {' '.join(routes)}")
    if asking.method not in ALLOWED:
        return plain_answer(HTTPStatus.METHOD_NOT_ALLOWED)
    return route()


def plain_answer(status: HTTPStatus, *, words: str = "") -> Answer:
    """Answer with a status and its name, and words that help."""
    return Answer(body=f"{status.phrase}{': ' * bool(words)}{words}\n".encode(), status=status)


def write_answer(connection: socket.socket, answer: Answer, *, is_head: bool) -> None:
    """Write an answer, of which a HEAD gets all but the body; raises an OSError where the client does not take it."""
    fields = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        fields["Allow"] = ", ".join(ALLOWED)
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", *(f"{key}: {text}" for key, text in fields.items())]
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    # sendall takes the timeout for all of it, and not for each piece.
    connection.settimeout(WRITE_SECONDS)
    connection.sendall(head if is_head else head + answer.body)


def linger(connection: socket.socket) -> None:
    """Let the client take the answer: closing on what it still sends (a body) would cut it off."""
    ends_at = time.monotonic() + LINGER_SECONDS
    taken = 0
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while taken < MOST_LINGER_BYTES and (piece := _receive(connection, ends_at=ends_at)):
            taken += len(piece)


def _end_of_head(head: bytes) -> int:
    ends = [at for at in (head.find(b"\r\n\r\n"), head.find(b"\n\n")) if at > 0]
    return min(ends, default=0)


def _receive(connection: socket.socket, *, ends_at: float) -> bytes | None:
    """Receive what comes next: b"" where nothing comes any more, None when the time is over."""
    left = ends_at - time.monotonic()
    if left <= 0:
        return None
    connection.settimeout(left)
    try:
        return connection.recv(_PIECE_BYTES)
    except TimeoutError:
        return None


def _parse(line: bytes) -> Asking:
    words = line.decode("latin-1").split()
    if len(words) != _REQUEST_WORDS or not words[2].startswith("HTTP/1."):
        raise Refused(HTTPStatus.BAD_REQUEST)
    try:
        return Asking(words[0], urlsplit(words[1]).path)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
