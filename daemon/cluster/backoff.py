"""How long the API server is left alone after a failure: jitter, on top of what it asked for itself."""

from daemon.cluster.errors import ClusterError
from daemon.jitter import full_jitter_seconds


FIRST_SECONDS = 1.0
MOST_SECONDS = 30.0
# A server that asks for more is overloaded or wrong; it is asked again all the same.
ASKED_MOST_SECONDS = 300.0


def backoff_seconds(failures: int) -> float:
    """Draw the wait after failure number `failures` (from 1) in a row: full jitter under 1, 2, 4 ... 30 seconds."""
    return full_jitter_seconds(failures, first_seconds=FIRST_SECONDS, most_seconds=MOST_SECONDS)


def asked_seconds(error: ClusterError) -> float:
    """Return the wait that the server asked for, which the jitter comes on top of; 0 for none."""
    return min(error.retry_after_seconds or 0.0, ASKED_MOST_SECONDS)
