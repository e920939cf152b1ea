"""
The API server as its callers see it: decoded JSON, or an error of ours.

Trying again is the caller's, who knows what another attempt is worth. The wire is exchange.py's.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

import msgspec

from daemon.cluster.access import Access
from daemon.cluster.connections import KEPT_CONNECTIONS
from daemon.cluster.errors import ServerFailed
from daemon.cluster.exchange import Exchange, Question, chunks_of, read_body, set_silence
from daemon.cluster.interface import Operation, Resource, Telemetry, Write
from daemon.cluster.lines import split_lines
from daemon.cluster.metadata import UNREADABLE
from daemon.cluster.paths import Verb, reading_verb
from daemon.cluster.tls import tls_context
from daemon.cluster.writes import creation, json_patch


# etcd takes 1.5 MiB an object, and a page of a list is many of them.
ANSWER_BYTES = 32 << 20


class HttpApi:
    """
    One API server over a pool of connections; see interface.WatchApi and interface.RawApi. Thread-safe.

    Args:
        access: where it is, and who we are to it.
        user_agent: what we call ourselves.
        telemetry: where requests are counted.
        answer_bytes: how large an answer may be.
        tls: a context that is shared already; None makes one.
        kept_connections: how many idle connections are kept: as many as threads ask at once.

    Raises:
        NoAccess: the access's address, certificates or keys are of no use.
    """

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str,
        telemetry: Telemetry | None = None,
        answer_bytes: int = ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
        kept_connections: int = KEPT_CONNECTIONS,
    ) -> None:
        self._access = access
        self._user_agent = user_agent
        self._telemetry = telemetry or Telemetry()
        self._answer_bytes = answer_bytes
        self._tls = tls or tls_context(access)
        self._kept_connections = kept_connections
        self._exchange = Exchange(
            access,
            user_agent=user_agent,
            telemetry=self._telemetry,
            tls=self._tls,
            kept_connections=kept_connections,
        )

    def get(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> Resource:
        """Read one object or a list; `path` is below the server's address, such as /api/v1/namespaces."""
        return self._decoded(_reading(path, query=query, timeout_seconds=timeout_seconds))

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read one object or a list as `get` does, and return its JSON as it came."""
        return self._body(_reading(path, query=query, timeout_seconds=timeout_seconds))

    def create(self, path: str, body: Resource, *, timeout_seconds: float) -> Resource:
        """Create an object and return it as the server stored it."""
        return self._decoded(_writing(creation(path, body), timeout_seconds=timeout_seconds))

    def patch(self, path: str, operations: Sequence[Operation], *, timeout_seconds: float) -> Resource:
        """Apply a JSON Patch and return the object as the server stored it."""
        return self._decoded(_writing(json_patch(path, operations), timeout_seconds=timeout_seconds))

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Send a change once, and return the answer's JSON: the object as the server stored it."""
        return self._body(_writing(write, timeout_seconds=timeout_seconds))

    @contextmanager
    def stream(
        self, path: str, *, query: Mapping[str, str], timeout_seconds: float, silence_seconds: float
    ) -> Iterator[Iterator[bytes]]:
        """Yield the lines of an answer that goes on; see interface.WatchApi."""
        question = Question(verb=Verb.WATCH, path=path, query=query, timeout_seconds=timeout_seconds)
        response = self._exchange.open(question)
        try:
            set_silence(response, seconds=silence_seconds)
            yield split_lines(chunks_of(response, question))
        finally:
            response.close()

    def separate(self) -> Self:
        """Return the same server over connections of its own, which `close` ends and no others."""
        return type(self)(
            self._access,
            user_agent=self._user_agent,
            telemetry=self._telemetry,
            answer_bytes=self._answer_bytes,
            tls=self._tls,
            kept_connections=self._kept_connections,
        )

    def close(self) -> None:
        """Cut what is under way and close every connection; whatever is asked later is Unreachable."""
        self._exchange.close()

    def _body(self, question: Question) -> bytes:
        return read_body(self._exchange.open(question), question, limit_bytes=self._answer_bytes)

    def _decoded(self, question: Question) -> Resource:
        body = self._body(question)
        try:
            return msgspec.json.decode(body, type=dict[str, object])
        except UNREADABLE:
            # The error itself may quote the body.
            problem = "the answer is no JSON object"
        raise ServerFailed(f"{question.asked}: {problem}")


def _reading(path: str, *, query: Mapping[str, str] | None, timeout_seconds: float) -> Question:
    return Question(verb=reading_verb(path), path=path, query=query or {}, timeout_seconds=timeout_seconds)


def _writing(write: Write, *, timeout_seconds: float) -> Question:
    return Question(
        verb=write.verb,
        path=write.path,
        query=write.query,
        timeout_seconds=timeout_seconds,
        body=write.body,
        content_type=write.content_type,
    )
