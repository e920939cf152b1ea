"""What a coordinator sees of OpenKruise is in its state and metrics at each look, and in its log when it changes."""

import io
import json
from collections.abc import Iterator

import pytest

from daemon.beside.verdict import Finding, Row, Way
from daemon.cluster.errors import Unreachable
from daemon.config import CoordinatorSettings
from daemon.coordinator.journal import Journal
from daemon.coordinator.neighbours import Neighbours
from daemon.coordinator.view import View
from daemon.coordinator.watchman import Watchman
from daemon.observe.coordinator_metrics import CoordinatorMetrics
from daemon.observe.logs import configure, logger
from tests.unit.cluster.clock import SetClock
from tests.unit.observe.before import logging_as_before


THEIRS = Finding(
    row=Row.THEIR_MANAGER, summary="it leads", ways=(Way("leave it", "kubectl a"), Way("end it", "helm b"))
)
WELL = Finding(row=Row.ALONE, summary="nobody else")
UNSURE = Finding(row=Row.ALONE, summary="nobody else; not known", notes=("not known",))


class Seen:
    """Everyone who is told, and what they show of it."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        configure("json", stream=self._stream)
        clock = SetClock()
        watchman = Watchman(logger(), clock=clock)
        view = View(CoordinatorSettings(identity="prewarm-0"), leader=str, watchman=watchman, clock=clock)
        metrics = CoordinatorMetrics(version="1", figures=view.figures)
        self.neighbours = Neighbours(journal=Journal(logger()), metrics=metrics, view=view, watchman=watchman)
        self._routes = view.routes(metrics)
        watchman.requested("get", "leases", "200")

    @property
    def lines(self) -> list[dict[str, object]]:
        """The lines of the log, without their times."""
        rows = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [{key: value for key, value in row.items() if key != "time"} for row in rows]

    def text(self, path: str) -> str:
        """What a path answers."""
        return self._routes[path]().body.decode()

    @property
    def samples(self) -> list[str]:
        """The samples of the one metric."""
        return [
            one for one in self.text("/metrics").splitlines() if one.startswith("prewarm_coordinator_stands_aside{")
        ]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Nothing was looked at yet."""
    with logging_as_before():
        yield Seen()


def test_before_the_first_look_it_waits(seen: Seen) -> None:
    """And knows of nobody; it is ready all the same."""
    assert None is json.loads(seen.text("/state"))["beside"]
    assert ['prewarm_coordinator_stands_aside{row="undecided"} 1.0'] == seen.samples
    assert "ok\n" == seen.text("/readyz")


def test_each_look_is_shown(seen: Seen) -> None:
    """The newest alone, and no line of the log."""
    seen.neighbours.found(THEIRS)
    state, samples = json.loads(seen.text("/state"))["beside"], seen.samples
    seen.neighbours.found(WELL)

    assert {
        "row": "their-manager",
        "stands_aside": True,
        "summary": "it leads",
        "ways": ["leave it: kubectl a", "end it: helm b"],
    } == state
    assert ['prewarm_coordinator_stands_aside{row="their-manager"} 1.0'] == samples
    assert ['prewarm_coordinator_stands_aside{row="alone"} 0.0'] == seen.samples
    assert [] == seen.lines


@pytest.mark.parametrize(("level", "finding"), [("warning", THEIRS), ("info", WELL), ("warning", UNSURE)])
def test_a_change_is_a_line_with_the_ways_out(seen: Seen, level: str, finding: Finding) -> None:
    """A warning unless nobody else serves the jobs and all could be seen."""
    seen.neighbours.changed(finding)

    assert [
        {
            "level": level,
            "event": "beside_openkruise",
            "row": finding.row.value,
            "stands_aside": finding.stands_aside,
            "summary": finding.summary,
            "ways": [str(way) for way in finding.ways],
        }
    ] == seen.lines


def test_a_look_that_fails_is_told_when_it_begins_and_when_it_is_over(seen: Seen) -> None:
    """It keeps nobody from being ready: what was known still stands."""
    seen.neighbours.missed(Unreachable("get leases: no answer in time"))
    seen.neighbours.missed(Unreachable("get leases: no answer in time"))
    ready = seen.text("/readyz")
    seen.neighbours.found(WELL)

    assert ["beside_failed", "beside_works_again"] == [line["event"] for line in seen.lines]
    assert "ok\n" == ready
