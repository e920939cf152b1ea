"""
Fixtures of tests with a real agent: daemonset.yaml's accounts and policies in force, and agents as Pods run them.

Every test has a node of its own by name, so that many share one API server.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.servers import binaries
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.deployment import deploy
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodeimages import NodeImageOnServer


# For tests in which the runtime plays no part: one containerd, the newest, is enough.
ON_NEWEST = pytest.mark.parametrize("containerd_binaries", [binaries.NEWEST], indirect=True, ids=binaries.label)


class Runtime(Protocol):
    """What an agent is started on: a Containerd, or one that is scripted."""

    @property
    def endpoint(self) -> str:
        """Where its socket is."""
        ...


class StartAgent(Protocol):
    """Starts an agent of a node; see AgentProcess for its arguments."""

    def __call__(
        self,
        node_image: NodeImageOnServer,
        runtime: Runtime | None,
        *,
        options: Sequence[str] = ...,
        variables: Mapping[str, str] | None = ...,
        account: tuple[str, str] = ...,
        host: str | None = ...,
    ) -> AgentProcess:
        """Start it; it is stopped at the end of the test."""
        ...


@pytest.fixture(scope="module")
def deployed(apiserver: ApiServer) -> ApiServer:
    """The module's API server with daemonset.yaml applied."""
    deploy(apiserver)
    return apiserver


@pytest.fixture
def node_image(deployed: ApiServer, names: Names) -> Iterator[NodeImageOnServer]:
    """A NodeImage of the test's own, with nothing wanted."""
    found = NodeImageOnServer(deployed, names("node"))
    found.create()
    yield found
    with contextlib.suppress(Exception):
        found.delete()


@pytest.fixture
def start_agent(deployed: ApiServer, workdir: Path) -> Iterator[StartAgent]:
    """Start agents; whatever an agent logged is one JSON object a line, or the test fails."""
    with contextlib.ExitStack() as running:

        def start(
            node_image: NodeImageOnServer,
            runtime: Runtime | None,
            *,
            options: Sequence[str] = (),
            variables: Mapping[str, str] | None = None,
            account: tuple[str, str] = ("prewarm-system", "prewarm-agent"),
            host: str | None = None,
        ) -> AgentProcess:
            agent = AgentProcess(
                deployed,
                workdir / f"agent-{node_image.name}",
                node_name=node_image.name,
                endpoint=runtime.endpoint if runtime else str(workdir / "absent.sock"),
                options=options,
                variables=variables,
                account=account,
                host=host,
            )
            return running.enter_context(agent)

        yield start
