"""What a person can do about a failure, beside what the API server said. Pure."""

from collections.abc import Mapping
from typing import Final

from daemon.cluster.errors import ClusterError, Denied, NotFound, Unauthenticated, Unreachable
from daemon.overview.notes import ROLE


RIGHTS: Final = "docs/status.md#rights"

_REMEDIES: Final[Mapping[type[ClusterError], str]] = {
    Unreachable: "is it up, and reachable from here? `kubectl cluster-info` asks it too",
    Unauthenticated: "log in again, or choose another --context; `kubectl auth whoami` asks too",
    Denied: f"the ClusterRole {ROLE} of {RIGHTS} lets a person read everything here",
}


def words_for(error: ClusterError, *, is_writing: bool = False) -> str:
    """Return a failure in a line that says what to do."""
    if isinstance(error, Denied) and is_writing:
        return f"{error.message}; the ClusterRole prewarm-job-editor of {RIGHTS} lets a person suspend and resume"
    if isinstance(error, NotFound) and "CRDs" in error.message:
        return f"{error.message} `kubectl apply -f daemonset.yaml` brings them"
    remedy = _REMEDIES.get(type(error), "")
    return f"{error.message}; {remedy}" if remedy else error.message
