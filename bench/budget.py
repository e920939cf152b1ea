"""The time that a budget of writes makes unavoidable: what a perfect coordinator would need. Pure."""

from collections.abc import Sequence


def departures(arrivals: Sequence[float], *, rate: float, burst: float) -> list[float]:
    """
    Return when each write can be sent at the earliest, in order, if nothing else takes a token.

    Args:
        arrivals: when there is something to write, in seconds.
        rate: tokens a second.
        burst: the tokens that there are at the first of them, and the most that there can be.
    """
    found: list[float] = []
    tokens, at = burst, min(arrivals, default=0.0)
    for arrival in sorted(arrivals):
        now = max(at, arrival)
        tokens = min(burst, tokens + (now - at) * rate)
        if tokens < 1:
            now += (1 - tokens) / rate
            tokens = 1.0
        tokens, at = tokens - 1, now
        found.append(now)
    return found
