"""Whether somebody leads is told by the Lease, and only where that is certain."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.cluster.interface import Resource
from daemon.overview.leaderless import is_left


NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def _lease(*, holder: str = "pod-a", ago_seconds: float = 1) -> Resource:
    renewed = (NOW - timedelta(seconds=ago_seconds)).isoformat().replace("+00:00", ".000001Z")
    return {"spec": {"holderIdentity": holder, "renewTime": renewed}}


@pytest.mark.parametrize("ago_seconds", [-30, 1, 59])
def test_a_lease_that_was_renewed_of_late_has_a_leader(ago_seconds: float) -> None:
    """By this machine's clock, which may differ a little from the leader's."""
    assert not is_left(_lease(ago_seconds=ago_seconds), now=NOW)


@pytest.mark.parametrize(
    "lease",
    [
        {},
        {"spec": None},
        _lease(holder=""),
        _lease(ago_seconds=61),
        {"spec": {"holderIdentity": "pod-a"}},
        {"spec": {"holderIdentity": "pod-a", "renewTime": "yesterday"}},
    ],
)
def test_a_lease_that_nobody_holds_or_renews_has_none(lease: Resource) -> None:
    """It outlives the coordinator that held it."""
    assert is_left(lease, now=NOW)
