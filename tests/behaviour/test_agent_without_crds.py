"""An API server that has no NodeImages: the agent is there before the CRDs, or they are taken away under it."""

import contextlib

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.containerd import Containerd
from tests.servers.deployment import MANIFEST, deploy, nodeimages
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until


pytestmark = ON_NEWEST

CRDS = MANIFEST.parent / "deploy/crds"


def remove_crds(apiserver: ApiServer) -> None:
    """Take the CRDs away, with every object of theirs."""
    apiserver.kubectl("delete", "--kustomize", CRDS, "--wait", "--timeout=60s")


def install_crds(apiserver: ApiServer) -> None:
    """Install the CRDs, and wait until their kinds are served."""
    apiserver.kubectl("apply", "--kustomize", CRDS)

    def is_served() -> bool:
        with contextlib.suppress(ApiFailed):
            return bool(apiserver.request("GET", nodeimages()))
        return False

    until(is_served, what="NodeImages are served", timeout_seconds=60)


@pytest.fixture
def node_image(deployed: ApiServer, names: Names) -> NodeImageOnServer:
    """A NodeImage that is not there yet."""
    deploy(deployed)
    return NodeImageOnServer(deployed, names("node"))


def test_an_agent_waits_for_the_crds(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """It is alive, not ready, and says what is missing; once they are there it serves without a restart."""
    image = push("app", tag="v1")
    remove_crds(deployed)
    agent = start_agent(node_image, containerd)

    until(lambda: "CRDs" in agent.get("/readyz")[1], what="readiness says what is missing", timeout_seconds=30)
    alive, ready = agent.get("/healthz")[0], agent.get("/readyz")[0]
    install_crds(deployed)
    node_image.create({image.key: {"tags": [entry("v1")]}})
    status = node_image.ended(image.key, "v1")
    agent.until_ready()

    assert (200, 503) == (alive, ready)
    assert "Succeeded" == status["phase"]


def test_an_agent_outlives_the_crds(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """Taken away with every NodeImage, nothing is wanted any more; back again, a new NodeImage is served."""
    image = push("app", tag="v1")
    node_image.create({image.key: {"tags": [entry("v1")]}})
    agent = start_agent(node_image, containerd)
    node_image.ended(image.key, "v1")

    remove_crds(deployed)
    agent.until_state(lambda state: not state["images"], what="nothing is wanted")
    until(lambda: agent.get("/readyz")[0] == 503, what="not ready", timeout_seconds=30)
    install_crds(deployed)
    node_image.create({image.key: {"tags": [entry("v1", version=2)]}})
    status = node_image.ended(image.key, "v1", version=2)

    assert ("Succeeded", False) == (status["phase"], status["changed"])
    assert 200 == agent.get("/healthz")[0]
