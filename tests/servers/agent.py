"""`prewarm agent` as a Pod runs it, on one node; what it shares with the coordinator is pods.py's."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.apiserver import ApiServer
from tests.servers.pods import ROOT, Json, PodProcess


__all__ = ["ACCOUNT", "NAMESPACE", "ROOT", "AgentProcess", "Json"]

NAMESPACE = "prewarm-system"
ACCOUNT = "prewarm-agent"


class AgentProcess(PodProcess):
    """
    The agent of one node.

    Args:
        apiserver: where its NodeImage is.
        folder: its own: the token, its log, its home.
        node_name: whose NodeImage it serves.
        endpoint: the container runtime's socket; "" lets it look for one.
        options: further ones, such as "--min-free", "10%".
        variables: environment variables beside those of a Pod.
        account: namespace and name of its service account; its token is bound to a Pod on the node.
        host: the API server's address, such as ::1 in place of the usual.
        python: what runs it, with the folders that its PYTHONPATH has beside the product's.
    """

    def __init__(
        self,
        apiserver: ApiServer,
        folder: Path,
        *,
        node_name: str,
        endpoint: str = "",
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        account: tuple[str, str] = (NAMESPACE, ACCOUNT),
        host: str | None = None,
        python: tuple[Path, Sequence[Path]] = (Path(sys.executable), ()),
    ) -> None:
        self.node_name = node_name
        runtime = ["--runtime-endpoint", endpoint] if endpoint else []
        super().__init__(
            "agent",
            apiserver,
            folder,
            name=f"agent-{node_name}",
            account=account,
            node=node_name,
            # The machine's own disk plays no part, unless a test says so.
            options=["--node-name", node_name, "--min-free", "0", *runtime, *options],
            variables=variables,
            host=host,
            python=python,
        )
