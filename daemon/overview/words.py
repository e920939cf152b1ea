"""Durations, times and digests in few characters, as kubectl writes them. Pure."""

import math
from datetime import datetime
from typing import Final


_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_YEAR: Final = 365 * _DAY
_DIGEST_CHARACTERS: Final = 12

# As apimachinery has them (duration.HumanDuration): below so many seconds, in this unit and maybe a smaller one.
_STEPS: Final = (
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
    (math.inf, (_YEAR, "y"), None),
)


def short(seconds: float) -> str:
    """Write a duration as kubectl does: 45s, 3m20s, 25m, 5h12m, 2d, 3y; what lies in the past is 0s."""
    whole = max(0, int(seconds))
    (unit_seconds, unit), smaller = next((large, small) for below, large, small in _STEPS if whole < below)
    text = f"{whole // unit_seconds}{unit}"
    rest = whole % unit_seconds // smaller[0] if smaller is not None else 0
    return f"{text}{rest}{smaller[1]}" if smaller is not None and rest else text


def since(at: datetime | None, *, now: datetime) -> str:
    """Say how long ago that was; "" for no time."""
    return "" if at is None else short((now - at).total_seconds())


def until(at: datetime | None, *, now: datetime) -> str:
    """Say how long that is off, "now" for what is over; "" for no time."""
    if at is None:
        return ""
    seconds = (at - now).total_seconds()
    return short(seconds) if seconds >= 1 else "now"


def clock(at: datetime) -> str:
    """Write a time for a person: in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def brief(digest: str) -> str:
    """Shorten a digest to what tells it from others: sha256:0123456789ab."""
    name, colon, rest = digest.partition(":")
    return f"{name}{colon}{rest[:_DIGEST_CHARACTERS]}"


def shortened(text: str, *, characters: int) -> str:
    """Cut a text to so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 3]}..."


def counted(count: int, what: str) -> str:
    """Write a number with its noun: 1 node, 2 nodes."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
