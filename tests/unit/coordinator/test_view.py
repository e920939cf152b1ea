"""What a coordinator's HTTP paths are made of: alive by its loops' beats, ready by its API server, and who leads."""

import json
from typing import Any

import pytest

from daemon.clock import Moment
from daemon.cluster.errors import NotFound, Unreachable
from daemon.config import CoordinatorSettings
from daemon.coordinator.loop import LONGEST_WAIT_SECONDS
from daemon.coordinator.snapshot import CoordinatorState, JobState
from daemon.coordinator.view import LEASE_PERIOD_SECONDS, View
from daemon.coordinator.watchman import Watchman
from daemon.observe.coordinator_metrics import CoordinatorMetrics
from daemon.observe.health import GRACE_SECONDS, PERIODS
from daemon.observe.logs import logger
from tests.unit.cluster.clock import SetClock


STATE = CoordinatorState(
    is_synced=True,
    jobs=(
        JobState(
            namespace="team",
            name="base",
            image="nginx",
            conditions={"Stalled": "ImageNotFound"},
            nodes={"warm": 1, "stale": 0, "cold": 2, "skipped": 0},
            turns={"waiting": 1},
            problems=("none",),
        ),
    ),
    nodes=3,
    agents_by_version={"0.1.0": 2},
    without_agent=1,
    without_agent_named=("c",),
    refused=1,
    refused_named={"b": "denied the request"},
    gates_closed=1,
    skipped={"NoAgent": 1},
    writes_waiting={"grant": 1},
    writes_running=2,
    throttled_seconds=1.25,
)


class Shown:
    """A coordinator's view without its threads: the test is the election and the loop, and the clock is the test's."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.clock = SetClock()
        self.leader = "other"
        self.last_sync: Moment | None = None
        self.watchman = Watchman(logger(), clock=self.clock)
        self.view = View(
            CoordinatorSettings(identity="prewarm-0"),
            leader=lambda: self.leader,
            watchman=self.watchman,
            clock=self.clock,
            monotonic=lambda: self.seconds,
        )
        self.metrics = CoordinatorMetrics(version="1", figures=self.view.figures)
        self.routes = self.view.routes(self.metrics)
        self.watchman.requested("get", "leases", "200")

    def lead(self) -> None:
        """Win the election, and begin a loop."""
        self.leader = "prewarm-0"
        self.view.leads(is_leader=True)
        self.view.loop_began(last_sync=lambda: self.last_sync)

    def sync(self) -> None:
        """Let everything be listed."""
        self.last_sync = self.clock.now()
        self.view.published(STATE)

    def status(self, path: str) -> int:
        """Return the status of a path."""
        return self.routes[path]().status

    def text(self, path: str) -> str:
        """Return the body of a path."""
        return self.routes[path]().body.decode()

    def state(self) -> Any:  # noqa: ANN401 - decoded JSON
        """Return what /state answers."""
        return json.loads(self.text("/state"))


@pytest.fixture
def shown() -> Shown:
    """A coordinator that stands by."""
    return Shown()


def test_a_loop_that_stands_still_fails_liveness(shown: Shown) -> None:
    """500 after the second look, so that the kubelet restarts it and another can lead."""
    shown.lead()
    before = shown.status("/healthz")
    shown.seconds += PERIODS * LONGEST_WAIT_SECONDS + 1
    doubted = shown.status("/healthz")
    shown.seconds += GRACE_SECONDS
    stands = shown.status("/healthz")
    shown.view.looked()

    assert (200, 200, 500, 200) == (before, doubted, stands, shown.status("/healthz"))


def test_an_election_that_stands_still_fails_liveness(shown: Shown) -> None:
    """A standby that would never lead is none."""
    shown.seconds += PERIODS * LEASE_PERIOD_SECONDS + 1
    shown.status("/healthz")
    shown.seconds += GRACE_SECONDS

    assert "lease: the loop has not gone round for 71 s\n" == shown.text("/healthz")


def test_a_loop_that_was_ended_is_not_missed(shown: Shown) -> None:
    """Whoever has lost the Lease stands by, for as long as it may be."""
    shown.lead()
    shown.view.leads(is_leader=False)
    for _ in range(10):
        shown.seconds += LEASE_PERIOD_SECONDS
        shown.view.lease_turned()

    assert "ok\n" == shown.text("/healthz")


def test_a_leader_whose_kinds_are_gone_is_alive_and_not_ready(shown: Shown) -> None:
    """No restart brings the CRDs back; what was known of their objects is not shown as if it were so now."""
    shown.lead()
    shown.sync()
    shown.watchman.watch_failed("imagepulljobs", NotFound("list imagepulljobs: not found", code=404))
    shown.view.loop_ended()
    for _ in range(10):
        shown.seconds += LEASE_PERIOD_SECONDS
        shown.view.lease_turned()
        alive = shown.text("/healthz")

    assert "ok\n" == alive
    assert "api: watch imagepulljobs: NotFound: list imagepulljobs: not found\n" == shown.text("/readyz")
    assert None is shown.state()["cluster"]


def test_readiness_goes_from_standby_over_listing_to_leading(shown: Shown) -> None:
    """A standby is ready, a leader once it acts."""
    standing_by = shown.text("/readyz")
    shown.lead()
    listing = shown.text("/readyz")
    shown.sync()

    assert ("ok\n", "api: not synced yet\n", "ok\n") == (standing_by, listing, shown.text("/readyz"))


def test_an_api_server_that_is_away_is_told(shown: Shown) -> None:
    """In /readyz and in /state, in the same words."""
    shown.watchman.lease_failed(Unreachable("get leases: connection refused"))

    words = "lease leases: Unreachable: get leases: connection refused"
    assert (503, f"api: {words}\n") == (shown.status("/readyz"), shown.text("/readyz"))
    assert words == shown.state()["api"]["problem"]


def test_one_that_stands_by_knows_who_leads_and_nothing_else(shown: Shown) -> None:
    """Null is not 0."""
    state = shown.state()

    assert {"identity": "other", "is_self": False, "since": None} == state["leader"]
    assert [None] * 3 == [state[name] for name in ("cluster", "writes", "jobs")]


def test_a_leader_shows_what_it_knows(shown: Shown) -> None:
    """Jobs by condition, nodes by state a job, agents, nodes without one, and what waits to be written."""
    shown.lead()
    shown.sync()

    state = shown.state()

    assert {"identity": "prewarm-0", "is_self": True, "since": "2026-01-01T00:16:40Z"} == state["leader"]
    assert 1 == state["cluster"]["jobs_by_condition"]["Stalled"]
    assert {"count": 1, "first": ["c"]} == state["cluster"]["nodes_without_agent"]
    assert {"count": 1, "first": {"b": "denied the request"}} == state["cluster"]["nodes_refused"]
    assert {"0.1.0": 2} == state["cluster"]["agents_by_version"]
    assert {"waiting": {"grant": 1}, "running": 2, "throttled_seconds": 1.2} == state["writes"]
    assert 2 == state["jobs"][0]["nodes"]["cold"]
    assert 600 == state["settings"]["gate_deadline_seconds"]


def test_metrics_show_the_newest_snapshot_while_it_leads(shown: Shown) -> None:
    """And nothing of it afterwards."""
    shown.lead()
    shown.sync()
    leading = shown.text("/metrics")
    shown.view.leads(is_leader=False)

    line = 'prewarm_job_nodes{imagepulljob="team/base",state="cold"} 2.0'
    assert line in leading
    assert line not in shown.text("/metrics")


def test_a_new_term_begins_with_nothing(shown: Shown) -> None:
    """What the last one knew is not shown as if it were so now."""
    shown.lead()
    shown.sync()
    shown.view.leads(is_leader=False)
    shown.lead()

    assert None is shown.state()["cluster"]
    assert "prewarm_coordinator_synced 0.0" in shown.text("/metrics")
