"""
A cluster with OpenKruise in it: its CRDs or ours, a stand-in for its manager, and agents in the place of its daemon.

The account and the admission policies of daemonset.yaml are in force.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.behaviour.openkruise.cluster import SHAPES, Cluster, Shape, install, remove
from tests.servers import binaries
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.fixtures_apiserver import Names
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client


class StartAgent(Protocol):
    """Starts the agent of a node on the test's containerd; it is stopped at the end of the test."""

    def __call__(self, node: str, *, options: Sequence[str] = ...) -> AgentProcess:
        """Start it; the node need not have a NodeImage."""
        ...


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest, apiserver: ApiServer) -> Iterator[Shape]:
    """Each shape of CRDs in turn."""
    shape = SHAPES[request.param]
    install(apiserver, shape)
    yield shape
    remove(apiserver, shape)


@pytest.fixture
def cluster(apiserver: ApiServer, shape: Shape, namespace: str) -> Cluster:
    """The cluster in the API version of the shape's manager."""
    return Cluster(apiserver, release=shape.release, namespace=namespace)


@pytest.fixture
def manager(cluster: Cluster, shape: Shape) -> Iterator[Manager]:
    """A manager that moves by steps until it is started."""
    with Manager(manager_client(cluster.apiserver), release=shape.release) as manager:
        yield manager


@pytest.fixture
def node(cluster: Cluster, names: Names) -> Iterator[str]:
    """A Node that has long been ready, without a NodeImage."""
    name = names("node")
    cluster.create_node(name)
    yield name
    cluster.delete_node(name)


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """The newest containerd alone: what is under test here is not the runtime's."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture
def start_agent(cluster: Cluster, workdir: Path, containerd: Containerd) -> Iterator[StartAgent]:
    """Start agents with the account of daemonset.yaml."""
    with contextlib.ExitStack() as running:

        def start(node: str, *, options: Sequence[str] = ()) -> AgentProcess:
            agent = AgentProcess(
                cluster.apiserver,
                workdir / f"agent-{node}",
                node_name=node,
                endpoint=containerd.endpoint,
                options=options,
            )
            return running.enter_context(agent)

        yield start
