"""A node's gate waits for the jobs that are for it, and for what is not known yet no longer than its deadline."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from daemon.api.imagepulljob import CompletionPolicy, CompletionType, LabelSelector
from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening
from daemon.coordinator.gating import opening_now
from daemon.coordinator.learning import Learning
from daemon.coordinator.records import Course
from daemon.coordinator.seen import ImageKey, JobProgress, SeenJob, SeenNode, Taint
from tests.unit.cluster.clock import EPOCH
from tests.unit.coordinator.claims import job


TAINT = "example.com/closed"
DEADLINE_SECONDS = 600.0
NODE = SeenNode(name="node-a", uid="n1", created_at=EPOCH, version=1, taints=(Taint(key=TAINT, effect="NoSchedule"),))


def _moment(seconds: float) -> Moment:
    return Moment(seconds=1000.0 + seconds, at=EPOCH + timedelta(seconds=seconds))


def _job(
    selector: LabelSelector | None = None,
    *,
    uid: str = "a",
    completion: CompletionPolicy | None = None,
    generation: int = 1,
    status: JobProgress | None = None,
) -> SeenJob:
    claimant = job(uid, image="nginx:1", completion=completion, gate=True)
    template = replace(claimant.template, pod_selector=selector)
    return SeenJob(
        namespace="team",
        name=f"job-{uid}",
        uid=uid,
        generation=generation,
        version=1,
        created_at=EPOCH,
        job=replace(claimant, template=template),
        key=ImageKey("nginx", "1"),
        status=status or JobProgress(),
    )


def _fleet(*jobs: SeenJob) -> Fleet:
    fleet = Fleet(gate_taint=TAINT, gate_deadline_seconds=DEADLINE_SECONDS)
    learning = Learning(fleet)
    for seen in jobs:
        learning.job_seen(seen, now=_moment(0))
    learning.node_seen(NODE, now=_moment(0))
    fleet.start(_moment(0))
    return fleet


def _opening(fleet: Fleet, *, seconds: float) -> Opening | None:
    return opening_now(fleet, fleet.nodes["node-a"], now=_moment(seconds).at)


def test_a_gate_waits_for_a_gating_job_that_is_for_the_node() -> None:
    """By its name where it opened cold."""
    fleet = _fleet(_job())

    assert None is _opening(fleet, seconds=DEADLINE_SECONDS - 1)
    assert Opening("deadline", ("team/job-a",)) == _opening(fleet, seconds=DEADLINE_SECONDS)


@pytest.mark.parametrize("seconds", [0.0, DEADLINE_SECONDS - 1])
def test_a_gate_waits_while_nobody_knows_which_nodes_a_job_is_for(seconds: float) -> None:
    """Its Pods are not listed yet."""
    assert None is _opening(_fleet(_job(LabelSelector(match_labels={"app": "web"}))), seconds=seconds)


def test_a_gate_waits_for_a_job_that_is_about_to_begin_again() -> None:
    """A finished job that was edited selects nothing until its status says that it has begun."""
    status = JobProgress(observed_generation=1, completion_time=EPOCH)
    always = replace(CompletionPolicy(), type=CompletionType.ALWAYS)
    again = _job(completion=always, generation=2, status=status)

    fleet = _fleet(again)

    assert Course.AGAIN is fleet.jobs["a"].course
    assert None is _opening(fleet, seconds=1)
    assert Opening("deadline", ("team/job-a",)) == _opening(fleet, seconds=DEADLINE_SECONDS)


def test_pods_that_can_never_be_listed_strand_no_node() -> None:
    """A right that is missing, say: the deadline opens the gate all the same."""
    fleet = _fleet(_job(LabelSelector(match_labels={"app": "web"})))

    assert Opening("deadline", ("team/job-a",)) == _opening(fleet, seconds=DEADLINE_SECONDS)


def test_a_gate_that_waited_for_a_list_is_looked_at_when_that_is_there() -> None:
    """Also of a node on which no Pod of the job's runs: nothing else would ever come for it."""
    fleet = _fleet(_job(LabelSelector(match_labels={"app": "web"})))
    fleet.todo.gates.clear()

    Learning(fleet).pods_listed("team", now=_moment(1))

    assert {"node-a"} == fleet.todo.gates
    assert Opening("no-jobs") == _opening(fleet, seconds=1)
