"""The leader stands still with writes on their way, another takes over, and then the first one wakes up."""

import threading

import pytest

from tests.faults.coordinators import Place, Placed, is_spec
from tests.faults.ledger import Ledger
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.gateway import Fault, Gateway, Held, Passed
from tests.servers.jobs import counted, job, totals
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("hollow")

IMAGE = "registry.test/app:v1"
NODES = 80
# As many as a coordinator has requests on their way at most.
PARALLELISM = 16


class HeldGrants:
    """A plan that holds up every grant until `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.held: list[Passed] = []

    def __call__(self, request: Passed) -> Fault | None:
        """Say what becomes of a request."""
        if not is_spec(request):
            return None
        self.held.append(request)
        return Held(self.release)

    def landed(self, gateway: Gateway) -> int:
        """Return how many of those that were held did something when they arrived."""
        return sum(1 for one in self.held if gateway.code_of(one) in {200, 201})


def leads_again(place: Place, woken: Placed, other: Placed) -> None:
    """Have the other end, and wait until the one that had been frozen leads."""
    assert 0 == other.process.stop()
    until(lambda: place.holder() == woken.name, what="the woken one leads again", timeout_seconds=30)


def test_a_leader_that_wakes_up_after_another_took_over_writes_nothing_more(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger
) -> None:
    """
    What it had on its way arrives late, while the other grants: at most that much lands, and it is counted.

    No node is granted twice. The woken one sends nothing, stands by, and leads well when its turn comes again.
    """
    many = nodes(NODES)
    first = place("first")
    assert "first" == place.until_held()
    second = place("second")
    ledger.until_agents(NODES)
    # All at once: where the last came later than the first is given up, it would be more than can be on their way.
    late = HeldGrants()
    first.gateway.plan = late
    made = jobs(job(IMAGE, selector=nodes.selector, parallelism=PARALLELISM))

    until(lambda: len(late.held) == PARALLELISM, what="every request is on its way", timeout_seconds=60)
    first.process.freeze()
    sent = len(first.writes())
    begun = threading.Event()

    def after_some(request: Passed) -> None:
        if is_spec(request) and len(second.grants()) > PARALLELISM // 2:
            late.release.set()
            begun.set()

    second.gateway.plan = after_some
    until(begun.is_set, what="the other has taken over and grants", timeout_seconds=60)
    first.process.thaw()
    until(lambda: first.process.told("leadership_lost"), what="it leads no more", timeout_seconds=30)
    lost = len(first.writes())
    status = made.ended(timeout_seconds=120)
    landed = late.landed(first.gateway)

    assert (NODES, 0, NODES, 0) == totals(status)
    assert (NODES, 0, 0, 0) == counted(status)
    assert 16 >= len(late.held) + lost - sent
    assert lost == len(first.writes())
    assert PARALLELISM + landed >= ledger.most_open(made.uid)
    assert sorted(node.name for node in many) == ledger.granted(made.uid)
    assert "second" == place.holder()

    leads_again(place, first, second)
    again = jobs(job("registry.test/other:v1", selector=nodes.selector, parallelism=PARALLELISM))
    assert (NODES, 0, NODES, 0) == totals(again.ended(timeout_seconds=120))
    assert PARALLELISM >= ledger.most_open(again.uid)
