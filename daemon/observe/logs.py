"""
Logs: one JSON object a line for programs, a readable line for a person at a terminal.

The only place that configures structlog and the standard library's logging. An event's name is in the past tense
(`image_pulled`), its keys are flat and in snake_case with their units in the name. No secret is ever handed to it.
"""

import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from daemon.observe.output import Lines
from daemon.observe.plain import MOST_CHARACTERS, instant, plain, text


LIBRARY_WARNED = "library_warned"

_FIRST_KEYS = ("time", "level", "event")
_OWN_KEYS = frozenset({*_FIRST_KEYS, "exception", "lines_lost"})


class Logger(Protocol):
    """Writes log lines; what is bound stands in each of them. Thread-safe, and no call raises."""

    def bind(self, **values: object) -> "Logger":
        """Return one whose lines hold these too."""
        ...

    def debug(self, event: str, **values: object) -> None:
        """Tell what only someone who looks for a defect wants to know."""
        ...

    def info(self, event: str, **values: object) -> None:
        """Tell what happened."""
        ...

    def warning(self, event: str, **values: object) -> None:
        """Tell what went wrong and is tried again."""
        ...

    def error(self, event: str, **values: object) -> None:
        """Tell what went wrong for good; `exc_info=error` adds an exception's traceback as text."""
        ...

    def exception(self, event: str, **values: object) -> None:
        """Tell an error with the exception that is being handled."""
        ...


def configure(form: str, *, stream: TextIO | None, level: str = "info") -> None:
    """
    Let every logger, and what libraries warn of, write to a stream from now on.

    Args:
        form: json, console, or auto: console where the stream is a terminal, else json.
        stream: where lines go; None, a closed stream, is nowhere.
        level: debug, info, warning or error; what is below is not written.
    """
    lines = Lines(stream)
    is_console = form == "console" or (form == "auto" and lines.is_terminal)
    structlog.configure(
        processors=[_rendered(_console if is_console else _json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_arguments: lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Libraries(logger())]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def logger(**bound: object) -> Logger:
    """Return a logger as configured last, which has these values in each of its lines."""
    return cast("Logger", structlog.get_logger().bind(**bound))


class _Libraries(logging.Handler):
    """Hands on what libraries warn of through the standard library (urllib3 its retries, Python its warnings)."""

    def __init__(self, own: Logger) -> None:
        super().__init__(level=logging.WARNING)
        self._logger = own

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a library's own formatting, which may not end our thread
            message = f"{record.msg} ({error})"
        log = self._logger.error if record.levelno >= logging.ERROR else self._logger.warning
        log(LIBRARY_WARNED, library=record.name, message=message, exc_info=record.exc_info)


def _rendered(render: Callable[[dict[str, object], str], bytes]) -> Processor:
    """Make the one processor: values in, a line out, whatever the values are."""

    def process(lines: WrappedLogger, level: str, values: EventDict) -> bytes:
        try:
            return render(_line(cast("Lines", lines), level, values), lines.encoding)
        except Exception as error:  # noqa: BLE001 - nothing that is logged may end the thread that logs it
            return render({"time": instant(datetime.now(UTC)), "level": "error", "event": f"{type(error)}"}, "ascii")

    return process


def _json(line: dict[str, object], encoding: str) -> bytes:
    del encoding
    return msgspec.json.encode(line)


def _console(line: dict[str, object], encoding: str) -> bytes:
    """Write time, level, event, then key=value; what a terminal would act on is escaped, the traceback comes below."""
    exception = line.pop("exception", "")
    time, level, event = (str(line.pop(key)) for key in _FIRST_KEYS)
    first = " ".join([time, level.ljust(7), event, *(f"{key}={_shown(value)}" for key, value in line.items())])
    return "\n".join(map(_printable, [first, *str(exception).splitlines()])).encode(encoding, "backslashreplace")


def _line(lines: Lines, level: str, values: EventDict) -> dict[str, object]:
    """Put a line's values in order, each one plain; one that is called as ours are gets an underscore."""
    now = instant(datetime.now(UTC))
    line: dict[str, object] = {"time": now, "level": level, "event": text(values.pop("event", ""))}
    exception = _exception(values.pop("exc_info", None))
    line |= {f"{text(key)}{'_' * (key in _OWN_KEYS)}": plain(value) for key, value in values.items()}
    if exception:
        line["exception"] = exception
    if lines.lost:
        line["lines_lost"] = lines.lost
    return line


def _exception(given: object) -> str:
    """Write a traceback with its causes as text; of one that is too long the end, where the cause is."""
    error = given if isinstance(given, BaseException) else None
    if given is True:
        error = sys.exception()
    elif isinstance(given, tuple):
        error = given[1]
    if error is None:
        return ""
    words = "".join(traceback.format_exception(error)).rstrip()
    return text(words[-MOST_CHARACTERS:])


def _shown(value: object) -> str:
    is_word = isinstance(value, str) and value and not any(char.isspace() or char in "\"'=" for char in value)
    return str(value) if is_word else msgspec.json.encode(value).decode()


def _printable(row: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in row)
