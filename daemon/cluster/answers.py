"""
What an answer of the API server means: a Kubernetes Status as one of our errors, with its words made fit to show. Pure.

The words may quote what was sent; so a Secret's are not repeated where the server found fault with the content.
"""

import re
from collections.abc import Mapping

import msgspec

from daemon.cluster.errors import (
    ClusterError,
    Conflict,
    Denied,
    Expired,
    Invalid,
    NotFound,
    ServerFailed,
    Throttled,
    Unauthenticated,
)


WORDS_LENGTH = 512
HIDDEN = "[redacted]"

_CLASSES: Mapping[int, type[ClusterError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Denied,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: Invalid,
    422: Invalid,
    429: Throttled,
}
_BEARER = re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]+")
# A webhook and an admission policy may quote what was sent; who refused it they begin with.
_ADMISSION = re.compile(r"(?s)(denied (?:the )?request\b).*")
_SECONDS = re.compile(r"[0-9]{1,9}")


class Details(msgspec.Struct, frozen=True):
    """The part of a Status that says how long to wait."""

    retryAfterSeconds: float | None = None  # noqa: N815 - Kubernetes' name


class Status(msgspec.Struct, frozen=True):
    """The part of metav1.Status that tells what went wrong."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


def error_of(
    asked: str, *, code: int, status: Status, retry_after: str = "", token: str = "", is_secret: bool = False
) -> ClusterError:
    """
    Return the error that an answer stands for.

    Args:
        asked: what was asked, in a few words; the message begins with it.
        code: the HTTP status, or the one inside a watch's ERROR event.
        status: what the body said; empty where it was no Status.
        retry_after: the header of that name.
        token: the token that was sent, which no words may repeat.
        is_secret: it is about a Secret: what the server says about content is left out.
    """
    kind = _CLASSES.get(code, ServerFailed)
    may_quote = is_secret and kind in {Invalid, ServerFailed}
    words = status.reason if may_quote else status.message or status.reason
    if is_secret:
        words = _ADMISSION.sub(rf"\1: {HIDDEN}", words)
    said = shown(words, token=token) or "no words from the server"
    return kind(f"{asked}: HTTP {code}: {said}", code=code, retry_after_seconds=_pause(retry_after, status.details))


def status_of(body: bytes) -> Status:
    """Return the Status in a body; an empty one where there is none."""
    try:
        return msgspec.json.decode(body, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Status()


def shown(words: str, *, token: str = "") -> str:
    """Return words on one line, without the token, at most WORDS_LENGTH characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    if token:
        line = line.replace(token, HIDDEN)
    line = _BEARER.sub(rf"\1{HIDDEN}", line)
    return line if len(line) <= WORDS_LENGTH else f"{line[: WORDS_LENGTH - 6]} [...]"


def _pause(retry_after: str, details: Details | None) -> float | None:
    """Return how long the server asks to wait; the header first, a date in it is left to the caller's backoff."""
    if _SECONDS.fullmatch(retry_after.strip()):
        return float(retry_after)
    if details is None or details.retryAfterSeconds is None or details.retryAfterSeconds <= 0:
        return None
    return details.retryAfterSeconds
