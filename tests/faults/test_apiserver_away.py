"""The API server is stopped, killed, frozen or has forgotten: pulls go on, and the newest status is written later."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.faults.history import History
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push, PushedImage
from tests.servers.network import Network
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


pytestmark = ON_NEWEST

LAYER_BYTES = 128 << 10


@pytest.fixture
def network(deployed: ApiServer) -> Iterator[Network]:
    """A network between the agent and the API server."""
    with Network(deployed.port) as network:
        yield network


@contextlib.contextmanager
def frozen(apiserver: ApiServer) -> Iterator[None]:
    """Let the API server hang, with its connections open."""
    apiserver.freeze()
    try:
        yield
    finally:
        apiserver.thaw()


@contextlib.contextmanager
def stopped(apiserver: ApiServer) -> Iterator[None]:
    """Stop the API server for a while."""
    apiserver.stop()
    try:
        yield
    finally:
        apiserver.start()


def through(network: Network) -> dict[str, str]:
    """Tell an agent the way to the API server."""
    return {"KUBERNETES_SERVICE_PORT": str(network.port)}


def until_begun(faults: FaultProxy) -> None:
    """Wait until a pull is on its way."""
    until(lambda: faults.traffic.blob_bytes() > LAYER_BYTES // 8, what="a pull is on its way", timeout_seconds=60)


def until_pulled(agent: AgentProcess, *, count: int) -> None:
    """Wait until the agent itself knows of so many images that they are there."""
    agent.until_state(lambda state: state["counts"]["succeeded"] == count, what=f"{count} pulled")


def fetched_once(faults: FaultProxy, image: PushedImage) -> bool:
    """Tell whether the registry was asked for an image once and sent each of its bytes once."""
    asked = [one for one in faults.traffic.requests(Kind.MANIFEST) if one.repository == image.repository]
    heads = [one.reference for one in asked if one.reference == image.tag]
    sent = [faults.traffic.bytes_of(layer.digest) for layer in image.layers]
    return len(heads) == 1 and [layer.size_bytes for layer in image.layers] == sent


def never_ended(agent: AgentProcess) -> bool:
    """Tell whether it is still the process that was started, with all of its parts."""
    events = [line["event"] for line in agent.lines()]
    return agent.process.is_running and events.count("agent_started") == 1 and "thread_died" not in events


def test_a_pull_goes_on_while_the_api_server_is_away(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    deployed: ApiServer,
) -> None:
    """It ends meanwhile; the newest status is written when the API server is back, and nothing is pulled twice."""
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 3).at(faults.host)
    agent = start_agent(node_image, containerd)
    faults.limit(LAYER_BYTES // 4)
    node_image.want(image.key, entry("v1", version=7))
    until_begun(faults)

    with stopped(deployed):
        faults.clear()
        until_pulled(agent, count=1)
        until(agent.is_not_ready, what="the agent says that it is not ready", timeout_seconds=30)
        alive = agent.get("/healthz")[0]
    status = node_image.ended(image.key, "v1", version=7)
    agent.until_ready()

    assert 200 == alive
    assert ("Succeeded", image.digest, 1) == (status["phase"], status["digest"], status["attempt"])
    assert fetched_once(faults, image)
    assert never_ended(agent)


def test_an_api_server_that_dies_in_the_midst_of_many_writes_gets_the_newest(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    deployed: ApiServer,
) -> None:
    """Killed once and restarted once while images end one after another, it has every status in its version."""
    images = [
        push(f"app-{number:02}", tag="v1", layers=[LAYER_BYTES], seed=number).at(faults.host) for number in range(12)
    ]
    faults.limit(LAYER_BYTES)
    agent = start_agent(node_image, containerd)
    node_image.want_all({image.key: {"tags": [entry("v1", version=3)]} for image in images})
    node_image.until_status(lambda status: status.get("succeeded", 0) >= 1, what="the first image has ended")

    deployed.kill()
    until(
        lambda: agent.metric("prewarm_status_writes_total", result="failed"),
        what="a write has met the outage",
        timeout_seconds=60,
    )
    deployed.start()
    node_image.until_status(lambda status: status["succeeded"] >= 2, what="the status moves again")
    deployed.restart()
    faults.clear()
    status = node_image.until_status(lambda status: status["succeeded"] == len(images), what="all have ended")

    said = {key: value["tags"][0] for key, value in status["imageStatuses"].items()}
    assert {image.key: (3, "Succeeded", image.digest) for image in images} == {
        key: (tag["version"], tag["phase"], tag["digest"]) for key, tag in said.items()
    }
    assert [True] * len(images) == [fetched_once(faults, image) for image in images]
    assert never_ended(agent)


def test_an_api_server_that_hangs_holds_up_no_pull(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    deployed: ApiServer,
) -> None:
    """Its connections are open and nothing answers: a write ends by its timeout, and the next one gets through."""
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 3).at(faults.host)
    agent = start_agent(node_image, containerd)
    faults.limit(LAYER_BYTES // 4)
    node_image.want(image.key, entry("v1"))
    until_begun(faults)

    with frozen(deployed):
        faults.clear()
        until_pulled(agent, count=1)
        until(
            lambda: agent.metric("prewarm_api_requests_total", verb="patch", code="none"),
            what="a write has given up",
            timeout_seconds=30,
        )
        until(lambda: agent.is_not_ready("no answer in time"), what="readiness says so", timeout_seconds=10)
    status = node_image.ended(image.key, "v1")
    agent.until_ready()

    assert "Succeeded" == status["phase"]
    assert fetched_once(faults, image)
    assert never_ended(agent)


def forget(apiserver: ApiServer, node_image: NodeImageOnServer, names: Names) -> None:
    """
    Have the API server forget every version that a watch has seen so far; its restart ends them all.

    Newly started, it refuses for a moment what accounts may do, and a refused watch would list for that reason alone.
    """
    NodeImageOnServer(apiserver, names("other")).create()
    apiserver.compact()
    apiserver.restart()
    token = apiserver.token("prewarm-system", "prewarm-agent", node=node_image.name)
    path = f"/apis/apps.kruise.io/v1beta1/nodeimages?fieldSelector=metadata.name%3D{node_image.name}"
    until(lambda: is_answered(apiserver, path, token=token), what="an agent's requests are served", timeout_seconds=30)


def is_answered(apiserver: ApiServer, path: str, *, token: str) -> bool:
    """Tell whether a request is not refused."""
    try:
        apiserver.request("GET", path, token=token)
    except ApiFailed:
        return False
    return True


def until_listed_anew(agent: AgentProcess) -> None:
    """Wait until the agent has heard that its version is gone, and has listed."""
    until(
        lambda: agent.metric("prewarm_watch_restarts_total", reason="expired"),
        what="the version is gone",
        timeout_seconds=60,
    )
    agent.until_ready()


def test_a_forgotten_version_costs_a_list_and_no_write(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    deployed: ApiServer,
    names: Names,
) -> None:
    """The agent has slept meanwhile: after 410 it lists, and what it finds is what it said, so it says nothing."""
    image, other = push("app", tag="v1"), push("other", tag="v1")
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    before = node_image.read()["metadata"]

    agent.process.freeze()
    forget(deployed, node_image, names)
    with History(node_image) as history:
        agent.process.thaw()
        until_listed_anew(agent)
        node_image.want(other.key, entry("v1"))
        node_image.ended(other.key, "v1")
    told = [sight.resource["metadata"] for sight in history.sights]

    assert {before["resourceVersion"]} == {
        metadata["resourceVersion"] for metadata in told if metadata["generation"] == before["generation"]
    }
    assert never_ended(agent)


def test_a_change_during_an_outage_is_served_though_history_is_gone(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    network: Network,
    deployed: ApiServer,
    names: Names,
) -> None:
    """What was wanted and what was withdrawn while the agent saw nothing is found by the list after 410."""
    old, new = push("old", tag="v1"), push("new", tag="v1")
    agent = start_agent(node_image, containerd, variables=through(network))
    node_image.want(old.key, entry("v1"))
    node_image.ended(old.key, "v1")

    network.refuse()
    forget(deployed, node_image, names)
    node_image.unwant(old.key)
    node_image.want(new.key, entry("v1", version=4))
    network.accept()
    until_listed_anew(agent)
    status = node_image.ended(new.key, "v1", version=4)

    assert "Succeeded" == status["phase"]
    assert [new.key] == list(node_image.status["imageStatuses"])
    assert never_ended(agent)
