"""A Never job is never final: a registry that is away at the hour of the refresh costs minutes, not the day."""

import datetime as dt
import threading

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes, RealNode
from tests.servers.images import Push
from tests.servers.jobs import counted, failures, job
from tests.servers.proxy import FaultProxy


OUTAGE_SECONDS = 120.0
WARM_AGAIN_SECONDS = 300.0

pytestmark = [pytest.mark.usefixtures("coordinator"), pytest.mark.timeout(600)]


def test_a_registry_that_is_away_at_the_refresh_leaves_no_node_stale(
    three_nodes: tuple[RealNode, ...], push: Push, faults: FaultProxy, jobs: Jobs, nodes: Nodes
) -> None:
    """
    Two minutes of it, and five minutes after its return every node has what was rebuilt.

    Meanwhile each node has the older image, and the job says that it is stale, and why.
    """
    image = push("base", layers=[64 << 10]).at(faults.host)
    spec = job(
        image.reference,
        kind="Never",
        selector=nodes.selector,
        imagePullPolicy="Always",
        parallelism=10,
        pullPolicy={"timeoutSeconds": 5, "backoffLimit": 0},
    )
    made = jobs(spec)
    made.until_ready(nodes=3)
    new = push("base", layers=[64 << 10], seed=1)

    faults.refuse()
    back = threading.Timer(OUTAGE_SECONDS, faults.accept)
    back.start()
    # After all grants so far, which are written in whole seconds.
    at = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=1)
    made.edit({"prewarm": {"refresh": {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}}})
    away = made.until(lambda status: (0, 3, 0, 0) == counted(status) and status["failed"] == 3, what="all are stale")
    made.until(
        lambda status: [{"digest": new.digest, "nodes": 3}] == status["prewarm"]["digests"],
        what="every node has the new image",
        timeout_seconds=OUTAGE_SECONDS + WARM_AGAIN_SECONDS,
    )
    status = made.until_ready(nodes=3)
    back.join()

    assert {"RegistryUnavailable": sorted(node.name for node in three_nodes)} == failures(away)
    assert "failures" not in status["prewarm"]
    assert [new.digest] * 3 == [node.containerd.images()[image.reference] for node in three_nodes]
