"""
What each reason means for the next attempt: the error classes, and how long to wait.

Pure but for the jitter, which the loop draws and hands to transitions.py as a number.
"""

import random
from enum import Enum

from daemon.api.reasons import PERMANENT, Reason
from daemon.jitter import full_jitter_seconds


CAP_SECONDS = 30.0
FIRST_SECONDS = 1.0
THROTTLE_FIRST_SECONDS = 5.0
THROTTLE_CAP_SECONDS = 300.0


class ErrorClass(Enum):
    """How a failed attempt is followed up."""

    PERMANENT = "asking again cannot help: fail at once"
    RETRIED = "another attempt after a backoff"
    THROTTLED = "every pull from that registry pauses, growing"


# Partial content behind these can be the cause of the next failure: a corrupt ingest of full size fails for ever.
DROPS_HOLD = frozenset({Reason.CORRUPT_CONTENT, Reason.DISK_FULL, Reason.DISK_LOW})


def error_class(reason: Reason) -> ErrorClass:
    """Classify a reason; denied, not found and unknown words are retried (a secret or a tag may arrive)."""
    if reason in PERMANENT:
        return ErrorClass.PERMANENT
    if reason is Reason.REGISTRY_THROTTLED:
        return ErrorClass.THROTTLED
    return ErrorClass.RETRIED


def backoff_seconds(attempt: int) -> float:
    """Draw the wait after attempt number `attempt` (from 1): full jitter under 1, 2, 4 ... 30 seconds."""
    return full_jitter_seconds(attempt, first_seconds=FIRST_SECONDS, most_seconds=CAP_SECONDS)


def throttle_seconds(pauses: int) -> float:
    """Draw a registry's pause number `pauses` (from 1): 5 s doubling to 5 min, plus up to a fifth."""
    pause = min(THROTTLE_CAP_SECONDS, THROTTLE_FIRST_SECONDS * 2.0 ** min(pauses - 1, 10))
    return pause * random.uniform(1.0, 1.2)  # noqa: S311 - spreads load, guards nothing
