"""
What the agent's figures are measured on: a stage with an API server and its accounts, and an agent as its image has it.

The agent runs in a Python that holds the base dependencies alone, as the node image does.
"""

import contextlib
from collections.abc import Iterator

from bench.stage import Stage, stage
from tests.servers import binaries
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd
from tests.servers.deployment import deploy
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.setup import base


class AgentStage:
    """A stage with an API server on which daemonset.yaml is applied, and one containerd."""

    def __init__(self, place: Stage, apiserver: ApiServer, containerd: Containerd) -> None:
        self.place = place
        self.apiserver = apiserver
        self.containerd = containerd
        self._python = base.interpreter(place.folder / "python"), (base.packages(),)

    @contextlib.contextmanager
    def agent(
        self, node_name: str, *, containerd: Containerd | None = None
    ) -> Iterator[tuple[AgentProcess, NodeImageOnServer]]:
        """Run an agent of a node, ready and with nothing wanted yet; of another containerd, where one is given."""
        node_image = NodeImageOnServer(self.apiserver, node_name)
        node_image.create()
        agent = AgentProcess(
            self.apiserver,
            self.place.folder / node_name,
            node_name=node_name,
            endpoint=(containerd or self.containerd).endpoint,
            python=self._python,
        )
        with agent:
            agent.until_ready()
            node_image.until_status(lambda status: "prewarm" in status, what="the agent has reported")
            yield agent, node_image


@contextlib.contextmanager
def agent_stage() -> Iterator[AgentStage]:
    """Set the stage."""
    with stage() as place, ApiServer(place.folder / "api") as apiserver:
        deploy(apiserver)
        yield AgentStage(place, apiserver, place.containerd(binaries.NEWEST))


def writes(agent: AgentProcess) -> int:
    """Return how many writes of the status an agent has made, as it counts them itself."""
    return int(agent.metric("prewarm_api_requests_total", verb="patch", resource="nodeimages/status", code="200"))
