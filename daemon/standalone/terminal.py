"""Which display fits an output: bars on a terminal, JSON lines in a pipe, unless a person chose."""

import importlib.util
from typing import TextIO

from daemon.display.streams import Display, JsonLines, PlainLines


def display_for(output: str, *, stream: TextIO) -> Display:
    """Open the display for --output; a terminal without the extra `terminal` (rich) gets plain lines."""
    form = output
    if output == "auto":
        form = "bars" if stream.isatty() else "json"
    if form == "bars" and importlib.util.find_spec("rich") is not None:
        from daemon.display.bars import Bars

        return Bars(stream)
    return JsonLines(stream) if form == "json" else PlainLines(stream)
