"""What lies between agent and API server stalls, vanishes, loses answers or brings them late; tokens come to an end."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.history import History
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.gateway import Answered, Fault, Gateway, Held, Lost, Passed
from tests.servers.images import Push
from tests.servers.network import Network
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


pytestmark = ON_NEWEST

LAYER_BYTES = 128 << 10
# TCP probes after 15 s of silence and gives up after three more of 5 s.
NOTICED_SECONDS = 45
ACCOUNT = ("prewarm-system", "prewarm-agent")
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


@pytest.fixture
def network(deployed: ApiServer) -> Iterator[Network]:
    """A network between the agent and the API server."""
    with Network(deployed.port) as network:
        yield network


@pytest.fixture
def gateway(deployed: ApiServer) -> Iterator[Gateway]:
    """A gateway between the agent and the API server."""
    with Gateway(deployed) as gateway:
        yield gateway


def through(network: Network) -> dict[str, str]:
    """Tell an agent the way to the API server."""
    return {"KUBERNETES_SERVICE_PORT": str(network.port)}


def test_a_request_on_a_stalled_connection_ends_by_its_timeout(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    network: Network,
) -> None:
    """Nothing gets through and nobody hangs up: the pull ends all the same, and its status comes when it can."""
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 3).at(faults.host)
    agent = start_agent(node_image, containerd, variables=through(network))
    faults.limit(LAYER_BYTES // 4)
    node_image.want(image.key, entry("v1"))
    node_image.until(image.key, "v1", lambda found: found["phase"] == "Pulling", what="is being pulled")

    network.stall()
    faults.clear()
    agent.until_state(lambda state: state["counts"]["succeeded"] == 1, what="the pull has ended")
    until(
        lambda: agent.metric("prewarm_api_requests_total", verb="patch", code="none"),
        what="a write has given up",
        timeout_seconds=30,
    )
    until(lambda: agent.is_not_ready("no answer in time"), what="readiness says so", timeout_seconds=10)
    ready, alive = agent.get("/readyz")[0], agent.get("/healthz")[0]
    network.flow()
    status = node_image.ended(image.key, "v1")

    assert (503, 200) == (ready, alive)
    assert ("Succeeded", 1) == (status["phase"], status["attempt"])
    assert 1 == len({one.reference for one in faults.traffic.requests(Kind.MANIFEST, method="HEAD")})


def test_a_watch_that_is_gone_without_a_word_is_noticed_in_half_a_minute(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, network: Network
) -> None:
    """Its packets come to nothing, as when a machine is gone: TCP's probes end it, and what was missed is served."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd, variables=through(network))
    agent.until_ready()
    node_image.until_status(lambda status: "prewarm" in status, what="the first report")

    network.lose()
    lost_seconds = time.monotonic()
    node_image.want(image.key, entry("v1"))
    status = node_image.ended(image.key, "v1")
    seconds = time.monotonic() - lost_seconds

    assert "Succeeded" == status["phase"]
    assert 1 == agent.metric("prewarm_watch_restarts_total", reason="cut")
    assert NOTICED_SECONDS > seconds


def losing(seed: int) -> Callable[[Passed], Fault | None]:
    """Plan that a tenth of all writes is done and not answered, or answered by an error; the first of each kind is."""
    draws = random.Random(seed)  # noqa: S311 - a test's dice
    faults: tuple[Fault, ...] = (Lost(), Answered(code=500), Answered(code=429, headers={"Retry-After": "1"}))

    def plan(request: Passed) -> Fault | None:
        is_hit = draws.random() < 0.1 or request.number == 0
        return draws.choice(faults) if request.method != "GET" and is_hit else None

    return plan


def events_of(apiserver: ApiServer, node_image: NodeImageOnServer) -> list[Json]:
    """Return the events on a NodeImage."""
    found: list[Json] = apiserver.request("GET", EVENTS)["items"]
    return [event for event in found if event["regarding"]["name"] == node_image.name]


@pytest.mark.parametrize("seed", [1])
def test_writes_whose_answers_are_lost_end_right(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    gateway: Gateway,
    deployed: ApiServer,
    seed: int,
) -> None:
    """A tenth is done and answered by 500, 429 or nothing: each status is right, and each end is told by one event."""
    images = [
        push(f"app-{number:02}", tag="v1", layers=[LAYER_BYTES], seed=number).at(faults.host) for number in range(20)
    ]
    gateway.plan = losing(seed)
    faults.limit(2 * LAYER_BYTES)
    agent = start_agent(node_image, containerd, variables=gateway.variables)

    node_image.want_all({image.key: {"tags": [entry("v1", version=2)]} for image in images})
    status = node_image.until_status(lambda status: status.get("succeeded") == len(images), what="all have ended")
    until(
        lambda: len(events_of(deployed, node_image)) >= len(images),
        what="each end is told",
        timeout_seconds=60,
    )
    events = events_of(deployed, node_image)

    said = {key: value["tags"][0] for key, value in status["imageStatuses"].items()}
    assert {image.key: (2, "Succeeded", image.digest) for image in images} == {
        key: (tag["version"], tag["phase"], tag["digest"]) for key, tag in said.items()
    }
    assert len(images) == len({event["note"].partition(": ")[0] for event in events})
    assert len(images) == len(events)
    assert 1 <= agent.metric("prewarm_status_writes_total", result="failed")
    assert len(gateway.seen("PATCH")) < 3 * len(images)


def test_a_late_status_of_a_replaced_node_image_lands_nowhere(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    gateway: Gateway,
) -> None:
    """Held up on its way until its object is deleted and created anew, it is refused; the new one has its own."""
    image, other = push("app", tag="v1").at(faults.host), push("other", tag="v1")
    agent = start_agent(node_image, containerd, variables=gateway.variables)
    agent.until_ready()
    node_image.until_status(lambda status: "prewarm" in status, what="the first report")
    held = Held(threading.Event())
    writes = len(gateway.seen("PATCH"))

    gateway.plan = lambda request: held if request.method == "PATCH" and request.number == writes else None
    node_image.want(image.key, entry("v1"))
    until(lambda: len(gateway.seen("PATCH")) > writes, what="the status is on its way", timeout_seconds=30)
    old = node_image.read()["metadata"]["uid"]
    node_image.delete()
    new = node_image.create({other.key: {"tags": [entry("v1")]}})["metadata"]["uid"]
    with History(node_image) as history:
        held.release.set()
        node_image.ended(other.key, "v1")
        agent.until_state(lambda state: state["node_image"]["uid"] == new, what="it serves the new one")
        node_image.want(image.key, entry("v1"))
        again = node_image.ended(image.key, "v1")
    before_wish = [sight for sight in history.sights if image.key not in sight.resource["spec"].get("images", {})]

    assert old != new
    assert {(other.key, "v1")} == {key for sight in before_wish for key in sight.tags()}
    assert {new} == {sight.resource["metadata"]["uid"] for sight in history.sights}
    assert ("Succeeded", False) == (again["phase"], again["changed"])


def test_a_frozen_agent_that_wakes_up_to_another_node_image_says_nothing_of_the_old_one(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Its node stood still while the object was replaced; what it had pulled for the old one is found as unchanged."""
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 2).at(faults.host)
    agent = start_agent(node_image, containerd)
    faults.limit(LAYER_BYTES // 2)
    node_image.want(image.key, entry("v1", version=9))
    node_image.until(image.key, "v1", lambda found: found["phase"] == "Pulling", what="is being pulled")

    agent.process.freeze()
    faults.clear()
    until(lambda: image.reference in containerd.images(), what="the runtime has pulled it", timeout_seconds=60)
    node_image.delete()
    new = node_image.create()["metadata"]["uid"]
    with History(node_image) as history:
        agent.process.thaw()
        agent.until_state(lambda state: state["node_image"]["uid"] == new, what="it serves the new one")
        node_image.want(image.key, entry("v1", version=2))
        status = node_image.ended(image.key, "v1", version=2)

    assert ("Succeeded", False) == (status["phase"], status["changed"])
    assert {2} == {tag["version"] for tag in history.tags(image.key, "v1")}


def revoke(apiserver: ApiServer, token: str, *, pod: str) -> None:
    """End a token by the end of its Pod; the API server remembers for some seconds that it was good."""
    apiserver.request("DELETE", f"/api/v1/namespaces/{ACCOUNT[0]}/pods/{pod}?gracePeriodSeconds=0")
    until(lambda: is_refused(apiserver, token), what="the token is refused", timeout_seconds=60)


def is_refused(apiserver: ApiServer, token: str) -> bool:
    """Tell whether the API server no longer knows who shows this token."""
    try:
        apiserver.request("GET", "/version", token=token)
        apiserver.request("GET", "/api/v1/namespaces/default", token=token)
    except ApiFailed as error:
        return error.status == 401
    return False


def test_a_revoked_token_is_said_and_the_next_one_taken_up_without_a_new_watch(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """
    While there is no other token in its file, the agent says so and goes on pulling.

    With a new one there, a refused write is made again at once, long before a token is read anew by itself.
    """
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    agent.until_ready()
    node_image.until_status(lambda status: "prewarm" in status, what="the first report")
    folder = agent.folder / "account"

    revoke(deployed, (folder / "token").read_text(), pod=f"{ACCOUNT[1]}-{node_image.name}")
    node_image.want(image.key, entry("v1"))
    agent.until_state(lambda state: state["counts"]["succeeded"] == 1, what="the pull has ended")
    until(agent.is_not_ready, what="the agent says that it is not ready", timeout_seconds=30)
    words = agent.get("/readyz")[1]
    deployed.service_account_folder(folder, *ACCOUNT, node=node_image.name)
    status = node_image.ended(image.key, "v1")
    agent.until_ready()
    failed = agent.metric("prewarm_status_writes_total", result="failed")

    assert "Unauthenticated" in words
    assert "Succeeded" == status["phase"]
    assert failed + 1 == agent.metric("prewarm_api_requests_total", verb="patch", code="401")
    assert 1 == agent.metric("prewarm_api_requests_total", verb="watch", code="200")
