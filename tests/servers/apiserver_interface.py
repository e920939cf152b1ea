"""The seam between an ApiServer and what runs it."""

from pathlib import Path
from typing import Protocol

from tests.servers.apiserver_access import Access


class Server(Protocol):
    """What runs the API: processes of a test's own (ControlPlane), or an ExistingCluster that refuses to be stopped."""

    access: Access
    kubeconfig: Path
    has_ipv6: bool

    @property
    def kubectl(self) -> Path:
        """The client that goes with it."""
        ...

    def open(self) -> None:
        """Bring it up with all that it needs."""
        ...

    def close(self) -> None:
        """End it with all that it needed."""
        ...

    def start(self) -> None:
        """Start the API server alone."""
        ...

    def stop(self) -> None:
        """Stop the API server alone."""
        ...

    def kill(self) -> None:
        """Kill the API server alone."""
        ...

    def freeze(self) -> None:
        """Make the API server hang."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...

    def compact(self) -> None:
        """Forget old revisions."""
        ...
