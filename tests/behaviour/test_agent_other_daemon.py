"""An agent beside OpenKruise's daemon on one node: no fight, nothing is fetched twice, and it is said."""

import time
from collections.abc import Iterator

import pytest

from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.openkruise.daemon import Daemon
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


pytestmark = ON_NEWEST

# What a daemon of theirs writes of an image at most: Waiting or Pulling, Pulling, its end, and ours taken over.
WRITES_OF_AN_IMAGE = 4
# Our first report, the begin, the end, and a mend of each of theirs that could not go with one of these.
OUR_WRITES = 8
QUIET_SECONDS = 10.5


@pytest.fixture
def beside(
    deployed: ApiServer, node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd
) -> Iterator[tuple[AgentProcess, Daemon]]:
    """Both daemons, each with its first report written."""
    agent = start_agent(node_image, containerd)
    node_image.until_status(lambda status: "prewarm" in status, what="our first report is there")
    client = manager_client(deployed, user_agent="kruise-daemon/v1.9.0")
    with Daemon(client, node=node_image.name, endpoint=containerd.endpoint) as daemon:
        until(lambda: daemon.writes, what="their first report", timeout_seconds=30)
        yield agent, daemon


def reporter(status: Json) -> Json:
    """Return what is said of who reports."""
    return next((one for one in status.get("conditions", []) if one["type"] == "SoleReporter"), {})


def test_two_daemons_on_one_node_do_not_fight_and_it_is_said(
    beside: tuple[AgentProcess, Daemon],
    deployed: ApiServer,
    node_image: NodeImageOnServer,
    push: Push,
    faults: FaultProxy,
) -> None:
    """
    A pull that takes seconds, asked for by both: each layer travels once, both see the image, and then both are quiet.

    The last word of the status is ours, with what theirs can't say; condition, event, metric, log and /state tell of
    the other.
    """
    agent, daemon = beside
    image = push("shared", layers=[1 << 20] * 2).at(faults.host)
    faults.limit(1_000_000)

    node_image.want(image.key, entry(image.tag))
    until(lambda: daemon.phase(image.key, image.tag) == "Succeeded", what="they see the image", timeout_seconds=60)
    told = node_image.until_status(
        lambda status: status.get("succeeded") == 1 and reporter(status).get("status") == "False",
        what="we see the image and say who else writes",
    )
    fetched = [faults.traffic.bytes_of(layer.digest) for layer in image.layers]
    asked = [len(faults.traffic.requests(Kind.BLOB, reference=layer.digest, method="GET")) for layer in image.layers]
    writes = until_quiet(agent, daemon)

    assert ("OtherDaemon", True) == (reporter(told)["reason"], "kruise-daemon" in reporter(told)["message"])
    assert [layer.size_bytes for layer in image.layers] == fetched
    assert [1] * len(image.layers) == asked
    assert WRITES_OF_AN_IMAGE >= writes["theirs"]
    assert OUR_WRITES >= writes["ours"]
    assert "RuntimeReady" in {one["type"] for one in node_image.status["conditions"]}
    assert "Succeeded" == node_image.tag(image.key, image.tag)["phase"]
    assert image.digest == node_image.tag(image.key, image.tag)["digest"]
    assert 1 == agent.metric("prewarm_other_daemon")
    assert agent.state()["api"]["other_daemon"].startswith("kruise-daemon")
    assert 1 == len(agent.told("other_daemon_noticed"))
    assert ["OtherDaemon"] == noted(deployed, node_image)


def test_a_daemon_that_served_the_node_before_is_no_other(
    deployed: ApiServer,
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
) -> None:
    """Its name stays in the managed fields of the status, whatever we write; nobody is told of it."""
    image, later = push("theirs"), push("ours", seed=1)
    client = manager_client(deployed, user_agent="kruise-daemon/v1.9.0")
    with Daemon(client, node=node_image.name, endpoint=containerd.endpoint):
        node_image.want(image.key, entry(image.tag))
        node_image.until(image.key, image.tag, lambda found: found["phase"] == "Succeeded", what="they bring it")

    agent = start_agent(node_image, containerd)
    node_image.want(later.key, entry(later.tag))
    node_image.ended(later.key, later.tag)
    told = node_image.until_status(lambda status: status.get("succeeded") == 2, what="both are there")
    writers = {one["manager"] for one in node_image.read()["metadata"]["managedFields"]}

    assert "kruise-daemon" in writers
    assert "True" == reporter(told)["status"]
    assert 0 == agent.metric("prewarm_other_daemon")


def noted(deployed: ApiServer, node_image: NodeImageOnServer) -> list[str]:
    """Return the reasons of the warnings about a NodeImage."""
    events = deployed.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    return [one["reason"] for one in events if one["type"] == "Warning" and one["regarding"]["name"] == node_image.name]


def until_quiet(agent: AgentProcess, daemon: Daemon) -> dict[str, int]:
    """Return how often each has written, once neither has for longer than a mend of ours or a look of theirs takes."""
    counts: dict[str, int] = {}
    since = time.monotonic()

    def is_quiet() -> bool:
        nonlocal counts, since
        now = {"ours": int(agent.metric("prewarm_status_writes_total", result="written")), "theirs": len(daemon.writes)}
        if now != counts:
            counts, since = now, time.monotonic()
        return time.monotonic() > since + QUIET_SECONDS

    until(is_quiet, what="both are quiet", timeout_seconds=60)
    return counts
