"""A tenth of all writes is refused, is done and not answered, or is said to conflict: the end is the same."""

import itertools
import random
import threading
from typing import Final

import pytest

from tests.faults.coordinators import Place, Placed, Plan
from tests.faults.ledger import Ledger
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.gateway import Answered, Fault, Lost, Passed, Refused, Unanswered
from tests.servers.jobs import counted, job, said, totals
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("hollow")

NODES = 100
PARALLELISM = 10
BUSY = {"Retry-After": "1"}
FAULTS: Final[tuple[Fault, ...]] = (
    Refused(code=500),
    Refused(code=503),
    Refused(code=429, headers=BUSY),
    Refused(code=409),
    Refused(code=422),
    Lost(),
    Unanswered(),
    Answered(code=500),
    Answered(code=504),
)


class Tenth:
    """
    A plan by which one write in ten meets a fault, each kind of fault in its turn.

    No object meets two in a row: a write that is refused for good is another test's.
    """

    def __init__(self, seed: int) -> None:
        self.met: list[tuple[Passed, Fault]] = []
        self._draws = random.Random(seed)  # noqa: S311 - a test's dice
        self._faults = itertools.cycle(self._draws.sample(FAULTS, len(FAULTS)))
        self._hit: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, request: Passed) -> Fault | None:
        """Say what becomes of a request."""
        if request.method == "GET":
            return None
        with self._lock:
            if request.path in self._hit:
                self._hit.discard(request.path)
                return None
            if self._draws.random() >= 0.1:
                return None
            self._hit.add(request.path)
            fault = next(self._faults)
            self.met.append((request, fault))
            return fault


def leading(place: Place, plan: Plan) -> Placed:
    """Start a coordinator that leads."""
    placed = place("one", plan=plan)
    until(lambda: place.holder() == "one", what="it leads", timeout_seconds=60)
    return placed


@pytest.mark.parametrize("seed", [1])
def test_a_tenth_of_all_writes_may_fail_in_any_way(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger, seed: int
) -> None:
    """500, 503, 429, 409, 422, no answer and wrong answers, of NodeImages, statuses and the Lease: nothing is lost."""
    many = nodes(NODES)
    plan = Tenth(seed)
    placed = leading(place, plan)
    first = jobs(job("registry.test/app:v1", selector=nodes.selector, parallelism=PARALLELISM))
    second = jobs(
        job("registry.test/app:v2", selector=nodes.selector, parallelism=PARALLELISM, imagePullPolicy="Always")
    )
    never = jobs(job("registry.test/base:v1", kind="Never", selector=nodes.selector, parallelism="20%"))

    statuses = [one.ended(timeout_seconds=180) for one in (first, second)]
    lasting = never.until_ready(nodes=NODES, timeout_seconds=120)
    all_jobs = (first, second, never)

    assert [(NODES, 0, NODES, 0)] * 3 == [totals(status) for status in (*statuses, lasting)]
    assert [(NODES, 0, 0, 0)] * 3 == [counted(status) for status in (*statuses, lasting)]
    assert ["True"] * 2 == [said(status, "Complete") for status in statuses]
    assert set(map(type, FAULTS)) == {type(fault) for _, fault in plan.met}
    assert [True, True] == [PARALLELISM >= ledger.most_open(one.uid) for one in (first, second)]
    assert NODES // 5 >= ledger.most_open(never.uid)
    assert [sorted(node.name for node in many)] * 3 == [ledger.granted(one.uid) for one in all_jobs]
    assert [] == placed.process.told("thread_died")
