"""How long to wait before what failed is tried again: full jitter, so that a thousand nodes do not ask at once."""

from tenacity import RetryCallState, Retrying, wait_random_exponential


def full_jitter_seconds(failures: int, *, first_seconds: float, most_seconds: float) -> float:
    """Draw the wait after failure number `failures` (from 1) in a row: between none and first_seconds, doubling."""
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = failures
    wait = wait_random_exponential(multiplier=first_seconds, max=most_seconds)
    return wait(state)
