"""
When a cron schedule fires in a time zone, over changes of daylight saving time.

cronsim knows Debian cron's rules: a time that a clock change skips fires right after the change, a time that comes
twice fires once. What is awkward about it stays here: it takes syntax that CronJob does not, and after a doubled hour
it looks at the wall and may answer with the past.

A coordinator asks the same of thousands of nodes, so answers are kept by schedule, zone and minute: a fire is at a full
minute (all zones' offsets are full minutes since 1972), so within a minute nothing changes.
"""

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError


SYNTAX: Final = re.compile(r"[0-9A-Za-z*/,-]+( +[0-9A-Za-z*/,-]+){4}")
LONGEST: Final = 256

_ZONE_NAME: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
# Files beside the zones that mean "whatever this machine has": another one on each node.
_NOT_A_ZONE: Final = frozenset({"local", "localtime", "posixrules"})
_LAST_DAY_FORMS: Final = re.compile(r"(^|[ ,])([0-9]*L|LW)($|[ ,/])", re.IGNORECASE)
_SOME_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
_ANSWERS_KEPT: Final = 8192


def schedule_error(schedule: str) -> str:
    """Say what is wrong with a cron expression of five fields, "" if nothing is."""
    if len(schedule) > LONGEST or not SYNTAX.fullmatch(schedule):
        return 'must be five cron fields (minute, hour, day of month, month, day of week), such as "0 2 * * *"'
    if _LAST_DAY_FORMS.search(schedule):
        return "the form L is not supported"
    try:
        next(CronSim(schedule, _SOME_DAY))
    except CronSimError as error:
        return str(error).replace("Bad ", "bad ")
    except StopIteration:
        return "never fires"
    return ""


def time_zone_error(name: str) -> str:
    """Say why a name is no time zone that each node knows alike, "" if it is one."""
    try:
        find_time_zone(name)
    except ValueError as error:
        return str(error)
    return ""


def find_time_zone(name: str | None) -> tzinfo:
    """
    Return a zone of the IANA database by name; None is UTC.

    Raises:
        ValueError: there is no such zone.

    """
    if name is None:
        return UTC
    unknown = ValueError('must be a time zone of the IANA database, such as "Europe/Berlin"')
    if not _ZONE_NAME.fullmatch(name) or name.lower() in _NOT_A_ZONE:
        raise unknown
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise unknown from None


def next_fire(schedule: str, *, zone: tzinfo, after: datetime) -> datetime | None:
    """Return the first moment later than `after` (in UTC), None if there is none within 50 years."""
    return _next_fire(schedule, zone, _minute(after))


def latest_fire(schedule: str, *, zone: tzinfo, until: datetime) -> datetime | None:
    """Return the last moment not later than `until` (in UTC), None if there is none within 50 years."""
    return _latest_fire(schedule, zone, _minute(until))


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


@functools.lru_cache(maxsize=_ANSWERS_KEPT)
def _next_fire(schedule: str, zone: tzinfo, after: datetime) -> datetime | None:
    return next((fire for fire in _fires(schedule, after.astimezone(zone)) if fire > after), None)


@functools.lru_cache(maxsize=_ANSWERS_KEPT)
def _latest_fire(schedule: str, zone: tzinfo, until: datetime) -> datetime | None:
    local = until.astimezone(zone) + timedelta(seconds=1)
    doubled = (local.replace(fold=0).utcoffset() or timedelta()) - (local.replace(fold=1).utcoffset() or timedelta())
    # Within the second pass of a doubled hour the first one lies later on the wall but earlier in time.
    start = local + max(doubled, timedelta())
    return next((fire for fire in _fires(schedule, start, reverse=True) if fire <= until), None)


def _fires(schedule: str, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    for fire in CronSim(schedule, start, reverse=reverse):
        yield fire.astimezone(UTC)
