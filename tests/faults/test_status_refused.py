"""The schema of the NodeImages refuses what the agent says: it is told, it is tried again seldom, and work goes on."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stepped import SteppedClock, stepped_agent
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.registry import Registry


pytestmark = ON_NEWEST

MINUTE_SECONDS = 60.0


@pytest.fixture
def absent(registry: Registry) -> str:
    """A repository that the registry does not have, of which a status says so in many words."""
    return f"{registry.host}/absent"


@contextlib.contextmanager
def strict(apiserver: ApiServer, probe: str) -> Iterator[None]:
    """Take messages of five characters alone for a while; `probe` is a NodeImage that is not changed by it."""
    usual = [crd for crd in crds.ours() if crd["spec"]["names"]["kind"] == "NodeImage"]
    crds.install(apiserver, [narrowed(crd) for crd in usual])
    until(lambda: is_refused(apiserver, probe), what="the schema is strict", timeout_seconds=30)
    try:
        yield
    finally:
        crds.install(apiserver, usual)
        until(lambda: not is_refused(apiserver, probe), what="the schema is as it was", timeout_seconds=30)


def narrowed(crd: Json) -> Json:
    """Return the CRD with a bound on the messages of tag statuses, in each version."""
    narrow = copy.deepcopy(crd)
    for version in narrow["spec"]["versions"]:
        images = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["imageStatuses"]
        tags = images["additionalProperties"]["properties"]["tags"]
        tags["items"]["properties"]["message"]["maxLength"] = 5
    return narrow


def is_refused(apiserver: ApiServer, name: str) -> bool:
    """Tell whether a status with a longer message would be refused."""
    status = {"imageStatuses": {"a": {"tags": [{"tag": "v1", "phase": "Failed", "message": "longer than five"}]}}}
    path = f"/apis/apps.kruise.io/v1beta1/nodeimages/{name}/status?dryRun=All"
    try:
        apiserver.request("PATCH", path, {"status": status})
    except ApiFailed as error:
        if error.status != 422:
            raise
        return True
    return False


def test_a_status_that_the_schema_refuses_is_told_and_holds_up_no_pull(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    deployed: ApiServer,
    absent: str,
) -> None:
    """Log, readiness and a metric say so; other images come, and a status that is taken is the last word at the end."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    agent.until_ready()

    with strict(deployed, node_image.name):
        node_image.want(absent, entry("v1"))
        until(
            lambda: agent.metric("prewarm_status_writes_total", result="refused"),
            what="the status is refused",
            timeout_seconds=30,
        )
        node_image.want(image.key, entry("v1"))
        agent.until_state(lambda state: state["counts"]["succeeded"] == 1, what="another image is pulled")
        ready, alive = agent.get("/readyz"), agent.get("/healthz")
        refused = agent.metric("prewarm_api_requests_total", verb="patch", code="422")
        lines = [line for line in agent.lines() if line["event"] == "status_failed"]
    code = agent.stop()
    status = node_image.status

    assert (503, 200) == (ready[0], alive[0])
    assert "Invalid" in ready[1]
    assert ["Invalid"] == [line["error"] for line in lines]
    assert 2 == refused
    assert image.digest == containerd.images()[image.reference]
    assert (0, 1, 1) == (code, status["succeeded"], status["failed"])


def test_a_refused_status_is_written_when_the_schema_is_mended(
    node_image: NodeImageOnServer, containerd: Containerd, deployed: ApiServer, workdir: Path, absent: str
) -> None:
    """It is tried again each minute; nobody has to restart anything."""
    clock = SteppedClock()
    account = workdir / "account"
    with stepped_agent(
        deployed, account, node_name=node_image.name, endpoint=containerd.endpoint, clock=clock
    ) as agent:
        node_image.until_status(lambda status: "prewarm" in status, what="the first report")
        with strict(deployed, node_image.name):
            node_image.want(absent, entry("v1"))
            until(
                lambda: agent.metric('prewarm_status_writes_total{result="refused"}'),
                what="the status is refused",
                timeout_seconds=30,
            )
        before = node_image.tag(absent, "v1")
        clock.sleep(MINUTE_SECONDS)
        node_image.touch()
        status = node_image.ended(absent, "v1")
        until(lambda: agent.get("/readyz")[0] == 200, what="the agent is ready again", timeout_seconds=30)

    assert "Failed" != before.get("phase")
    assert ("Failed", "ImageNotFound") == (status["phase"], status["reason"])
