"""
Service account tokens as the kubelet keeps them: in a file that is replaced while we run.

A token is read again each minute, and at once when the server refuses it. What is no token never becomes a header, so
that no error further down can quote it: here only the file's name is said.
"""

import re
import threading
from pathlib import Path
from typing import Protocol

from daemon.clock import Clock, SystemClock
from daemon.cluster.errors import Unauthenticated


TOKEN_BYTES = 64 << 10
REREAD_SECONDS = 60.0

_TOKEN = re.compile(rb"[\x21-\x7e]+")


class TokenSource(Protocol):
    """Where the transport gets a bearer token for each request; thread-safe."""

    def __call__(self, *, anew: bool) -> str:
        """
        Return the token; `anew` asks the source itself, because the server refused what it had.

        Raises:
            Unauthenticated: there is none that can be used; the message says where it was looked for.
        """
        ...


class FileToken:
    """The token in a file: kept for a minute, and kept on where the file is bad for a while."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._token = ""
        self._read_at_seconds = 0.0

    def __call__(self, *, anew: bool) -> str:
        """Return the token, read now if that is due; see TokenSource."""
        with self._lock:
            now_seconds = self._clock.now().seconds
            if anew or not self._token or now_seconds - self._read_at_seconds >= REREAD_SECONDS:
                self._token = self._read()
                self._read_at_seconds = now_seconds
            return self._token

    def _read(self) -> str:
        try:
            return read_token(self._path)
        except Unauthenticated:
            if self._token:  # most likely still good, and the server has the last word
                return self._token
            raise


def read_token(path: Path) -> str:
    """
    Read a token, without the white space around it.

    Raises:
        Unauthenticated: the file can't be read, or what it holds can't be a token.
    """
    try:
        with path.open("rb") as file:
            content = file.read(TOKEN_BYTES + 1)
    except OSError as error:
        raise Unauthenticated(f"token file {path}: {error.strerror}") from error
    return checked_token(content, where=f"token file {path}")


def checked_token(content: bytes, *, where: str) -> str:
    """
    Return what can stand in a header, without the white space around it.

    Raises:
        Unauthenticated: it can't; the message says where it came from and not what it is.
    """
    token = content.strip()
    if not token:
        raise Unauthenticated(f"{where}: the token is empty")
    if len(token) > TOKEN_BYTES or not _TOKEN.fullmatch(token):
        raise Unauthenticated(f"{where}: what it holds is no token (one line of printable ASCII)")
    return token.decode("ascii")
