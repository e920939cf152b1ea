"""
Takes OpenKruise's finalizer off jobs, where it has left one: nobody else would any more.

OpenKruise gives each job one, and takes it off when the job finishes or is being deleted (3.9). Where its manager is
gone, such a job could not be deleted. A side of the loop (sides.py); a job that goes on keeps it, as it would there.
"""

from typing import Final, Protocol

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, NotFound
from daemon.cluster.interface import Operation
from daemon.cluster.patches import guard, pointer
from daemon.cluster.writes import json_patch
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.outcomes import rest_seconds
from daemon.coordinator.paths import Paths
from daemon.coordinator.records import Course
from daemon.coordinator.requests import About, Outcome, Request, Urgency
from daemon.coordinator.seen import SeenJob


FINALIZER: Final = "apps.kruise.io/deletion-protection"

_OVER: Final = frozenset({Course.FINISHED, Course.DELETING})


class FinalizerListener(Protocol):
    """Hears what can't be done, in the loop's thread."""

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """The API server refuses what is to be written."""
        ...


def finalizer_patch(seen: SeenJob) -> tuple[Operation, ...]:
    """Return the JSON Patch that takes the finalizer off, if it still stands where it was seen; empty without one."""
    if FINALIZER not in seen.finalizers:
        return ()
    path = pointer("metadata", "finalizers", str(seen.finalizers.index(FINALIZER)))
    found = Operation(op="test", path=path, value=FINALIZER)
    return (*guard(uid=seen.uid), found, Operation(op="remove", path=path))


class Finalizers:
    """
    Looks at jobs that are over.

    Args:
        fleet: what is known.
        paths: where the jobs are.
        listener: hears of refusals.
    """

    def __init__(self, fleet: Fleet, *, paths: Paths, listener: FinalizerListener) -> None:
        self._fleet = fleet
        self._paths = paths
        self._listener = listener
        self._learning = Learning(fleet)
        self._ready: dict[str, None] = {}
        self._busy: set[str] = set()
        self._failures: dict[str, int] = {}
        self._later: dict[str, float] = {}

    def look(self, news: frozenset[str], *, now: Moment) -> None:
        """Note which jobs have one too many."""
        for uid in news:
            if uid not in self._fleet.jobs:
                self._failures.pop(uid, None)
            if uid not in self._later and self._patch(uid):
                self._ready[uid] = None
        for uid in [uid for uid, at_seconds in self._later.items() if at_seconds <= now.seconds]:
            del self._later[uid]
            self._ready[uid] = None

    def has_work(self) -> bool:
        """Tell whether there may be one to take off."""
        return bool(self._ready)

    def next(self, now: Moment) -> Request | None:
        """Return the next write."""
        del now
        while self._ready:
            uid = next(iter(self._ready))
            del self._ready[uid]
            patch = self._patch(uid)
            if patch and uid not in self._busy:
                self._busy.add(uid)
                seen = self._fleet.jobs[uid].seen
                path = self._paths.job(seen.namespace, name=seen.name)
                write = json_patch(path, patch)
                return Request(urgency=Urgency.UPKEEP, about=About.FINALIZER, subject=uid, path=path, write=write)
        return None

    def read(self, now: Moment) -> Request | None:
        """Nothing is read for it."""
        del now
        return None

    def next_seconds(self) -> float | None:
        """Return when one is tried again."""
        return min(self._later.values(), default=None)

    def take(self, outcome: Outcome, *, now: Moment) -> None:
        """Hear what became of one; what was refused is tried again, less and less often."""
        uid, error = outcome.request.subject, outcome.error
        self._busy.discard(uid)
        if isinstance(outcome.seen, SeenJob) and outcome.seen.uid == uid and uid in self._fleet.jobs:
            # With its last finalizer a deleted job goes; one that a watch has told to be gone does not come back.
            self._learning.job_seen(outcome.seen, now=now)
        if error is None or isinstance(error, NotFound):
            self._failures.pop(uid, None)
            return
        self._failures[uid] = self._failures.get(uid, 0) + 1
        if self._failures[uid] > 1:
            self._listener.write_refused(outcome.request, error)
        self._later[uid] = now.seconds + max(1.0, rest_seconds(self._failures[uid]))

    def _patch(self, uid: str) -> tuple[Operation, ...]:
        job = self._fleet.jobs.get(uid)
        return finalizer_patch(job.seen) if job is not None and job.course in _OVER else ()
