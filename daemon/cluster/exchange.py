"""
One request and its answer on the wire: who we are, what it may take, and what counts as no answer.

It asks once, and twice after a 401 where the token read anew is another. Answers are asked for uncompressed: ours are
small, and compressing them costs the API server more than the bytes. Redirects are not followed, so that a token never
goes to another host. What is asked and what the answer means for a caller is transport.py's.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import msgspec
import urllib3

from daemon.cluster.access import Access
from daemon.cluster.answers import error_of, status_of
from daemon.cluster.connections import Connection, Sockets, open_pool, split_server
from daemon.cluster.errors import ClusterError, Oversized, Unreachable
from daemon.cluster.failures import NO_ANSWER, is_distrust, words_of
from daemon.cluster.interface import JSON, Telemetry
from daemon.cluster.paths import Verb, target_of
from daemon.cluster.tls import trust_anew


CONNECT_SECONDS = 10.0
READ_BYTES = 64 << 10
ERROR_BYTES = 64 << 10

_METHODS: Mapping[Verb, str] = {
    Verb.CREATE: "POST",
    Verb.PATCH: "PATCH",
    Verb.UPDATE: "PUT",
    Verb.DELETE: "DELETE",
}
_UNAUTHENTICATED = 401
_GOOD = range(200, 300)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One request, before it knows its token."""

    verb: Verb
    path: str
    timeout_seconds: float
    query: Mapping[str, str] = {}
    body: bytes | None = None
    content_type: str = JSON

    @property
    def asked(self) -> str:
        """The request in a few words, for a message."""
        return f"{self.verb} {self.path}"

    @property
    def is_secret(self) -> bool:
        """Whether it is about Secrets, whose content the server's words may quote."""
        return target_of(self.path).resource.startswith("secrets")


class Exchange:
    """Sends questions to one API server over connections of its own; thread-safe."""

    def __init__(
        self, access: Access, *, user_agent: str, telemetry: Telemetry, tls: ssl.SSLContext, kept_connections: int
    ) -> None:
        self._access = access
        self._tls = tls
        self._token = access.token
        self._user_agent = user_agent
        self._telemetry = telemetry
        self._sockets = Sockets()
        self._pool = open_pool(access, tls=tls, sockets=self._sockets, kept=kept_connections)
        self._prefix = split_server(access.server).path.rstrip("/")

    def open(self, question: Question) -> urllib3.BaseHTTPResponse:
        """
        Send a question and return its good answer, the body unread.

        Raises:
            ClusterError: there was no answer, or one that says no.
        """
        token = self._token(anew=False) if self._token is not None else ""
        response = self._send(question, token=token)
        if response.status == _UNAUTHENTICATED and self._token is not None:
            refusal = _refusal(response, question, token=token)
            newer = self._token(anew=True)
            if newer == token:
                raise refusal
            token = newer
            response = self._send(question, token=token)
        if response.status in _GOOD:
            return response
        raise _refusal(response, question, token=token)

    def close(self) -> None:
        """Cut what is under way and close every connection; whatever is asked later is Unreachable."""
        self._sockets.cut()
        self._pool.close()

    def _send(self, question: Question, *, token: str) -> urllib3.BaseHTTPResponse:
        target = target_of(question.path)
        try:
            response = self._request(question, token=token)
        except NO_ANSWER as error:
            failure = _unreachable(question, error)
            if is_distrust(error):
                trust_anew(self._tls, self._access)
        else:
            self._telemetry.requested(question.verb, target.resource, str(response.status))
            return response
        self._telemetry.requested(question.verb, target.resource, "none")
        raise failure

    def _request(self, question: Question, *, token: str) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": JSON, "User-Agent": self._user_agent}
        if question.body is not None:
            headers["Content-Type"] = question.content_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        query = f"?{urlencode(question.query)}" if question.query else ""
        return self._pool.urlopen(
            _METHODS.get(question.verb, "GET"),
            f"{self._prefix}{question.path}{query}",
            body=question.body,
            headers=headers,
            timeout=urllib3.Timeout(
                connect=min(question.timeout_seconds, CONNECT_SECONDS), read=question.timeout_seconds
            ),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )


def read_body(response: urllib3.BaseHTTPResponse, question: Question, *, limit_bytes: int) -> bytes:
    """
    Return the whole body; its connection is free afterwards, or closed where this fails.

    Raises:
        Unreachable: it ended too early, or took longer than the question may.
        Oversized: it is longer than limit_bytes.
    """
    deadline = time.monotonic() + question.timeout_seconds
    body = bytearray()
    try:
        for chunk in chunks_of(response, question):
            body += chunk
            if len(body) > limit_bytes:
                raise Oversized(f"{question.asked}: the answer has more than {limit_bytes} bytes")
            if time.monotonic() > deadline:
                raise Unreachable(f"{question.asked}: not answered whole in {question.timeout_seconds:g} s")
    finally:
        response.close()
    return bytes(body)


def chunks_of(response: urllib3.BaseHTTPResponse, question: Question) -> Iterator[bytes]:
    """
    Yield what arrives, as it arrives.

    Raises:
        Unreachable: the answer was cut, or silent for longer than its socket waits.
    """
    try:
        while chunk := response.read1(READ_BYTES, decode_content=False):
            yield chunk
    except NO_ANSWER as error:
        failure = _unreachable(question, error)
    else:
        return
    raise failure


def set_silence(response: urllib3.BaseHTTPResponse, *, seconds: float) -> None:
    """Let an answer that goes on be silent for so long before it counts as cut."""
    connection = response.connection
    if isinstance(connection, Connection) and connection.stream_socket is not None:
        connection.stream_socket.settimeout(seconds)


def _unreachable(question: Question, error: BaseException) -> Unreachable:
    """Return the error of a question without a whole answer; raised apart from its cause, which quotes the server."""
    return Unreachable(f"{question.asked}: {words_of(error)}")


def _refusal(response: urllib3.BaseHTTPResponse, question: Question, *, token: str) -> ClusterError:
    try:
        body = read_body(response, question, limit_bytes=ERROR_BYTES)
    except ClusterError:  # the status alone says enough
        body = b""
    return error_of(
        question.asked,
        code=response.status,
        status=status_of(body),
        retry_after=response.headers.get("Retry-After", ""),
        token=token,
        is_secret=question.is_secret,
    )
