"""
A coordinator in an agent's process, for clusters where a single DaemonSet is wanted (--with-coordinator).

Beside the process, its port and its account they share nothing. What it shows is below /coordinator on the agent's
port; its liveness is part of the agent's.
"""

from daemon.agent.assembly import Beside
from daemon.clock import SystemClock
from daemon.cluster.access import Access
from daemon.config import CoordinatorSettings
from daemon.coordinator.assembly import Assembly, assembled
from daemon.coordinator.running import Running
from daemon.ending import Ending


class AgentsCoordinator:
    """One coordinator that an agent starts and stops."""

    def __init__(self, assembly: Assembly, *, ending: Ending) -> None:
        self._assembly = assembly
        self._ending = ending
        self._running: Running | None = None

    @property
    def beside(self) -> Beside:
        """What it answers, and the checks of its liveness."""
        routes = {f"/coordinator{path}": answer for path, answer in self._assembly.routes.items()}
        alive = {f"coordinator-{name}": check for name, check in self._assembly.alive.items()}
        return Beside(alive=alive, routes=routes)

    def start(self) -> None:
        """Take part in the election."""
        self._running = Running(self._assembly, ending=self._ending)

    def stop(self) -> None:
        """Send nothing more, and release the Lease."""
        if self._running is not None:
            self._running.stop()


def coordination_of(settings: CoordinatorSettings, *, access: Access, ending: Ending) -> AgentsCoordinator:
    """
    Make the coordinator of an agent.

    Raises:
        NoAccess: the API server's address or certificates are of no use.
    """
    assembly = assembled(settings, access=access, died=ending.died, clock=SystemClock(), has_process=False)
    return AgentsCoordinator(assembly, ending=ending)
