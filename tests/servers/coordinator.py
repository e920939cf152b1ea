"""`prewarm coordinator` as a Pod runs it; what it shares with the agent is pods.py's."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.servers.apiserver import ApiServer
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.pods import PodProcess
from tests.servers.processes import until


NAMESPACE: Final = "prewarm-system"
ACCOUNT: Final = "prewarm-coordinator"
LEASE: Final = "prewarm-coordinator"


class CoordinatorProcess(PodProcess):
    """
    One coordinator; several run against one API server, and the Lease says which of them leads.

    Args:
        apiserver: whose jobs and Nodes it serves, all of them.
        folder: its own: the token, its log, its home.
        name: of its Pod, which is its identity in the Lease.
        options: of the command, such as "--write-rate", "1000".
        variables: environment variables beside those of a Pod.
        account: namespace and name of its service account.
        host: the API server's address, such as ::1 in place of the usual.
    """

    def __init__(
        self,
        apiserver: ApiServer,
        folder: Path,
        *,
        name: str = "coordinator",
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        account: tuple[str, str] = (NAMESPACE, ACCOUNT),
        host: str | None = None,
    ) -> None:
        self._lease = ObjectOnServer(apiserver, f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases", LEASE)
        super().__init__(
            "coordinator",
            apiserver,
            folder,
            name=name,
            account=account,
            options=options,
            variables={"POD_NAMESPACE": NAMESPACE, **(variables or {})},
            host=host,
            python=(Path(sys.executable), ()),
        )

    @property
    def is_holder(self) -> bool:
        """Whether the Lease names it."""
        return self.name == holder(self._lease.find() or {})

    def until_leading(self, *, timeout_seconds: float = 30) -> None:
        """Wait until it holds the Lease and acts."""
        until(lambda: self.is_holder, what=f"{self.name} holds the Lease", timeout_seconds=timeout_seconds)
        self.until_ready()

    def until_counted_again(self) -> Json:
        """Wait for a count that is made from now on, and return what /state shows of it."""
        earlier: str = self.state()["cluster"]["counted_at"]
        return self.until_state(lambda state: bool(state["cluster"]["counted_at"] > earlier), what="counts again")

    def until_quiet(self) -> None:
        """Wait until nothing was written from one count to the next, whoever it was for, and nothing is to be."""

        def is_quiet() -> bool:
            before = self.metric("prewarm_coordinator_writes_total")
            writes = self.until_counted_again()["writes"]
            is_idle = writes["running"] == 0 and not any(writes["waiting"].values())
            return is_idle and before == self.metric("prewarm_coordinator_writes_total")

        until(is_quiet, what=f"{self.name} has nothing to do", timeout_seconds=60)


def holder(lease: Json) -> str:
    """Return who holds a Lease, "" where nobody does."""
    found: str = lease.get("spec", {}).get("holderIdentity") or ""
    return found
