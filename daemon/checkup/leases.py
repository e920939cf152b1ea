"""
Looks at two Leases, OpenKruise's and Prewarm's, until each has shown whether it is renewed.

What a Lease means is beside/manager.py's; here is who is asked how often, and for how long.
"""

import threading
from collections.abc import Callable
from typing import Final

from daemon.beside.manager import LEASE, Manager, ManagerWatch, Renewal
from daemon.checkup.documents import Holder
from daemon.clock import Clock
from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import RawApi


OUR_LEASE: Final = "prewarm-system/prewarm-coordinator"
LOOK_SECONDS: Final = 1.0
# Both promise 15 s; a Lease that promises more is not worth more of a person's time.
MOST_SECONDS: Final = 30.0
REQUEST_SECONDS: Final = 10.0

_OUR_PATH: Final = "/apis/coordination.k8s.io/v1/namespaces/prewarm-system/leases/prewarm-coordinator"


class Leases:
    """
    Both Leases, as they are seen at each look.

    Args:
        api: where they are.
        clock: the time.
    """

    def __init__(self, api: RawApi, *, clock: Clock) -> None:
        self._clock = clock
        self._theirs, self._ours = ManagerWatch(api, clock=clock), ManagerWatch(api, clock=clock, path=_OUR_PATH)
        self.manager = Manager(renewal=Renewal.UNDECIDED)
        self.coordinator = Manager(renewal=Renewal.UNDECIDED)

    def look(self) -> None:
        """Look at both once."""
        self.manager, self.coordinator = _seen(self._theirs), _seen(self._ours)

    def decide(self, *, tell: Callable[[float], None]) -> None:
        """
        Look until both have shown it, or for MOST_SECONDS.

        Args:
            tell: hears how long that may take, where it takes a while.
        """
        self.look()
        ends_at = self._clock.now().seconds + MOST_SECONDS
        if self._left_seconds() > LOOK_SECONDS:
            tell(self._left_seconds())
        while self._left_seconds() > 0 and self._clock.now().seconds < ends_at:
            threading.Event().wait(LOOK_SECONDS)
            self.look()

    def notes(self) -> tuple[str, ...]:
        """Say which could not be read."""
        both = ((LEASE, self.manager), (OUR_LEASE, self.coordinator))
        return tuple(
            f"the Lease {lease} could not be read: {seen.words}"
            for lease, seen in both
            if seen.renewal is Renewal.HIDDEN
        )

    def _left_seconds(self) -> float:
        """Return how long it may still take; 0 where both have shown it."""
        open_seconds = [
            each.left_seconds for each in (self.manager, self.coordinator) if each.renewal is Renewal.UNDECIDED
        ]
        return min(MOST_SECONDS, max(open_seconds, default=0.0))


def holder_of(seen: Manager, *, lease: str) -> Holder | None:
    """Return what is told of a Lease; None where it could not be read."""
    if seen.renewal is Renewal.HIDDEN:
        return None
    return Holder(lease=lease, holder=seen.holder, state=seen.renewal.value)


def _seen(watch: ManagerWatch) -> Manager:
    try:
        return watch.look(timeout_seconds=REQUEST_SECONDS)
    except ClusterError as error:
        return Manager(renewal=Renewal.HIDDEN, words=error.message)
