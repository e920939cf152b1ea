"""How long to wait before the API server is asked again: full jitter, so that a thousand nodes do not ask at once."""

from tenacity import RetryCallState, Retrying, wait_random_exponential

from daemon.cluster.errors import ClusterError


# A server that asks for more is overloaded or wrong; it is asked again all the same.
ASKED_MOST_SECONDS = 300.0


def backoff_seconds(failures: int, *, first_seconds: float, most_seconds: float) -> float:
    """Draw the wait after failure number `failures` (from 1) in a row: between none and first_seconds, doubling."""
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = failures
    wait = wait_random_exponential(multiplier=first_seconds, max=most_seconds)
    return wait(state)


def asked_seconds(error: ClusterError) -> float:
    """Return the wait that the server asked for, which the jitter comes on top of; 0 for none."""
    return min(error.retry_after_seconds or 0.0, ASKED_MOST_SECONDS)
