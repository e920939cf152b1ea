"""
Looks every few seconds whether another serves ImagePullJobs, for a coordinator that may lead only where none does.

The Lease is read at each look. A job is tried (creation.py) when that changes something or settles a doubt: on a
cluster that never had an OpenKruise once at the start, and then each ten minutes.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from daemon.beside.creation import Creation, Outcome, try_creation
from daemon.beside.manager import Manager, ManagerWatch, Renewal
from daemon.beside.verdict import Finding, Row, finding_of
from daemon.clock import Clock
from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import RawApi


LOOK_SECONDS: Final = 5.0
# While it is not known yet who leads.
SOON_SECONDS: Final = 1.0
LEASE_TIMEOUT_SECONDS: Final = 4.0
# How long an attempt's answer holds where nothing else has changed.
SWEPT_SECONDS: Final = 10.0
THEIRS_SECONDS: Final = 60.0
OURS_SECONDS: Final = 600.0


class LookoutListener(Protocol):
    """Hears in the lookout's thread what it finds."""

    def found(self, finding: Finding) -> None:
        """Each look has one; it is mostly the same as before."""
        ...

    def changed(self, finding: Finding) -> None:
        """Something else is so than before; heard once a change, the first time unless all is as it should be."""
        ...

    def missed(self, error: ClusterError) -> None:
        """A look failed, and what was known before still stands."""
        ...


class _Tried(msgspec.Struct, frozen=True):
    """An attempt to create a job: what it came to, when, and whether their manager led then."""

    creation: Creation
    at_seconds: float
    renewal: Renewal


class Lookout:
    """
    Looks until stopped; `run` belongs in a thread of its own, everything else is for any thread.

    Args:
        api: which cluster.
        namespace: one that is there, for the job that is tried.
        listener: hears what is found.
        turned: hears that `permits` has changed.
        clock: the time.
    """

    def __init__(
        self, api: RawApi, *, namespace: str, listener: LookoutListener, turned: Callable[[], None], clock: Clock
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._listener = listener
        self._turned = turned
        self._clock = clock
        self._watch = ManagerWatch(api, clock=clock)
        self._stopping = threading.Event()
        self._tried: _Tried | None = None
        self._told: tuple[object, ...] = ()
        self._permits = False

    def permits(self) -> bool:
        """Tell whether a coordinator of ours may lead; not before the first look."""
        return self._permits

    def run(self) -> None:
        """Look again and again."""
        while not self._stopping.is_set():
            self._stopping.wait(self.turn())

    def stop(self) -> None:
        """End `run` soon; a request of it ends when its connections are cut, or by its timeout."""
        self._stopping.set()

    def turn(self) -> float:
        """Look once, and return how many seconds to wait until the next time."""
        try:
            manager = self._watch.look(timeout_seconds=LEASE_TIMEOUT_SECONDS)
        except ClusterError as error:
            self._listener.missed(error)
            return LOOK_SECONDS if self._tried is not None else SOON_SECONDS
        if finding_of(manager, creation=self._creation).stands_aside:
            self._permit(permits=False)  # before the attempt, which may wait for a webhook
        if self._is_due(manager):
            creation = try_creation(self._api, namespace=self._namespace)
            self._tried = _Tried(creation, self._clock.now().seconds, manager.renewal)
        self._conclude(manager)
        return SOON_SECONDS if manager.renewal is Renewal.UNDECIDED else LOOK_SECONDS

    @property
    def _creation(self) -> Creation | None:
        return self._tried.creation if self._tried is not None else None

    def _is_due(self, manager: Manager) -> bool:
        """Tell whether to try a job again."""
        tried = self._tried
        if tried is None or tried.renewal is not manager.renewal:
            return True
        return self._clock.now().seconds - tried.at_seconds >= _worth_seconds(tried)

    def _conclude(self, manager: Manager) -> None:
        finding = finding_of(manager, creation=self._creation)
        self._listener.found(finding)
        is_plain = finding.row is Row.ALONE and not finding.notes
        told = (finding.row, len(finding.notes))
        if told != self._told and (self._told or not is_plain):
            self._listener.changed(finding)
        self._told = told
        self._permit(permits=not finding.stands_aside)

    def _permit(self, *, permits: bool) -> None:
        before, self._permits = self._permits, permits
        if before is not permits:
            self._turned()


def _worth_seconds(tried: _Tried) -> float:
    """Return how long an attempt's answer holds."""
    creation = tried.creation
    if tried.renewal is Renewal.RENEWED:
        return THEIRS_SECONDS
    if creation.is_openkruises:
        return 0.0  # all that shows that their manager runs
    if creation.is_leftover:
        return SWEPT_SECONDS
    return OURS_SECONDS if creation.outcome is Outcome.TAKEN else THEIRS_SECONDS
