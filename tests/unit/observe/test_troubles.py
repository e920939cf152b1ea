"""What fails is told when it begins, becomes another, and ends; what repeats is not."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.observe.logs import configure, logger
from daemon.observe.troubles import Troubles
from tests.unit.cluster.clock import SetClock
from tests.unit.observe.before import logging_as_before


class Kept:
    """Troubles, with their log and their clock."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        configure("json", stream=self._stream)
        self.clock = SetClock()
        self.troubles = Troubles(logger(), clock=self.clock)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged, without its time and level."""
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [{name: value for name, value in line.items() if name not in {"time", "level"}} for line in lines]

    @property
    def events(self) -> list[str]:
        """Return the names of all lines."""
        return [line["event"] for line in self.lines]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Troubles of which there are none yet."""
    with logging_as_before():
        yield Kept()


def test_a_failure_that_repeats_is_told_once(kept: Kept) -> None:
    """And again when it becomes another, and when it is over."""
    for message in ("refused", "refused", "timed out"):
        kept.troubles.failed("watch", error="Unreachable", message=message)
    kept.troubles.over("watch")
    kept.troubles.over("watch")

    assert ["watch_failed", "watch_failed", "watch_works_again"] == kept.events
    assert {"event": "watch_failed", "error": "Unreachable", "message": "refused"} == kept.lines[0]


def test_troubles_of_one_name_are_told_apart_by_what_they_are_about(kept: Kept) -> None:
    """One watch that works again says nothing of the others."""
    for resource in ("nodes", "pods"):
        kept.troubles.failed("watch", error="Denied", message="forbidden", resource=resource)

    kept.troubles.over("watch", resource="nodes")

    assert {"pods": "watch pods: Denied: forbidden"} == {
        resource: trouble.words for resource, trouble in kept.troubles.of("watch").items()
    }
    assert {"event": "watch_works_again", "resource": "nodes"} == kept.lines[-1]


def test_what_repeats_is_as_new_as_it_was_last_seen(kept: Kept) -> None:
    """By that a failure is told from one that a later success has mended."""
    kept.troubles.failed("status", error="Denied", message="forbidden")
    kept.clock.seconds += 60
    kept.troubles.failed("status", error="Denied", message="forbidden")

    assert kept.clock.seconds == kept.troubles.of("status")[""].seconds


def test_what_is_forgotten_is_not_told(kept: Kept) -> None:
    """Nobody asks for it any more, which is no success."""
    kept.troubles.failed("watch", error="NotFound", message="gone", resource="pods")

    kept.troubles.forget("watch")
    kept.troubles.over("watch", resource="pods")

    assert ["watch_failed"] == kept.events
    assert {} == kept.troubles.of("watch")
