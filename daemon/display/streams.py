"""
Events to a stream that is no terminal: a JSON line each for programs, or a plain line each for people's logs.

Progress is thinned here (each 5 %, and at least every 5 s); everything else is written as it comes, and flushed.
"""

import json
from datetime import datetime, timedelta
from typing import Protocol, TextIO

import msgspec

from daemon.display.events import Event
from daemon.display.output import write_line
from daemon.display.text import sentence


PROGRESS_PERCENT = 5
PROGRESS_INTERVAL = timedelta(seconds=5)


class Display(Protocol):
    """Shows events as they happen."""

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Leave the stream as a shell expects it."""
        ...


class JsonLines:
    """Writes each event as one JSON object on a line of its own, in ASCII, which every locale has."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thinner = _Thinner()

    def show(self, event: Event) -> None:
        """Write the event, unless it is progress too small to tell."""
        if self._thinner.is_worth(event):
            write_line(self._stream, json.dumps(msgspec.to_builtins(event), separators=(",", ":")))

    def close(self) -> None:
        """Do nothing: each line was flushed."""


class PlainLines:
    """Writes each event as a sentence on a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thinner = _Thinner()

    def show(self, event: Event) -> None:
        """Write the event, unless it is progress too small to tell."""
        if self._thinner.is_worth(event):
            write_line(self._stream, sentence(event))

    def close(self) -> None:
        """Do nothing: each line was flushed."""


class _Thinner:
    """Remembers what was last said of each image's progress."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[int, str, datetime]] = {}

    def is_worth(self, event: Event) -> bool:
        if event.event != "pull_progressed":
            self._said.pop(event.image, None)
            return True
        percent, stage, at = self._said.get(event.image, (-PROGRESS_PERCENT, "", event.time - PROGRESS_INTERVAL))
        now_percent = event.percent or 0
        is_step = now_percent >= percent + PROGRESS_PERCENT or event.stage != stage
        if not is_step and event.time < at + PROGRESS_INTERVAL:
            return False
        self._said[event.image] = (now_percent, event.stage, event.time)
        return True
