"""
Leads, or waits to lead, by a coordination.k8s.io Lease: at most one of all who want to.

Of two that try to take it at once, one hears of a conflict (storedlease.py). Being the leader is a matter of time:
whoever sends must ask `may_send` first, which counts from when the last renewal was sent, on a clock that runs while
the machine or the process sleeps. When a Lease may be taken is tenure.py's; whether we may want it at all is asked
of the caller, each turn.
"""

import contextlib
import random
import threading
from collections.abc import Callable
from typing import Final, Protocol

from daemon.clock import Clock, SystemClock
from daemon.cluster.backoff import asked_seconds
from daemon.cluster.errors import ClusterError, Conflict, NotFound
from daemon.cluster.interface import RawApi
from daemon.cluster.storedlease import StoredLease
from daemon.cluster.tenure import LeaseTiming, held_spec, may_take, released_spec


NAME: Final = "prewarm-coordinator"
# As client-go: candidates that lost one race do not meet again in the next.
JITTER: Final = 1.2


class LeadershipListener(Protocol):
    """Hears in the election's thread, which renews nothing meanwhile, that leading begins and ends."""

    def won(self) -> None:
        """We lead: start, and return at once."""
        ...

    def lost(self) -> None:
        """We no longer lead, or are about to exit: return once nothing is sent any more."""
        ...


class LeaderElection:
    """
    One candidate for one Lease; `run` belongs in a thread of its own, everything else is for any thread.

    Args:
        api: where the Lease is; the rights to get, create and update leases are needed.
        namespace: the Lease's namespace.
        identity: who we are: this process alone, such as the Pod's name with something random.
        listener: hears when leading begins and ends.
        clock: the time; it must run through suspension.
        timing: how long what is worth.
        missed: hears why the Lease could not be read or written, for a log.
        permitted: tells whether we may lead now; while it says no, nothing is sent, and the Lease is given back.
    """

    def __init__(
        self,
        api: RawApi,
        *,
        namespace: str,
        identity: str,
        listener: LeadershipListener,
        clock: Clock | None = None,
        timing: LeaseTiming | None = None,
        missed: Callable[[ClusterError], None] = lambda _error: None,
        permitted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._identity = identity
        self._listener = listener
        self._clock = clock or SystemClock()
        self._lease = StoredLease(api, namespace=namespace, name=NAME, clock=self._clock)
        self._timing = timing or LeaseTiming()
        self._missed = missed
        self._permitted = permitted
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._may_hold = False
        # When the renewal that we lead by was sent; None while we do not lead. One word, so that any thread may read.
        self._renewed_seconds: float | None = None

    @property
    def leader(self) -> str:
        """Who was last seen to hold the Lease; empty for nobody."""
        return self._lease.holder

    @property
    def is_leading(self) -> bool:
        """Whether we lead, and no deadline has passed unnoticed."""
        return self._is_within(self._timing.renew_deadline_seconds)

    def may_send(self) -> bool:
        """Tell whether a leader's request may begin now: it will end before anybody else can lead."""
        return self._permitted() and self._is_within(self._timing.send_seconds)

    def run(self) -> None:
        """Lead whenever that is possible, until stopped; then release the Lease."""
        try:
            while not self._stopping.is_set():
                self._woken.wait(self.turn())
                self._woken.clear()
        finally:
            self._lose()
        self.release()

    def stop(self) -> None:
        """End `run` soon: what it waits for ends at once, a request of it after the request timeout at most."""
        self._stopping.set()
        self._woken.set()

    def wake(self) -> None:
        """Have the next turn at once: what `permitted` says has changed."""
        self._woken.set()

    def turn(self) -> float:
        """Try once to lead or to go on leading, and return how many seconds to wait until the next turn."""
        self._lose_if_overdue()
        asked = 0.0
        try:
            if not self._permitted():
                self._stand_aside()
            elif self._renewed_seconds is None:
                self._campaign()
            else:
                self._renew()
        except Conflict:  # another was first; the next look shows who
            pass
        except ClusterError as error:
            asked = asked_seconds(error)
            self._missed(error)
        self._lose_if_overdue()
        return self._pause_seconds(asked)

    def release(self) -> None:
        """Say in the Lease that nobody holds it, if it says that we do; the next one then need not wait."""
        if not self._may_hold:
            return
        with contextlib.suppress(ClusterError):
            self._give_back()

    def _stand_aside(self) -> None:
        """Lead no more, and leave no Lease that names us: another of ours would wait for it in vain."""
        self._lose()
        self._give_back()

    def _give_back(self) -> None:
        self._look()
        if self._may_hold and self._lease.spec:
            spec = released_spec(self._lease.spec, now=self._clock.now())
            self._lease.write(spec, timeout_seconds=self._timeout_seconds())
            self._may_hold = False

    def _campaign(self) -> None:
        self._look()
        now_seconds = self._clock.now().seconds
        if may_take(self._lease.observed, identity=self._identity, now_seconds=now_seconds, timing=self._timing):
            self._take()

    def _renew(self) -> None:
        try:
            self._take()
        except (Conflict, NotFound):
            # Also where our own renewal was stored and its answer lost: then the Lease still names us.
            self._look()
            if self.leader != self._identity:
                self._lose()
                return
            self._take()

    def _look(self) -> None:
        self._lease.look(timeout_seconds=self._timeout_seconds())
        self._may_hold = self.leader == self._identity

    def _take(self) -> None:
        """Write that we hold the Lease; leading counts from when that was sent, not from its answer."""
        sent = self._clock.now()
        self._may_hold = True
        spec = held_spec(self._lease.spec, identity=self._identity, timing=self._timing, now=sent)
        self._lease.write(spec, timeout_seconds=self._timeout_seconds())
        before = self._renewed_seconds
        if before is not None and sent.seconds - before >= self._timing.renew_deadline_seconds:
            self._lose()  # we slept since this turn began: nobody else led, but what we saw of the cluster is old
        if self._clock.now().seconds - sent.seconds >= self._timing.renew_deadline_seconds:
            return  # the answer took so long that it is worth nothing
        is_new = self._renewed_seconds is None
        self._renewed_seconds = sent.seconds
        if is_new:
            self._listener.won()

    def _lose_if_overdue(self) -> None:
        if self._renewed_seconds is not None and not self.is_leading:
            self._lose()

    def _lose(self) -> None:
        if self._renewed_seconds is not None:
            self._renewed_seconds = None
            self._listener.lost()

    def _is_within(self, seconds: float) -> bool:
        renewed = self._renewed_seconds
        return renewed is not None and self._clock.now().seconds - renewed < seconds

    def _left_seconds(self) -> float | None:
        """Return how long we lead without another renewal; None where we do not."""
        renewed = self._renewed_seconds
        if renewed is None:
            return None
        return max(0.0, renewed + self._timing.renew_deadline_seconds - self._clock.now().seconds)

    def _timeout_seconds(self) -> float:
        """Return how long a request may take: a renewal no longer than it can help."""
        left = self._left_seconds()
        most = self._timing.request_timeout_seconds
        return most if left is None else max(0.1, min(most, left))

    def _pause_seconds(self, asked: float) -> float:
        left = self._left_seconds()
        if left is None:
            return asked + self._timing.retry_seconds * random.uniform(1.0, 1.0 + JITTER)  # noqa: S311 - no secret
        return min(self._timing.retry_seconds, left)
