"""What each reason means for the next attempt, and how long the waits are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.reasons import Reason
from daemon.node.backoff import (
    CAP_SECONDS,
    DROPS_HOLD,
    THROTTLE_CAP_SECONDS,
    ErrorClass,
    backoff_seconds,
    error_class,
    throttle_seconds,
)


PERMANENT = {Reason.INVALID_REFERENCE, Reason.PLATFORM_MISMATCH, Reason.REFUSED_BY_POLICY}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_class(reason: Reason) -> None:
    """Three are permanent, one is throttled, and all others are worth another attempt."""
    if reason in PERMANENT:
        expected = ErrorClass.PERMANENT
    elif reason is Reason.REGISTRY_THROTTLED:
        expected = ErrorClass.THROTTLED
    else:
        expected = ErrorClass.RETRIED

    assert expected is error_class(reason)


@given(attempt=st.integers(min_value=1, max_value=2**31))
def test_backoff_is_never_negative_and_never_above_thirty_seconds(attempt: int) -> None:
    """Whatever the backoffLimit."""
    seconds = backoff_seconds(attempt)

    assert 0.0 <= seconds <= min(CAP_SECONDS, 2.0 ** min(attempt - 1, 10))


def test_backoff_has_full_jitter() -> None:
    """Waits spread over the whole range, so that nodes which failed together do not ask together."""
    waits = [backoff_seconds(6) for _ in range(400)]

    assert min(waits) < CAP_SECONDS / 4
    assert max(waits) > CAP_SECONDS * 3 / 4


@given(pauses=st.integers(min_value=1, max_value=2**31))
def test_a_pause_grows_from_five_seconds_to_five_minutes(pauses: int) -> None:
    """Doubling, plus up to a fifth by chance."""
    base = min(THROTTLE_CAP_SECONDS, 5.0 * 2.0 ** min(pauses - 1, 10))

    seconds = throttle_seconds(pauses)

    assert base <= seconds <= base * 1.2


@pytest.mark.parametrize("reason", [Reason.CORRUPT_CONTENT, Reason.DISK_FULL, Reason.DISK_LOW])
def test_what_partial_content_can_cause_drops_the_hold(reason: Reason) -> None:
    """A corrupt ingest of full size would fail for ever."""
    assert reason in DROPS_HOLD


@pytest.mark.parametrize("reason", [Reason.REGISTRY_UNAVAILABLE, Reason.UNAUTHORIZED, Reason.ATTEMPT_TIMEOUT])
def test_what_partial_content_cannot_cause_keeps_the_hold(reason: Reason) -> None:
    """The next attempt goes on where this one was cut off."""
    assert reason not in DROPS_HOLD
