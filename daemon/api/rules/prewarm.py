"""The rules of spec.prewarm, Prewarm's additions to a job: suspension, priority, gate, space and refresh."""

from datetime import datetime
from typing import Final

from daemon.api.fields import INT32_MAX, Default, Field
from daemon.api.imagepulljob import CompletionType, JobPrewarm, Refresh
from daemon.api.quantity import COUNT, PERCENTAGE
from daemon.api.rules.scalars import read_min_free, read_time
from daemon.api.schedule import schedule_error, time_zone_error


_PREWARM: Final = ("gate", "minFree", "priority", "refresh", "suspend")
_REFRESH: Final = ("at", "schedule", "spreadSeconds", "startingDeadlineSeconds", "timeZone")
_GO_WITH_SCHEDULE: Final = ("spreadSeconds", "startingDeadlineSeconds", "timeZone")


def read_prewarm(field: Field, *, completion: CompletionType, is_list: bool) -> JobPrewarm:
    """Read spec.prewarm; refresh is for Never jobs, listParallelism for lists."""
    if not field.is_present or not field.is_object((*_PREWARM, "listParallelism") if is_list else _PREWARM):
        return JobPrewarm()
    return JobPrewarm(
        suspend=field.child("suspend").boolean(default=False),
        priority=field.child("priority").integer(0, minimum=-INT32_MAX - 1),
        gate=field.child("gate").boolean(default=False),
        min_free=read_min_free(field.child("minFree")),
        refresh=_refresh(field.child("refresh"), completion=completion),
        list_parallelism=read_parallelism(field.child("listParallelism"), default=None) if is_list else None,
    )


def read_parallelism(field: Field, *, default: Default) -> int | str | Default:
    """Read a number of nodes, or a percentage of them as text; digits in quotes are a number, as OpenKruise has it."""
    if not field.is_present or (field.value is None and default is not None):
        return default
    if type(field.value) is not str:
        if type(field.value) not in (int, float):
            field.wrong_type("integer,string")
            return default
        return field.integer(default)
    text = field.value
    if PERCENTAGE.fullmatch(text):
        return text
    if COUNT.fullmatch(text) and int(text) <= INT32_MAX:
        return int(text)
    field.invalid('must be an integer >= 0, or a percentage from "0%" to "100%"')
    return default


def _refresh(field: Field, *, completion: CompletionType) -> Refresh | None:
    if not field.is_present or not field.is_object(_REFRESH):
        return None
    if completion is not CompletionType.NEVER:
        field.forbidden('only a job whose completionPolicy.type is "Never" renews its images')
    _check_schedule_is_there(field)
    refresh = Refresh(
        schedule=_schedule(field.child("schedule")),
        time_zone=_time_zone(field.child("timeZone")),
        spread_seconds=field.child("spreadSeconds").integer(None),
        starting_deadline_seconds=field.child("startingDeadlineSeconds").integer(None, minimum=1),
        at=_whole_seconds(read_time(field.child("at"))),
    )
    _check_spread(field.child("spreadSeconds"), refresh)
    return refresh


def _whole_seconds(at: datetime | None) -> datetime | None:
    """Drop parts of a second: createdAt has none, so what is granted in that second would count as older, and again."""
    return None if at is None else at.replace(microsecond=0)


def _check_schedule_is_there(field: Field) -> None:
    present = [name for name in _GO_WITH_SCHEDULE if field.child(name).is_present]
    if present and not field.child("schedule").is_present:
        field.child("schedule").required(f"{present[0]} is about a schedule")


def _schedule(field: Field) -> str | None:
    schedule = field.optional_string()
    if schedule is not None and (why := schedule_error(schedule)):
        field.invalid(why)
    return schedule


def _time_zone(field: Field) -> str | None:
    name = field.optional_string()
    if name is not None and (why := time_zone_error(name)):
        field.invalid(why)
    return name


def _check_spread(field: Field, refresh: Refresh) -> None:
    spread, deadline = refresh.spread_seconds, refresh.starting_deadline_seconds
    if spread is not None and deadline is not None and spread > deadline:
        field.invalid(f"must be <= startingDeadlineSeconds ({deadline}), or the last nodes would never start")
