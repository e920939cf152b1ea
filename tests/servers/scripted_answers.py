"""What a scripted API server can be told to answer instead of its own answer, and which requests get it."""

import threading
from collections.abc import Mapping

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    One request that came in.

    `verb` is as RBAC calls it, `at_seconds` monotonic, `client` the mail address in its certificate.
    """

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at_seconds: float
    client: str = ""

    @property
    def token(self) -> str:
        """The bearer token that came with it; empty for none."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """This status, headers and body, with a right Content-Length."""

    code: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Status 200 and this body in chunks, as a watch sends it; then "end", "cut", or "hang" until the server ends."""

    chunks: tuple[bytes, ...] = ()
    then: str = "end"
    gap_seconds: float = 0.0


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """These bytes as they are, then a close."""

    content: bytes = b""


class Hang(msgspec.Struct, frozen=True):
    """Nothing at all until the server ends."""


Reply = Answer | Lines | Raw | Hang


class Script:
    """Replies in waiting, for the verb that each is for; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, Reply | None]] = []
        self._always: dict[str, Reply] = {}

    def add(self, verb: str, reply: Reply | None, *, times: int = 1) -> None:
        """Give the reply to the next so many requests of this verb; None lets one have the server's own answer."""
        with self._lock:
            self._waiting += [(verb, reply)] * times

    def always(self, verb: str, reply: Reply) -> None:
        """Give the reply to every request of this verb, after those that were added, until `clear`."""
        with self._lock:
            self._always[verb] = reply

    def clear(self) -> None:
        """Answer as an API server from now on."""
        with self._lock:
            self._waiting.clear()
            self._always.clear()

    def next(self, verb: str) -> Reply | None:
        """Take the reply for a request of this verb; None for the server's own answer."""
        with self._lock:
            for index, (wanted, reply) in enumerate(self._waiting):
                if wanted == verb:
                    del self._waiting[index]
                    return reply
            return self._always.get(verb)


def status(code: int, reason: str, message: str, **details: object) -> bytes:
    """Return a metav1.Status as a body."""
    return msgspec.json.encode(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
            "details": details,
        }
    )


def refused(code: int, reason: str, message: str = "made by the test", **headers: str) -> Answer:
    """Return an answer that says no in Kubernetes' way; headers with `_` for `-`."""
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Answer(code=code, headers=named, body=status(code, reason, message))


def event(sort: str, resource: object) -> bytes:
    """Return one line of a watch."""
    return msgspec.json.encode({"type": sort, "object": resource}) + b"\n"
