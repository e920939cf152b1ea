"""Pages on a terminal, drawn again in place by rich (the extra `terminal`), in colours unless NO_COLOR is set."""

from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from daemon.display.output import OutputLost
from daemon.overview.documents import Document
from daemon.overview.draw import LINE_BARS, Line, harmless, lines_of
from daemon.overview.fitting import fitted
from daemon.overview.page import Tone
from daemon.overview.pages import page_for


_STYLES: Final[Mapping[Tone, str]] = {
    Tone.PLAIN: "",
    Tone.HEAD: "bold",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
    Tone.DIM: "dim",
}
# The page has these lines fewer than the terminal: the cursor's, and the one that tells of the rest.
_SPARE_LINES: Final = 2


class Redrawn:
    """Draws each document in the place of the one before; what does not fit is counted below."""

    def __init__(self, stream: TextIO, *, is_wide: bool) -> None:
        self._is_wide = is_wide
        self._console = Console(file=stream, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def show(self, document: Document, *, trouble: str) -> None:
        """
        Draw a document.

        Raises:
            OutputLost: the terminal has gone.
        """
        room = max(1, self._console.height - _SPARE_LINES - bool(trouble))
        page = fitted(page_for(document, is_wide=self._is_wide), lines=room)
        try:
            self._live.update(_drawn(lines_of(page, bars=LINE_BARS), trouble=trouble, room=room), refresh=True)
        except OSError as error:
            raise OutputLost(error.strerror) from error

    def close(self) -> None:
        """Leave the last page, and show the cursor again; twice is fine."""
        try:
            self._live.stop()
        except OSError as error:
            raise OutputLost(error.strerror) from error


def _drawn(lines: Sequence[Line], *, trouble: str, room: int) -> Text:
    """Put lines together; on a terminal that is too small even for a page cut short, the first ones."""
    shown = [_text(line) for line in lines[:room]]
    if len(lines) > room:
        shown.append(Text(f"... {len(lines) - room} more lines", style=_STYLES[Tone.DIM]))
    if trouble:
        shown.append(Text(harmless(trouble), style=_STYLES[Tone.WARN]))
    text = Text("\n").join(shown)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _text(line: Line) -> Text:
    return Text.assemble(*((piece.text, _STYLES[piece.tone]) for piece in line))
