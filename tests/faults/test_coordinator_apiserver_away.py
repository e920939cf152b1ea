"""The API server ends, dies or hangs in the middle of a job: the coordinator waits for it, and the job ends right."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.faults.ledger import Ledger
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import JobOnServer, counted, job, said, totals
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("hollow")

IMAGE = "registry.test/app:v1"
NODES = 60
PARALLELISM = 4
MINUTE_SECONDS = 60.0


@pytest.fixture(scope="module")
def hollow_options() -> Sequence[str]:
    """Pulls that last long enough for a job to be in its middle."""
    return ("--pull-seconds", "0.8")


@contextlib.contextmanager
def frozen(apiserver: ApiServer) -> Iterator[None]:
    """Let the API server hang, with its connections open."""
    apiserver.freeze()
    try:
        yield
    finally:
        apiserver.thaw()


@contextlib.contextmanager
def away(apiserver: ApiServer, *, by_crash: bool) -> Iterator[None]:
    """End the API server for a while."""
    (apiserver.kill if by_crash else apiserver.stop)()
    try:
        yield
    finally:
        apiserver.start()


def two_of(start_coordinator: StartCoordinator) -> list[CoordinatorProcess]:
    """Start two coordinators; the first leads."""
    first = start_coordinator("first")
    first.until_leading()
    return [first, start_coordinator("second")]


def leader_of(both: Sequence[CoordinatorProcess]) -> str:
    """Return who holds the Lease, once one of them does and acts."""

    def leading() -> str:
        held = [one for one in both if one.is_holder]
        return held[0].name if held and held[0].state()["leader"]["is_self"] else ""

    return until(leading, what="one of them leads", timeout_seconds=60)


def all_well(both: Sequence[CoordinatorProcess]) -> bool:
    """Tell whether both are ready, and still the processes that were started, with all of their parts."""
    for one in both:
        one.until_ready()
    events = [line["event"] for one in both for line in one.lines()]
    return 2 == events.count("coordinator_started") and "thread_died" not in events


def ended_right(made: JobOnServer) -> None:
    """Wait for the end of a job, which has to have succeeded on every node."""
    status = made.ended(timeout_seconds=120)
    assert (NODES, 0, NODES, 0) == totals(status)
    assert (NODES, 0, 0, 0) == counted(status)
    assert "True" == said(status, "Complete")


def test_an_api_server_that_is_stopped_and_then_crashes_delays_a_job_and_no_more(
    nodes: Nodes, jobs: Jobs, ledger: Ledger, start_coordinator: StartCoordinator, deployed: ApiServer
) -> None:
    """Away, the coordinators live on and say what is wrong; back, the job goes on where it was."""
    many = nodes(NODES)
    both = two_of(start_coordinator)
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=PARALLELISM))

    ledger.until_granted(NODES // 4)
    with away(deployed, by_crash=False):
        until(both[0].is_not_ready, what="it is not ready", timeout_seconds=30)
        words, alive = both[0].get("/readyz")[1], both[0].get("/healthz")[0]
    ledger.until_granted(NODES // 2)
    with away(deployed, by_crash=True):
        until(both[0].is_not_ready, what="it is not ready again", timeout_seconds=30)
    ended_right(made)

    assert "Unreachable" in words
    assert 200 == alive
    assert PARALLELISM >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)
    assert all_well(both)


def test_an_api_server_that_hangs_for_a_minute_costs_the_lease_and_nothing_else(
    nodes: Nodes, jobs: Jobs, ledger: Ledger, start_coordinator: StartCoordinator, deployed: ApiServer
) -> None:
    """
    Whoever led gives that up by itself, since nobody can see that it lives; when the server goes on, one leads again.

    What the server did with the writes that it had when it stood still is found out, and nothing is granted twice.
    """
    many = nodes(NODES)
    both = two_of(start_coordinator)
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=PARALLELISM))
    ledger.until_granted(NODES // 4)

    with frozen(deployed):
        frozen_seconds = time.monotonic()
        until(lambda: both[0].told("leadership_lost"), what="it leads no more", timeout_seconds=30)
        lost_seconds = time.monotonic() - frozen_seconds
        until(lambda: time.monotonic() - frozen_seconds > MINUTE_SECONDS, what="a minute is over", timeout_seconds=90)
        words = [one.get("/readyz")[1] for one in both]
        alive = [one.get("/healthz")[0] for one in both]
    ended_right(made)

    assert 8 < lost_seconds < 20
    assert [True, True] == ["no answer in time" in said_so for said_so in words]
    assert [200, 200] == alive
    assert leader_of(both) in {"first", "second"}
    assert PARALLELISM >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)
    assert all_well(both)
