"""IPv6 on both sides of an agent: the API server that it speaks to, and the address at which it is asked."""

import socket
import urllib.request
from pathlib import Path

import pytest

from tests.servers import binaries
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import write_kubeconfig
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One version: nothing here depends on it."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture(autouse=True)
def ipv6(deployed: ApiServer) -> None:
    """Skip on a machine without IPv6."""
    if not deployed.has_ipv6:
        pytest.skip("this machine has no IPv6")


def listens(host: str, port: int) -> bool:
    """Tell whether anything takes connections there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        client.settimeout(5)
        return client.connect_ex((host, port)) == 0


def health(host: str, port: int) -> str:
    """Return what /healthz answers at an address."""
    name = f"[{host}]" if ":" in host else host
    with urllib.request.urlopen(f"http://{name}:{port}/healthz", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_the_api_server_of_a_pod_has_an_ipv6_address(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """KUBERNETES_SERVICE_HOST has it without brackets; watch, status and events go there."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd, host="::1")

    node_image.want(image.key, entry("v1"))
    status = node_image.ended(image.key, "v1")
    agent.until_ready()

    assert ("Succeeded", image.digest) == (status["phase"], status["digest"])
    assert 0 == agent.metric("prewarm_api_requests_total", code="none")


def test_the_api_server_of_a_kubeconfig_has_an_ipv6_address(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, deployed: ApiServer, workdir: Path
) -> None:
    """There it stands in brackets, in a URL."""
    kubeconfig = write_kubeconfig(workdir / "kubeconfig", deployed.access_at("::1"))

    agent = start_agent(node_image, containerd, host="192.0.2.1", options=["--kubeconfig", str(kubeconfig)])
    status = node_image.until_status(lambda status: "prewarm" in status, what="says who serves it")
    agent.until_ready()

    assert "agent" in status["prewarm"]


def test_it_listens_on_one_ipv6_address(node_image: NodeImageOnServer, start_agent: StartAgent) -> None:
    """And on no IPv4 address then."""
    agent = start_agent(node_image, None, options=["--listen", "[::1]:0"])

    assert "ok\n" == health("::1", agent.port)
    assert not listens("127.0.0.1", agent.port)


def test_without_a_host_it_listens_on_every_address(node_image: NodeImageOnServer, start_agent: StartAgent) -> None:
    """Of both families, by one port: the kubelet comes by whichever its Pod has."""
    agent = start_agent(node_image, None, options=["--listen", ":0"])

    assert ["ok\n", "ok\n"] == [health(host, agent.port) for host in ("::1", "127.0.0.1")]


def test_an_ipv4_address_is_that_alone(node_image: NodeImageOnServer, start_agent: StartAgent) -> None:
    """Whoever names one has a reason."""
    agent = start_agent(node_image, None, options=["--listen", "127.0.0.1:0"])

    assert "ok\n" == health("127.0.0.1", agent.port)
    assert not listens("::1", agent.port)
