"""
Who may lead, decided from what a Lease was seen to say and when. Pure.

Another's hold is judged by when its record was last seen to change, on our own clock: no two machines' clocks need to
agree, only to run at about the same speed. Times in the record are for people. The rules are those of client-go's
leader election, so that its tools understand the record.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from daemon.clock import Moment


RELEASED_SECONDS = 1


class LeaseTiming(msgspec.Struct, frozen=True, kw_only=True):
    """
    How long a lease is worth what.

    Attributes:
        duration_seconds: what a holder promises: whoever has not seen it renew for so long may take it.
        renew_deadline_seconds: a holder that could not renew for so long gives up leading.
        retry_seconds: between two renewals; between two attempts to take it, up to 2.2 times as long.
        request_timeout_seconds: for each request, also those that a leader sends.
    """

    duration_seconds: int = 15
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0
    request_timeout_seconds: float = 4.0

    @property
    def send_seconds(self) -> float:
        """How long after a renewal was sent a leader may begin a request: it ends before the deadline."""
        return self.renew_deadline_seconds - self.request_timeout_seconds


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The spec of a coordination.k8s.io/v1 Lease, as far as an election knows it."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None

    @property
    def holder(self) -> str:
        """Who holds it; empty for nobody."""
        return self.holder_identity or ""


class Observed(msgspec.Struct, frozen=True):
    """What a Lease says, and since when it was seen to say just that."""

    record: Record
    since_seconds: float


def observe(before: Observed | None, record: Record, *, now_seconds: float) -> Observed:
    """Return what is observed after another look: the time moves only with the record."""
    if before is not None and before.record == record:
        return before
    return Observed(record, now_seconds)


def may_take(observed: Observed | None, *, identity: str, now_seconds: float, timing: LeaseTiming) -> bool:
    """Tell whether a Lease may be taken: nobody holds it, we do, or its holder has not renewed it for long enough."""
    if observed is None or observed.record.holder in {"", identity}:
        return True
    promised_seconds = observed.record.lease_duration_seconds or timing.duration_seconds
    return now_seconds - observed.since_seconds >= promised_seconds


def held_spec(spec: Mapping[str, object], *, identity: str, timing: LeaseTiming, now: Moment) -> dict[str, object]:
    """Return the spec that says we hold it from now on; whatever else it says is kept."""
    record = msgspec.convert(spec, Record)
    is_ours = record.holder == identity
    transitions = record.lease_transitions or 0
    return {
        **spec,
        "holderIdentity": identity,
        "leaseDurationSeconds": timing.duration_seconds,
        "acquireTime": record.acquire_time if is_ours and record.acquire_time else micro_time(now.at),
        "renewTime": micro_time(now.at),
        "leaseTransitions": transitions if is_ours or not spec else transitions + 1,
    }


def released_spec(spec: Mapping[str, object], *, now: Moment) -> dict[str, object]:
    """Return the spec that says nobody holds it, so that the next may take it at once."""
    at = micro_time(now.at)
    return {
        **spec,
        "holderIdentity": "",
        "leaseDurationSeconds": RELEASED_SECONDS,
        "acquireTime": at,
        "renewTime": at,
    }


def micro_time(at: datetime) -> str:
    """Write a time in UTC as Kubernetes' MicroTime."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
