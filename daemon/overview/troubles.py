"""What a person can do about a failure, beside what the API server said. Pure."""

from collections.abc import Mapping
from typing import Final

from daemon.cluster.errors import ClusterError, Denied, NotFound, Unauthenticated, Unreachable
from daemon.overview.notes import ROLE


RIGHTS: Final = "docs/status.md#rights"
VIEWER: Final = f"{ROLE} of {RIGHTS}"

_REMEDIES: Final[Mapping[type[ClusterError], str]] = {
    Unreachable: "is it up, and reachable from here? `kubectl cluster-info` asks it too",
    Unauthenticated: "log in again, or choose another --context; `kubectl auth whoami` asks too",
}


def words_for(error: ClusterError, *, is_writing: bool = False, role: str = VIEWER) -> str:
    """Return a failure in a line that says what to do; `role` lets a person read, and where it is documented."""
    if isinstance(error, Denied) and is_writing:
        return f"{error.message}; the ClusterRole prewarm-job-editor of {RIGHTS} lets a person suspend and resume"
    if isinstance(error, NotFound) and "CRDs" in error.message:
        return f"{error.message} `kubectl apply -f daemonset.yaml` brings them"
    may_read = f"the ClusterRole {role} lets a person read everything here"
    remedy = may_read if isinstance(error, Denied) else _REMEDIES.get(type(error), "")
    return f"{error.message}; {remedy}" if remedy else error.message
