"""What is said of the API server: in words for /readyz, once in the log, and each time in the metrics."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.agent.inbound import Inbound
from daemon.agent.watching import NodeImageWatch
from daemon.agent.watchman import Watchman
from daemon.clock import Moment, SystemClock
from daemon.cluster.errors import Denied, Invalid, Unreachable
from daemon.cluster.interface import Telemetry
from daemon.cluster.transport import HttpApi
from daemon.observe.asked import Asked
from daemon.observe.logs import configure, logger
from daemon.observe.metrics import AgentMetrics, Space
from tests.servers.processes import until
from tests.servers.scripted_answers import Answer, refused
from tests.servers.scripted_api import ScriptedApi
from tests.unit.node.running_node import SetClock
from tests.unit.observe.before import logging_as_before


WAIT_SECONDS = 20.0
OURS = {"resources": [{"name": "nodeimages"}]}


def _no_space() -> Space:
    raise OSError


class Watch:
    """A watchman with what it tells: its log and its metrics; its clock stands until it is moved."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        configure("json", stream=self._stream, level="debug")
        self.clock = SetClock()
        self.metrics = AgentMetrics(version="1", space=Asked(_no_space))
        self.man = Watchman(logger(), metrics=self.metrics, clock=self.clock)

    @property
    def now(self) -> Moment:
        """This instant."""
        return self.clock.now()

    @property
    def lines(self) -> list[dict[str, object]]:
        """What was logged so far."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    @property
    def events(self) -> list[object]:
        """The names of what was logged so far."""
        return [line["event"] for line in self.lines]

    def counted(self, result: str) -> bool:
        """Tell whether exactly one write with this result was counted."""
        return f'prewarm_status_writes_total{{result="{result}"}} 1.0' in self.metrics.text().decode()


@contextmanager
def watching(watch: Watch, api: ScriptedApi, *, folder: Path) -> Iterator[None]:
    """Watch n1 in a thread, really, and tell the watchman."""
    telemetry = Telemetry(opened=watch.man.watch_heard)
    http = HttpApi(api.access(folder), user_agent="prewarm-test", telemetry=telemetry)
    node_image_watch = NodeImageWatch(
        http,
        node_name="n1",
        inbound=lambda path: Inbound(path, want=lambda _: None, saw=lambda *_: None, listener=watch.man),
        served=lambda _: None,
        missed=watch.man.watch_failed,
        telemetry=telemetry,
        clock=SystemClock(),
    )
    thread = threading.Thread(target=node_image_watch.run, name="watch")
    thread.start()
    try:
        yield
    finally:
        node_image_watch.stop()
        http.close()
        thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A watchman who has heard nothing."""
    with logging_as_before():
        yield Watch()


def test_before_the_first_list_it_is_not_synced(watch: Watch) -> None:
    """With why, as soon as there is a why."""
    before = watch.man.problem(None)

    watch.man.watch_failed(Unreachable("get /apis: connection refused"))

    assert "not synced yet" == before
    assert "watch: Unreachable: get /apis: connection refused" == watch.man.problem(None)


def test_a_watch_that_works_is_no_problem(watch: Watch) -> None:
    """What failed before the last sync is over."""
    watch.man.watch_failed(Unreachable("cut"))
    watch.clock.advance(1)

    assert "" == watch.man.problem(watch.now)


def test_a_watch_that_failed_since_the_last_sync_is_one(watch: Watch) -> None:
    """What is known may be old."""
    synced = watch.now
    watch.clock.advance(1)

    watch.man.watch_failed(Unreachable("cut"))

    assert "watch: Unreachable: cut" == watch.man.problem(synced)


def test_a_status_that_cannot_be_written_is_one_until_it_can(watch: Watch) -> None:
    """The node works, and nobody learns what it has."""
    watch.man.status_failed(Denied("forbidden: patch nodeimages/status"))
    failing = watch.man.problem(watch.now)

    watch.man.status_written()

    assert "status: Denied: forbidden: patch nodeimages/status" == failing
    assert "" == watch.man.problem(watch.now)


def test_a_status_that_has_no_object_any_more_is_no_problem(watch: Watch) -> None:
    """Else a node whose NodeImage was deleted meanwhile would never be ready again."""
    watch.man.status_failed(Denied("forbidden: patch nodeimages/status"))

    watch.man.node_image_missing()

    assert "" == watch.man.problem(watch.now)


def test_a_failure_is_logged_when_it_begins_and_when_it_becomes_another(watch: Watch) -> None:
    """Not with each try: an API server that is away for a day is no thousand lines."""
    for words in ("refused", "refused", "refused", "timed out", "timed out"):
        watch.man.watch_failed(Unreachable(words))

    assert ["watch_failed", "watch_failed"] == watch.events
    assert [("Unreachable", "refused"), ("Unreachable", "timed out")] == [
        (line["error"], line["message"]) for line in watch.lines
    ]


def test_its_end_is_logged_too(watch: Watch) -> None:
    """And the same failure later is a new one."""
    watch.man.watch_failed(Unreachable("refused"))
    watch.man.watch_heard()
    watch.man.watch_heard()
    watch.man.watch_failed(Unreachable("refused"))

    assert ["watch_failed", "watch_works_again", "watch_failed"] == watch.events


def test_each_write_of_the_status_is_counted_by_its_result(watch: Watch) -> None:
    """A refusal is told apart from a server that is away."""
    watch.man.status_written()
    watch.man.status_failed(Unreachable("away"))
    watch.man.status_refused(Invalid("refused", code=422))

    assert [True, True, True] == [watch.counted(result) for result in ("written", "failed", "refused")]
    assert ["status_failed", "status_failed"] == watch.events


def test_watch_and_status_fail_apart(watch: Watch) -> None:
    """That one works says nothing of the other."""
    watch.man.watch_failed(Unreachable("away"))
    watch.man.status_failed(Unreachable("away"))

    watch.man.status_written()

    assert "watch: Unreachable: away" == watch.man.problem(None)


def test_a_missing_node_image_is_logged_with_what_it_means(watch: Watch) -> None:
    """A person who looks at the log of an idle agent learns why it is idle."""
    watch.man.node_image_missing()
    watch.man.node_image_found(uid="u", images=3)
    watch.man.entries_passed_over(["spec.images[b]: bad"])

    missing, found, passed = watch.lines
    assert "nothing is wanted of this node until its NodeImage is there" == missing["message"]
    assert ("u", 3) == (found["uid"], found["images"])
    assert ["spec.images[b]: bad"] == passed["problems"]


def test_events_that_are_not_taken_are_told_once(watch: Watch) -> None:
    """They are best effort: no reason not to be ready, but a right that is missing should be seen."""
    watch.man.event_failed(Denied("forbidden: create events"))
    watch.man.event_failed(Denied("forbidden: create events"))

    assert ([("warning", "events_failed")], "") == (
        [(line["level"], line["event"]) for line in watch.lines],
        watch.man.problem(watch.now),
    )


def test_a_watch_that_goes_on_without_news_works_again(watch: Watch, tmp_path: Path) -> None:
    """After a cut it goes on from its version, and the server has nothing to tell: the log must not say "failed" on."""
    with ScriptedApi() as api:
        api.script.add("get", Answer(body=json.dumps(OURS).encode()))
        with watching(watch, api, folder=tmp_path):
            until(lambda: api.count("watch") == 1, what="the watch is open", timeout_seconds=WAIT_SECONDS)
            api.cut()
            until(lambda: "watch_works_again" in watch.events, what="the end in the log", timeout_seconds=WAIT_SECONDS)

    assert ["node_image_missing", "watch_failed", "watch_works_again"] == watch.events
    assert (1, 2) == (api.count("list"), api.count("watch"))


def test_a_list_without_a_watch_is_no_working_watch(watch: Watch, tmp_path: Path) -> None:
    """Without the right to watch the agent lists again and again: one line in the log, and not two with each list."""
    with ScriptedApi() as api:
        api.script.add("get", Answer(body=json.dumps(OURS).encode()))
        api.script.always("watch", refused(403, "Forbidden", "no right to watch"))
        with watching(watch, api, folder=tmp_path):
            until(lambda: api.count("list") == 3, what="three lists", timeout_seconds=WAIT_SECONDS)

    assert ["node_image_missing", "watch_failed"] == watch.events


def test_a_server_without_our_kinds_is_named_as_that(watch: Watch, tmp_path: Path) -> None:
    """Whoever forgot the CRDs learns it from /readyz."""
    with ScriptedApi() as api:
        api.script.always("get", refused(404, "NotFound"))
        with watching(watch, api, folder=tmp_path):
            until(lambda: watch.events, what="the failure in the log", timeout_seconds=WAIT_SECONDS)

    assert watch.man.problem(None).startswith("watch: NotFound: the API server serves ")
    assert watch.man.problem(None).endswith(": are the CRDs installed?")


def test_another_daemon_is_logged_counted_and_shown(watch: Watch) -> None:
    """And that it is gone."""
    watch.man.other_daemon_noticed("kruise-daemon writes too")
    during = watch.man.other_daemon(), "prewarm_other_daemon 1.0" in watch.metrics.text().decode()
    watch.man.other_daemon_gone()

    assert ("kruise-daemon writes too", True) == during
    assert ("", True) == (watch.man.other_daemon(), "prewarm_other_daemon 0.0" in watch.metrics.text().decode())
    assert ["other_daemon_noticed", "other_daemon_gone"] == watch.events
    assert ["warning", "info"] == [line["level"] for line in watch.lines]
