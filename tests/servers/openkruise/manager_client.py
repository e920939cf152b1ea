"""
A small client for the API server, with a record of every write.

It shares no code with the product's, so that neither hides the other's mistakes. Every call has a timeout of its own
and is not tried again; who retries is the caller's matter.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import urllib3


TIMEOUT_SECONDS: Final = 10.0

_CONFLICT: Final = 409
_GOOD: Final = range(200, 300)


class Refused(Exception):
    """The API server did not do it: `code` is its HTTP status, 0 where no answer came."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_conflict(self) -> bool:
        """Whether the object has changed since it was read."""
        return self.code == _CONFLICT


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One write that was sent, and the HTTP status of its answer (0 where none came)."""

    verb: str
    path: str
    body: Mapping[str, object] | None
    code: int


class Client:
    """
    Speaks to one API server as one account. Thread-safe.

    Args:
        url: such as https://127.0.0.1:6443.
        ca_file: who signed its certificate.
        token: the account's.
        user_agent: what the API server knows it by, up to the slash.
    """

    def __init__(self, url: str, *, ca_file: Path, token: str, user_agent: str = "kruise-manager") -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(ca_certs=str(ca_file), retries=False, timeout=TIMEOUT_SECONDS, maxsize=4)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": user_agent,
        }
        self._lock = threading.Lock()
        self._writes: list[Write] = []

    @property
    def writes(self) -> Sequence[Write]:
        """Every write so far, in order, refused ones among them."""
        with self._lock:
            return tuple(self._writes)

    def items(self, path: str) -> list[Mapping[str, object]]:
        """Return a list's objects as they are now."""
        found = self._answer("GET", path=path, body=None)
        items = found["items"]
        assert isinstance(items, list)
        return items

    def create(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """Create an object."""
        return self._write("POST", path=path, body=body)

    def replace(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """Write the whole of an object, or the status of it, unless it has changed since `body` was read."""
        return self._write("PUT", path=path, body=body)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._write("DELETE", path=path, body=None)

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()

    def _write(self, verb: str, *, path: str, body: Mapping[str, object] | None) -> Mapping[str, object]:
        code = 0
        try:
            answer = self._answer(verb, path=path, body=body)
            code = 200
        except Refused as error:
            code = error.code
            raise
        finally:
            with self._lock:
                self._writes.append(Write(verb=verb, path=path, body=body, code=code))
        return answer

    def _answer(self, verb: str, *, path: str, body: Mapping[str, object] | None) -> Mapping[str, object]:
        content = None if body is None else json.dumps(body)
        try:
            answer = self._pool.request(verb, self._url + path, body=content, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise Refused(f"{verb} {path}: {error}", code=0) from error
        if answer.status not in _GOOD:
            raise Refused(f"{verb} {path}: {answer.status} {answer.data.decode(errors='replace')}", code=answer.status)
        found: Mapping[str, object] = json.loads(answer.data)
        return found
