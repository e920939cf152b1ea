"""The rules of single values that jobs and NodeImages share: a time, a disk floor."""

from datetime import datetime

from daemon.api.fields import Field
from daemon.api.quantity import MIN_FREE
from daemon.api.times import parse_time


def read_time(field: Field) -> datetime | None:
    """Read an RFC 3339 time with its offset."""
    text = field.optional_string()
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        field.invalid('must be an RFC 3339 time with an offset, such as "2026-01-31T02:00:00Z"')
        return None


def read_min_free(field: Field) -> str | None:
    """Read how much space must stay free: a percentage below 100 or a quantity of bytes."""
    text = field.optional_string()
    if text is not None and not MIN_FREE.fullmatch(text):
        field.invalid('must be a percentage from "0%" to "99%", or a size such as "10Gi"')
    return text
