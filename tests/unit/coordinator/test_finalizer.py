"""OpenKruise's finalizer is taken off jobs that are over, and no other one, nor off any other job."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, Invalid, NotFound, ServerFailed
from daemon.coordinator.decoding import job_of
from daemon.coordinator.finalizer import FINALIZER, Finalizers
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import Outcome, Request
from tests.unit.cluster.clock import EPOCH


Json = dict[str, Any]

TIME = "2026-01-01T00:00:00Z"
DONE: Json = {"status": {"completionTime": TIME, "observedGeneration": 1}}
DELETING: Json = {"metadata": {"deletionTimestamp": TIME}}
OTHER = "example.com/other"


def _moment(seconds: float) -> Moment:
    return Moment(seconds=1000.0 + seconds, at=EPOCH + timedelta(seconds=seconds))


class Porter:
    """One job at a time, and what would be written."""

    def __init__(self) -> None:
        self.fleet = Fleet(gate_taint="", gate_deadline_seconds=600)
        self.learning = Learning(self.fleet)
        self.side = Finalizers(self.fleet, paths=Paths("v1beta1"), listener=self)
        self.refused: list[str] = []
        self._versions = 0
        self.fleet.start(_moment(0))

    def document(self, *finalizers: str, more: Json) -> bytes:
        """Return the job as it is now."""
        self._versions += 1
        metadata = {
            "name": "base",
            "namespace": "team",
            "uid": "a",
            "generation": 1,
            "resourceVersion": str(self._versions),
            "creationTimestamp": TIME,
            "finalizers": list(finalizers),
            **more.get("metadata", {}),
        }
        spec = {"image": "nginx:1", "completionPolicy": {"type": "Always"}}
        return msgspec.json.encode({"metadata": metadata, "spec": spec, "status": more.get("status", {})})

    def seen(self, *finalizers: str, more: Json) -> None:
        """Let the job be so."""
        self.learning.job_seen(job_of(self.document(*finalizers, more=more)), now=_moment(0))

    def next(self, seconds: float = 0.0) -> Request | None:
        """Look, and return what is written next."""
        news, self.fleet.todo.news = frozenset(self.fleet.todo.news), set()
        self.side.look(news, now=_moment(seconds))
        return self.side.next(_moment(seconds)) if self.side.has_work() else None

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """Hear of a refusal."""
        del request
        self.refused.append(error.message)


@pytest.fixture
def porter() -> Porter:
    """Nothing is there yet."""
    return Porter()


@pytest.mark.parametrize("more", [DONE, DELETING], ids=["finished", "deleted"])
def test_a_job_that_is_over_loses_it(porter: Porter, more: Json) -> None:
    """If it still stands where it was seen: another writer's list is not broken."""
    porter.seen(OTHER, FINALIZER, more=more)

    request = porter.next()

    assert request is not None
    assert request.write is not None
    assert "/apis/apps.kruise.io/v1beta1/namespaces/team/imagepulljobs/base" == request.write.path
    assert [
        {"op": "test", "path": "/metadata/uid", "value": "a"},
        {"op": "test", "path": "/metadata/finalizers/1", "value": FINALIZER},
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ] == msgspec.json.decode(request.write.body)


@pytest.mark.parametrize(
    ("finalizers", "more"), [((FINALIZER,), {}), ((OTHER,), DONE), ((), DELETING)], ids=["goes on", "other", "none"]
)
def test_nothing_else_is_written(porter: Porter, finalizers: tuple[str, ...], more: Json) -> None:
    """A job that goes on keeps it, as in OpenKruise; other finalizers are others'."""
    porter.seen(*finalizers, more=more)

    assert None is porter.next()


def test_one_write_is_on_its_way_for_a_job(porter: Porter) -> None:
    """Its answer is the news that it is off."""
    porter.seen(FINALIZER, more=DONE)
    request = porter.next()
    porter.seen(FINALIZER, OTHER, more=DONE)
    second = porter.next()
    assert request is not None

    answer = job_of(porter.document(more=DONE))
    porter.side.take(Outcome(request=request, seen=answer), now=_moment(1))

    assert (None, None) == (second, porter.next(2))
    assert () == porter.fleet.jobs["a"].seen.finalizers


def test_a_refusal_is_told_and_tried_again_less_and_less_often(porter: Porter) -> None:
    """A webhook that OpenKruise has left refuses every change."""
    porter.seen(FINALIZER, more=DELETING)
    at, waits = 0.0, []
    for _ in range(9):
        request = porter.next(at)
        assert request is not None
        porter.side.take(Outcome(request=request, error=ServerFailed("webhook", code=500)), now=_moment(at))
        due = porter.side.next_seconds()
        assert due is not None
        waits.append(due - 1000.0 - at)
        at = due - 1000.0

    assert [1, 1, 2, 4, 8, 16, 32, 60, 60] == waits
    assert ["webhook"] * 8 == porter.refused


@pytest.mark.parametrize("error", [NotFound("gone", code=404), Invalid("a test failed", code=422)])
def test_a_job_that_is_gone_or_has_changed_is_no_refusal(porter: Porter, error: ClusterError) -> None:
    """Its watch tells what it is now, and an answer brings nothing back that a watch has told to be gone."""
    porter.seen(FINALIZER, more=DELETING)
    request = porter.next()
    assert request is not None
    answer = job_of(porter.document(more=DELETING))

    porter.side.take(Outcome(request=request, error=error), now=_moment(0))
    porter.learning.job_gone("a")
    porter.side.take(Outcome(request=request, seen=answer), now=_moment(0))

    assert (None, [], {}) == (porter.next(5), porter.refused, porter.fleet.jobs)
