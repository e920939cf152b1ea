"""Times as Kubernetes writes them: RFC 3339, in UTC with Z, whole seconds (metav1.Time)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final


RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)


def parse_time(text: str) -> datetime:
    """
    Return a time in UTC from RFC 3339 text.

    Raises:
        ValueError: not RFC 3339, without an offset, or no such day.

    """
    if not RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999") from error


def time_or_none(raw: object) -> datetime | None:
    """Return the time that stands in an object; None for none, or for what is no time."""
    try:
        return parse_time(raw) if isinstance(raw, str) else None
    except ValueError:
        return None


def later(at: datetime, *, seconds: float) -> datetime:
    """Return the time so long after another; the last there is where that lies beyond all years."""
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def format_time(at: datetime) -> str:
    """Write a time as metav1.Time does; parts of a second are dropped."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
