"""What an agent's HTTP paths are made of: /healthz by the loop's own beat, /readyz by API server and runtime."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from daemon.agent.inbound import Inbound
from daemon.agent.view import View
from daemon.agent.watching import NodeImageWatch
from daemon.agent.watchman import Watchman
from daemon.cluster.interface import Telemetry
from daemon.cluster.transport import HttpApi
from daemon.config import AgentSettings
from daemon.node.loop import LONGEST_WAIT_SECONDS
from daemon.node.task import NodeState
from daemon.observe.answer import Answer
from daemon.observe.health import GRACE_SECONDS, PERIODS
from daemon.observe.logs import logger
from daemon.observe.metrics import AgentMetrics
from daemon.runtime.awaited import awaited
from tests.servers.scripted_api import ScriptedApi
from tests.unit.node.running_node import SetClock


class Shown:
    """An agent's view without its threads: the test is the loop, and the clock is the test's."""

    def __init__(self, api: HttpApi, folder: Path) -> None:
        self.seconds = 1000.0
        self.clock = SetClock()
        runtime = awaited(str(folder / "absent.sock"))
        self.view = View(
            AgentSettings(node_name="n1"),
            runtime=runtime,
            started_at=self.clock.now().at,
            clock=self.clock,
            monotonic=lambda: self.seconds,
        )
        metrics = AgentMetrics(version="1", space=self.view.space)
        watchman = Watchman(logger(), metrics=metrics, clock=self.clock)
        watch = NodeImageWatch(
            api,
            node_name="n1",
            inbound=lambda path: Inbound(path, want=lambda _: None, saw=lambda *_: None, listener=watchman),
            served=lambda _: None,
            missed=watchman.watch_failed,
            telemetry=Telemetry(),
            clock=self.clock,
        )
        self.routes: Mapping[str, Callable[[], Answer]] = self.view.routes(
            watch=watch, watchman=watchman, metrics=metrics, beside={}
        )

    def status(self, path: str) -> int:
        """Return the status of a path."""
        return self.routes[path]().status

    def beat(self, **changes: object) -> None:
        """Let the loop go round, with this changed."""
        state = msgspec.structs.replace(NodeState(), **changes)
        self.view.changed(NodeState(), state, now=self.clock.now())


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    """An agent that has just started; no API server is asked."""
    with ScriptedApi() as api:
        http = HttpApi(api.access(tmp_path), user_agent="prewarm-test")
        yield Shown(http, tmp_path)
        http.close()


def test_a_loop_that_stands_still_fails_liveness_and_one_that_goes_round_again_does_not(shown: Shown) -> None:
    """500, so that the kubelet restarts the agent; two looks, since a frozen process has been silent as well."""
    before = shown.status("/healthz")

    shown.seconds += PERIODS * LONGEST_WAIT_SECONDS + 1
    doubted = shown.status("/healthz")
    shown.seconds += GRACE_SECONDS
    stands = shown.status("/healthz")
    shown.beat()

    assert (200, 200, 500, 200) == (before, doubted, stands, shown.status("/healthz"))


def test_an_idle_loop_is_alive(shown: Shown) -> None:
    """It beats as seldom as it may wait, for ever."""
    for _ in range(2 * PERIODS):
        shown.seconds += LONGEST_WAIT_SECONDS
        shown.beat()

    assert 200 == shown.status("/healthz")


def test_readiness_names_what_is_missing(shown: Shown) -> None:
    """Neither synced nor asked at the start; a runtime that is away is told with its words."""
    at_start = shown.routes["/readyz"]()
    shown.beat(is_runtime_up=False, runtime_problem="no such socket")
    away = shown.routes["/readyz"]()

    assert (503, b"api: not synced yet\nruntime: not asked yet\n") == (at_start.status, at_start.body)
    assert b"runtime: RuntimeUnavailable: no such socket\n" in away.body
