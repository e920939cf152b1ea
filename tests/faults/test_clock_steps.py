"""Clocks are set and machines sleep: dates follow the wall clock, and nothing else does."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.stepped import SteppedAgent, SteppedClock, stepped_agent
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.proxy import FaultProxy


ROOT = Path(__file__).parents[2]
LAYER_BYTES = 256 << 10
# What is in buffers when a pull is cancelled is sent once more.
IN_FLIGHT_BYTES = 3 * (64 << 10)
OF_DATES = {"timedelta", "total_seconds", "timestamp", "fromtimestamp", "utcnow", "strptime", "today"}
# An event tells a person how long a pull took; createdAt decides an order among what was seen at one moment.
ALLOWED = {
    ("daemon/agent/announcer.py", "task.completed_at"),
    ("daemon/agent/announcer.py", "task.started_at"),
    ("daemon/agent/announcer.py", "total_seconds"),
    ("daemon/node/plan.py", "timestamp"),
}
PACKAGES = ("node", "agent", "cluster")


@pytest.fixture
def clock() -> SteppedClock:
    """The clock that the test steps."""
    return SteppedClock()


@pytest.fixture
def agent(
    deployed: ApiServer, node_image: NodeImageOnServer, containerd: Containerd, workdir: Path, clock: SteppedClock
) -> Iterator[SteppedAgent]:
    """The node's agent."""
    folder = workdir / "account"
    with stepped_agent(
        deployed, folder, node_name=node_image.name, endpoint=containerd.endpoint, clock=clock
    ) as running:
        yield running


@ON_NEWEST
@pytest.mark.parametrize("hours", [26, -3])
def test_a_wall_clock_that_is_set_moves_dates_and_nothing_else(
    node_image: NodeImageOnServer, agent: SteppedAgent, clock: SteppedClock, push: Push, faults: FaultProxy, hours: int
) -> None:
    """A pull in the midst of which it is set neither times out nor waits; few writes tell of it, with the new time."""
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 2).at(faults.host)
    faults.limit(LAYER_BYTES)
    began = clock.now()
    node_image.want(image.key, entry("v1"))
    node_image.until(image.key, "v1", lambda found: found["phase"] == "Pulling", what="is being pulled")

    clock.set_wall(timedelta(hours=hours))
    faults.clear()
    status = node_image.ended(image.key, "v1")
    reported_at = datetime.fromisoformat(node_image.status["prewarm"]["agent"]["reportedAt"])
    elapsed_seconds = clock.now().seconds - began.seconds

    registry = f'registry="{faults.host}",result="pulled"'
    assert ("Succeeded", 1) == (status["phase"], status["attempt"])
    assert timedelta(minutes=1) > abs(reported_at - datetime.now(UTC) - timedelta(hours=hours))
    assert elapsed_seconds > agent.metric(f"prewarm_pull_duration_seconds_sum{{{registry}}}") > 0
    assert 0 == agent.metric('prewarm_status_writes_total{result="failed"}')
    assert elapsed_seconds + 3 > agent.metric('prewarm_status_writes_total{result="written"}')
    assert (200, 200) == (agent.get("/healthz")[0], agent.get("/readyz")[0])


@ON_NEWEST
def test_a_machine_that_slept_through_a_pull_goes_on_where_it_was(
    node_image: NodeImageOnServer, agent: SteppedAgent, clock: SteppedClock, push: Push, faults: FaultProxy
) -> None:
    """A night counts towards timeoutSeconds: the attempt ends, and the next one fetches only the rest."""
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 3).at(faults.host)
    faults.limit(LAYER_BYTES)
    node_image.want(image.key, entry("v1", pullPolicy={"backoffLimit": 1}))
    node_image.until(image.key, "v1", lambda found: found["phase"] == "Pulling", what="is being pulled")

    clock.sleep(8 * 3600)
    between = node_image.until(
        image.key, "v1", lambda found: found.get("reason") == "AttemptTimeout" or found["attempt"] == 2, what="ended"
    )
    faults.clear()
    status = node_image.ended(image.key, "v1")

    assert "Failed" != between["phase"]
    assert ("Succeeded", 2, image.digest) == (status["phase"], status["attempt"], status["digest"])
    assert image.layer_bytes + IN_FLIGHT_BYTES >= faults.traffic.blob_bytes()
    assert 200 == agent.get("/healthz")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_duration_is_taken_from_dates(package: str) -> None:
    """What waits, times out or is paced goes by the clock of durations: no date is subtracted, and none compared."""
    found = {
        (path.relative_to(ROOT).as_posix(), word)
        for path in sorted((ROOT / "daemon" / package).rglob("*.py"))
        for word in words_of_dates(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert set() == found - ALLOWED


def words_of_dates(module: ast.Module) -> Iterator[str]:
    """Yield what computes with dates: names that do, and the wall clock's `at` as an operand."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in OF_DATES:
            yield node.attr
        elif isinstance(node, ast.Name) and node.id in OF_DATES:
            yield node.id
        else:
            yield from (ast.unparse(each) for each in operands_of(node) if is_date(each))


def operands_of(node: ast.AST) -> list[ast.expr]:
    """Return what is computed with or compared by size."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.Compare) and not any(isinstance(each, ast.Is | ast.IsNot) for each in node.ops):
        return [node.left, *node.comparators]
    return []


def is_date(node: ast.expr) -> bool:
    """Tell whether a part of an expression is a date, by the name that all dates here have."""
    return isinstance(node, ast.Attribute) and (node.attr == "at" or node.attr.endswith("_at"))
