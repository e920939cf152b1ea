"""What the log has of a node: a line for what happened, with what one needs to act, and one a minute of open work."""

import io
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from msgspec.structs import replace

from daemon.agent.journal import SUMMARY_SECONDS, Journal, summary
from daemon.agent.measures import Measures
from daemon.api.nodeimage import Phase, TagStatus
from daemon.node import transitions
from daemon.node.task import CancelCause, NodeState
from daemon.node.wanted import Wanted
from daemon.observe.asked import Asked
from daemon.observe.logs import configure, logger
from daemon.observe.metrics import AgentMetrics, Space
from tests.unit.agent.observed import ObservedNode, progress, states_of_a_run_with_credentials
from tests.unit.node.virtual_node import (
    DONE,
    LOW,
    PRESENT,
    RUNTIME_DOWN,
    UNAVAILABLE,
    cancelled,
    image,
    moment,
)
from tests.unit.observe.before import logging_as_before


IMAGE = "registry.example/app:v1"


class Log:
    """Log lines as they are written."""

    def __init__(self, *, level: str = "info") -> None:
        self._stream = io.StringIO()
        configure("json", stream=self._stream, level=level)

    def take(self) -> list[dict[str, object]]:
        """Return the lines since the last time, without their times."""
        rows = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        self._stream.seek(0)
        self._stream.truncate()
        for row in rows:
            del row["time"]
        return rows

    def names(self) -> list[str]:
        """Return the names of the lines since the last time."""
        return [str(row["event"]) for row in self.take()]


@pytest.fixture
def log() -> Iterator[Log]:
    """An empty log."""
    with logging_as_before():
        yield Log()


@pytest.fixture
def node(log: Log) -> ObservedNode:
    """A node that has begun to bring one image, and not yet asked the registry."""
    node = ObservedNode(Journal(logger(node="n1")))
    node.want(image(backoff_limit=1))
    assert [] == log.take()
    return node


def test_a_pull_is_told_from_begin_to_end(node: ObservedNode, log: Log) -> None:
    """Each line has image, version and attempt; the end has its time, size, digest, and whether it changed."""
    node.ask_registry()
    begun = log.take()
    node.progress(progress(40))
    node.advance(2)
    node.end_worker(1, replace(DONE, digest="sha256:1"))
    ended = log.take()

    assert [
        {
            "level": "info",
            "event": "pull_started",
            "node": "n1",
            "image": IMAGE,
            "version": 1,
            "attempt": 1,
            "attempts_allowed": 2,
        }
    ] == begun
    assert [
        {
            "level": "info",
            "event": "image_pulled",
            "node": "n1",
            "image": IMAGE,
            "version": 1,
            "attempt": 1,
            "attempts_allowed": 2,
            "digest": "sha256:1",
            "image_id": DONE.image_id,
            "changed": True,
            "seconds": 2.0,
            "bytes": 100,
        }
    ] == ended


def test_progress_is_no_line_at_info(node: ObservedNode, log: Log) -> None:
    """There would be one each half second."""
    node.ask_registry()
    log.take()

    node.progress(progress(40))

    assert [] == log.take()


def test_progress_is_a_line_at_debug(log: Log) -> None:
    """For someone who looks for a defect."""
    log = Log(level="debug")
    node = ObservedNode(Journal(logger()))
    node.want(image())
    node.ask_registry()

    node.progress(progress(40))

    assert ["pull_started", "pull_progressed"] == log.names()


def test_a_failed_attempt_says_why_and_when_the_next_is(node: ObservedNode, log: Log) -> None:
    """As a warning, since it is tried again; the last one is an error."""
    node.ask_registry()
    log.take()
    node.end_worker(1, UNAVAILABLE)
    (first,) = log.take()
    node.advance(1)
    node.end(UNAVAILABLE)
    _, last = log.take()

    assert ("warning", "attempt_failed", 1, 1) == (
        first["level"],
        first["event"],
        first["attempt"],
        first["retry_in_seconds"],
    )
    assert ("RegistryUnavailable", "connection refused") == (first["reason"], first["message"])
    assert ("error", "image_failed", 2, "RegistryUnavailable") == (
        last["level"],
        last["event"],
        last["attempt"],
        last["reason"],
    )


def test_what_happens_to_an_image_is_told(node: ObservedNode, log: Log) -> None:
    """Present, lost, suspended, withdrawn, without space: a line each."""
    node.end(PRESENT)
    present = log.names()
    node.lose()
    lost = log.names()
    node.end(LOW)
    low = log.names()
    node.want(image(is_suspended=True))
    suspended = log.names()
    node.want()
    withdrawn = log.names()

    assert (["image_present"], ["image_lost"], ["waiting_for_space"]) == (present, lost, low)
    assert (["image_suspended"], ["image_withdrawn"]) == (suspended, withdrawn)


def test_what_happens_to_the_runtime_is_told(node: ObservedNode, log: Log) -> None:
    """Once when it goes, once when it is back."""
    node.end(RUNTIME_DOWN)
    lost = log.names()
    node.runtime_answers()

    assert (["pull_started", "runtime_lost"], ["runtime_found"]) == (lost, log.names())


def test_what_an_earlier_process_said_is_no_line(log: Log) -> None:
    """A restart does not tell all of it again."""
    wanted = image()
    answer = TagStatus(tag="v1", phase=Phase.SUCCEEDED, version=1)
    wish = Wanted(uid="node", generation=1, images=(wanted,), answers={wanted.key: answer})

    Journal(logger()).changed(NodeState(), transitions.want(NodeState(), wish, now=moment(1)), now=moment(1))

    assert [] == log.take()


def _go_round(node: ObservedNode, *, minutes: int) -> None:
    """Let a node that has nothing to do go round as its loop does."""
    for _ in range(minutes):
        node.seconds += SUMMARY_SECONDS
        node.tick()


def test_while_work_is_open_a_line_a_minute_says_how_much(log: Log) -> None:
    """In words and in figures."""
    node = ObservedNode(Journal(logger()), slots=1)
    node.want(image("app"), image("web"), image("off", is_suspended=True))
    log.take()

    _go_round(node, minutes=3)

    rows = log.take()
    assert ["images_counted"] * 3 == [row["event"] for row in rows]
    assert {
        "level": "info",
        "event": "images_counted",
        "summary": "2 of 3 images open: 1 pulling, 1 waiting, 1 suspended",
        "waiting": 1,
        "pulling": 1,
        "suspended": 1,
        "succeeded": 0,
        "failed": 0,
    } == rows[0]


def test_nothing_open_is_no_line(node: ObservedNode, log: Log) -> None:
    """An idle node is silent, and one that has only suspended images too."""
    node.end(DONE)
    node.want(image(), image("off", is_suspended=True))
    log.take()

    _go_round(node, minutes=5)

    assert [] == log.take()


def test_many_changes_in_a_minute_are_one_summary(node: ObservedNode, log: Log) -> None:
    """The minute counts from when something became open."""
    node.ask_registry()
    for done in range(0, 100, 5):
        node.seconds += 2
        node.progress(progress(done))
    early = log.names()
    node.seconds += 25
    node.progress(progress(99))

    assert ["pull_started"] == early
    assert ["images_counted"] == log.names()


def test_the_summary_says_what_is_waited_for(node: ObservedNode) -> None:
    """The reasons of those that wait, and that the runtime is away."""
    node.want(image(backoff_limit=1), image("web"))
    node.end(UNAVAILABLE)
    retried = summary(node.state)
    node.end(RUNTIME_DOWN, name="web")

    assert "2 of 2 images open: 1 pulling, 1 waiting (1 RegistryUnavailable)" == retried
    assert (
        "2 of 2 images open: 2 waiting (1 RegistryUnavailable, 1 RuntimeUnavailable); the runtime does not answer"
        == summary(node.state)
    )


def test_no_line_and_no_metric_of_a_run_with_credentials_shows_them(log: Log) -> None:
    """Neither of a pull that they opened, nor of one whose registry refused them and repeated them in its words."""
    del log
    debug = Log(level="debug")
    metrics = AgentMetrics(version="1", space=Asked(lambda: Space(free_bytes=1, size_bytes=1, floor_bytes=0)))
    observers = (Journal(logger()), Measures(metrics))

    states = states_of_a_run_with_credentials("sentinel-word")
    for before, after in pairwise(states):
        for observer in observers:
            observer.changed(before, after, now=moment(1))

    shown = json.dumps(debug.take())
    assert "image_failed" in shown
    assert "image_pulled" in shown
    assert "sentinel-word" not in shown
    assert b"sentinel-word" not in metrics.text()


def test_a_cancelled_pull_adds_no_line(node: ObservedNode, log: Log) -> None:
    """The withdrawal has been told."""
    node.ask_registry()
    node.want()
    log.take()

    node.end_worker(1, cancelled(CancelCause.WITHDRAWN))

    assert [] == log.take()
