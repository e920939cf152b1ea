"""The leader is killed or told to end in the middle of a job: whoever leads next goes on, and nothing is done twice."""

import os
import random
import signal
import threading
import time

import pytest

from tests.faults.coordinators import Deaths, Place, is_spec
from tests.faults.ledger import Ledger
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.gateway import Fault, Held, Passed
from tests.servers.jobs import JobOnServer, counted, job, said, totals
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("hollow")

IMAGE = "registry.test/app:v1"
NODES = 90
PARALLELISM = 5
DEATHS = 20


def next_leader(place: Place, deaths: Deaths, *, comes_back: bool) -> str:
    """
    Wait for the next death, and return who leads then.

    The dead one comes back as the container of a Pod does, under the same name; or else it comes back to stand by, and
    the Lease is freed for the other, which would have it after 15 seconds.
    """
    dead = deaths.next()
    if comes_back:
        dead.process.start()
        return place.until_held()
    place.free_lease()
    successor = place.until_taken("")
    dead.process.start()
    return successor


def ended_right(made: JobOnServer, *, nodes: int) -> None:
    """Wait for the end of a job, which has to have succeeded on every node."""
    status = made.ended(timeout_seconds=120)
    assert (nodes, 0, nodes, 0) == totals(status)
    assert (nodes, 0, 0, 0) == counted(status)
    assert "True" == said(status, "Complete")


@pytest.mark.parametrize("seed", [5])
def test_a_leader_may_be_killed_between_any_two_writes(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger, seed: int
) -> None:
    """
    Twenty random moments of one job, each before a write arrives or after it was done, with two coordinators.

    No node is granted twice, the ceiling holds at every moment, and the job ends as if nothing had been.
    """
    draws = random.Random(seed)  # noqa: S311 - a test's dice
    many = nodes(NODES)
    deaths = Deaths([(draws.randint(1, 6), draws.random() < 0.5) for _ in range(DEATHS)])
    for name in ("one", "two"):
        deaths.follow(place(name))
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=PARALLELISM))

    leaders = [next_leader(place, deaths, comes_back=number % 4 != 0) for number in range(DEATHS)]
    is_running = "completionTime" not in made.status
    ended_right(made, nodes=NODES)

    assert is_running
    assert {"one", "two"} == set(leaders)
    assert PARALLELISM >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)


def test_a_standby_takes_over_from_a_dead_leader_by_itself(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger
) -> None:
    """Nobody has to do anything: fifteen seconds after the last renewal that it saw, it leads."""
    many = nodes(NODES // 3)
    deaths = Deaths([(NODES // 3, True)])
    deaths.follow(place("one"))
    assert "one" == place.until_held()
    deaths.follow(place("two"))
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=PARALLELISM))

    dead = deaths.next()
    killed_seconds = time.monotonic()
    successor = place.until_taken(dead.name)
    seconds = time.monotonic() - killed_seconds
    ended_right(made, nodes=NODES // 3)

    assert "two" == successor
    assert 10 < seconds < 25
    assert PARALLELISM >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)


def test_a_leader_that_is_told_to_end_waits_for_its_writes_and_gives_the_lease_up(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger
) -> None:
    """It holds the Lease until the last of them is answered; then the other leads at its next look."""
    many = nodes(NODES // 3)
    one, two = place("one"), place("two")
    leader, other = (one, two) if "one" == place.until_held() else (two, one)
    held = Held(threading.Event())
    held_paths: list[str] = []
    passing = iter(range(NODES // 10))

    def hold_one(request: Passed) -> Fault | None:
        if held_paths or not is_spec(request) or next(passing, None) is not None:
            return None
        held_paths.append(request.path)
        return held

    leader.gateway.plan = hold_one
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=PARALLELISM))
    until(lambda: held_paths, what="a grant is on its way", timeout_seconds=60)
    os.killpg(leader.process.process.pid, signal.SIGTERM)
    until(lambda: leader.process.told("coordinator_stopping"), what="it is ending", timeout_seconds=10)
    is_held_still = place.holder() == leader.name
    held.release.set()
    told_seconds = time.monotonic()
    until(lambda: place.holder() == other.name, what="the other leads", timeout_seconds=30)
    seconds = time.monotonic() - told_seconds
    code = leader.process.stop()
    ended_right(made, nodes=NODES // 3)

    assert is_held_still
    assert 0 == code
    # The other looks each 2 to 4.4 seconds, and need not wait the fifteen of a Lease that nobody gave up.
    assert 8 > seconds
    assert {200, 201} >= {leader.gateway.code_of(one) for one in leader.writes()}
    assert PARALLELISM >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)
