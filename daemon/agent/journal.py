"""
What a change of the node's state is worth in the log: a line for each thing that happened, one a minute for the rest.

The events are display/'s, as `prewarm run` shows them, each with its image, version and attempt. Progress is left out
at level info, since a line each half second is no log; the minute's line says how much is still open.
"""

from collections import Counter
from collections.abc import Callable

import msgspec

from daemon.agent.measures import images_by_state, state_of
from daemon.clock import Moment
from daemon.display.events import Event, events_between
from daemon.node.task import NodeState
from daemon.observe.logs import Logger


SUMMARY_SECONDS = 60.0
IMAGES_COUNTED = "images_counted"

_DEBUG = frozenset({"pull_progressed"})
_WARNING = frozenset({"attempt_failed", "image_lost", "waiting_for_space", "runtime_lost"})
_ERROR = frozenset({"image_failed"})
_LINE_HAS = frozenset({"time", "event"})


class Journal:
    """Hears of every change of a node, in its loop's thread, and writes it down."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._counted_seconds: float | None = None

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Write what happened, and the minute's line when it is time."""
        for event in events_between(before, after, now=now) if before is not after else ():
            self._write(event, size_bytes=_size_bytes(event, before))
        self._count(after, now=now)

    def _write(self, event: Event, *, size_bytes: int) -> None:
        values = {key: value for key, value in msgspec.to_builtins(event).items() if key not in _LINE_HAS}
        if event.event == "image_pulled" and size_bytes:
            values["bytes"] = size_bytes
        self._level(event.event)(event.event, **values)

    def _level(self, event: str) -> Callable[..., None]:
        if event in _DEBUG:
            return self._logger.debug
        if event in _WARNING:
            return self._logger.warning
        return self._logger.error if event in _ERROR else self._logger.info

    def _count(self, state: NodeState, *, now: Moment) -> None:
        """Write the minute's line; where nothing is open, nothing."""
        counts = images_by_state(state)
        if not counts["pulling"] + counts["waiting"]:
            self._counted_seconds = None
        elif self._counted_seconds is None:
            self._counted_seconds = now.seconds
        elif now.seconds >= self._counted_seconds + SUMMARY_SECONDS:
            self._counted_seconds = now.seconds
            self._logger.info(IMAGES_COUNTED, summary=summary(state), **counts)


def summary(state: NodeState) -> str:
    """Say in a line how much is open: "3 of 20 images open: 1 pulling, 2 waiting (2 RegistryUnavailable)"."""
    counts = images_by_state(state)
    words = [f"{counts[name]} {name}" for name in ("pulling", "waiting", "suspended") if counts[name]]
    reasons = Counter(task.reason for task in state.tasks.values() if task.reason and state_of(task) == "waiting")
    why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    away = "" if state.is_runtime_up else "; the runtime does not answer"
    is_open = counts["pulling"] + counts["waiting"]
    return f"{is_open} of {len(state.tasks)} images open: {', '.join(words)}{f' ({why})' if why else ''}{away}"


def _size_bytes(event: Event, before: NodeState) -> int:
    """Tell how large the image is as it travels, where the pull was long enough to learn it."""
    pulls = (task.progress for task in before.tasks.values() if task.wanted.image == event.image and task.progress)
    return max((progress.bytes_total for progress in pulls), default=0)
