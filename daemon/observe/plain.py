"""
Any value as one that a log line can hold: plain, bounded, and without what msgspec would write of a Struct.

Made for logs alone. Nothing that is handed to it makes it raise, since a log line must never be what ends a thread.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import cast


# A collector rejoins lines of up to 16 KiB; words beyond half of that are a dump and no message.
MOST_CHARACTERS = 8192
MOST_ITEMS = 100
MOST_DEPTH = 4
_MOST_INTEGER = 2**63 - 1


def plain(value: object, *, depth: int = 0) -> object:
    """Return the value as text, a number, True, False, None, or a list or dict of these; never raises."""
    try:
        return _plain(value, depth=depth)
    except Exception as error:  # noqa: BLE001 - a value's own code runs here, and may do anything
        return f"<a {type(value).__name__} that raises {type(error).__name__}>"


def text(value: object) -> str:
    """Return the value's own words, cleaned of what UTF-8 cannot hold, and cut where they are too long."""
    words = str.__str__(value) if isinstance(value, str) else str(value)
    if len(words) > MOST_CHARACTERS:
        words = f"{words[:MOST_CHARACTERS]}... ({len(words)} characters)"
    return words.encode("utf-8", "backslashreplace").decode()


def instant(at: datetime) -> str:
    """Write a time as RFC 3339 in UTC with Z, to the millisecond."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _plain(value: object, *, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain(value.value, depth=depth)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth < MOST_DEPTH:
        return _collection(value, depth=depth + 1)
    return text(_words(value))


def _number(value: float) -> object:
    """Keep what JSON and its readers take: a float is finite, an integer has 64 bits."""
    if isinstance(value, int):
        return int(value) if abs(value) <= _MOST_INTEGER else text(int(value))
    return float(value) if abs(value) < float("inf") else text(float(value))


def _collection(value: Mapping[object, object] | Iterable[object], *, depth: int) -> object:
    if isinstance(value, Mapping):
        return {text(key): plain(item, depth=depth) for key, item in islice(value.items(), MOST_ITEMS)}
    return [plain(item, depth=depth) for item in islice(value, MOST_ITEMS)]


def _words(value: object) -> object:
    """Pick the words of what is neither number nor collection; a Credential names its source alone."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    shown = getattr(type(value), "__structlog__", None)
    return cast("object", shown(value)) if shown else value
