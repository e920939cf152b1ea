"""Live bars on a terminal, drawn by rich (the extra `terminal`): one a running pull, what has ended above them."""

from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from daemon.display.events import Event
from daemon.display.output import OutputLost
from daemon.display.text import progress, sentence


_QUIET = frozenset({"pull_started", "pull_progressed"})
_STYLES = {"image_failed": "red", "attempt_failed": "yellow", "waiting_for_space": "yellow", "runtime_lost": "red"}
# What the words of a pull take, such as "48% 39.1 MiB of 80.1 MiB, 10.3 MiB/s, 5 s left", with the gaps.
_WORDS_WIDTH = 52
_NAME_WIDTHS = range(16, 41)
_BAR_WIDTHS = range(6, 25)


class Bars:
    """Draws a bar for each pull under way and prints a line for everything else."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        room = self._console.width - _WORDS_WIDTH
        self._name_width = _within(_NAME_WIDTHS, room - _BAR_WIDTHS[0])
        columns = (
            TextColumn("{task.fields[image]}", markup=False),
            BarColumn(bar_width=_within(_BAR_WIDTHS, room - self._name_width)),
            TextColumn("{task.description}", markup=False),
        )
        self._progress = Progress(*columns, console=self._console, refresh_per_second=8, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def show(self, event: Event) -> None:
        """
        Move the image's bar, or print the event above the bars.

        Raises:
            OutputLost: the terminal has gone.
        """
        try:
            self._show(event)
        except OSError as error:
            raise OutputLost(error.strerror) from error

    def _show(self, event: Event) -> None:
        if event.event in _QUIET:
            self._move(event)
            return
        for image in tuple(self._tasks) if event.event == "runtime_lost" else (event.image,):
            self._drop(image)
        self._console.print(sentence(event), style=_STYLES.get(event.event, ""), markup=False)

    def close(self) -> None:
        """Take the bars away and show the cursor again; twice is fine."""
        with suppress(OSError):
            self._progress.stop()

    def _move(self, event: Event) -> None:
        if event.image not in self._tasks:
            self._tasks[event.image] = self._progress.add_task("pulling", total=None, image=self._short(event.image))
        total = event.bytes_total or None
        self._progress.update(
            self._tasks[event.image], total=total, completed=event.bytes_done, description=progress(event)
        )

    def _drop(self, image: str) -> None:
        task = self._tasks.pop(image, None)
        if task is not None:
            self._progress.remove_task(task)

    def _short(self, image: str) -> str:
        """Keep the end of a long name, where tags and digests differ."""
        return image if len(image) <= self._name_width else "..." + image[-(self._name_width - 3) :]


def _within(widths: range, room: int) -> int:
    return max(widths[0], min(room, widths[-1]))
