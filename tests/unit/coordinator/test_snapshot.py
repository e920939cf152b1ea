"""What a loop publishes of what it knows: jobs, nodes, agents, and what waits to be written."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import pytest

from daemon.api.imagepulljob import Refresh
from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.times import format_time
from daemon.clock import Moment
from daemon.coordinator.budget import Budget
from daemon.coordinator.events import Listed, Seen, Stop
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.loop import CoordinatorLoop
from daemon.coordinator.paths import Paths
from daemon.coordinator.seen import (
    ImageKey,
    JobProgress,
    SeenAgent,
    SeenJob,
    SeenNode,
    SeenNodeImage,
    Taint,
    labels_hash,
)
from daemon.coordinator.snapshot import CoordinatorState, JobState, snapshot_of
from tests.unit.cluster.clock import EPOCH, SetClock
from tests.unit.coordinator.jobs_told import NEVER, NOW, after, seen_job
from tests.unit.coordinator.lists.told import ONE, TWO, child, image_list


TAINT = "startup-taint.cluster-autoscaler.kubernetes.io/prewarm"
KEY = ImageKey("nginx", "latest")
AGENT = SeenAgent(version="0.1.0")


class Camera:
    """Takes a snapshot each time that the loop has gone round, and hears nothing else."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.taken: list[CoordinatorState] = []

    def looked(self, loop: CoordinatorLoop) -> None:
        """Take one."""
        self.taken.append(snapshot_of(loop, now=self.clock.now()))

    def ignore(self, *_: object) -> None:
        """Hear nothing of it."""

    started = ended = status_written = gate_opened = write_refused = ignore


def _after(
    seen: Sequence[SeenJob | SeenNode | SeenNodeImage | SeenList], *, is_listed: bool = True
) -> CoordinatorState:
    """Return what a loop knows that has seen this, and may send nothing."""
    clock = SetClock()
    camera = Camera(clock)
    loop = CoordinatorLoop(
        Fleet(gate_taint=TAINT, gate_deadline_seconds=600),
        paths=Paths("v1beta1"),
        budget=Budget(rate=100, clock=clock),
        send=camera.ignore,
        follow_pods=lambda _: (),
        listener=camera,
        clock=clock,
    )
    for one in seen:
        loop.post(Seen(one))
    for resource in ("imagepulljobs", "imagelistpulljobs", "nodeimages", "nodes") if is_listed else ():
        loop.post(Listed(resource))
    loop.post(Stop())
    loop.run()
    return camera.taken[-1]


def _job(**changes: object) -> SeenJob:
    return msgspec.structs.replace(msgspec.structs.replace(seen_job(), key=KEY), **changes)


def _node(name: str, **changes: object) -> SeenNode:
    return msgspec.structs.replace(SeenNode(name=name, uid=f"uid-{name}", created_at=EPOCH, version=1), **changes)


def _image(name: str, *, agent: SeenAgent | None = None, **changes: object) -> SeenNodeImage:
    image = SeenNodeImage(
        name=name, uid=f"image-{name}", version=1, node_uid=f"uid-{name}", agent=agent, labels_hash=labels_hash({})
    )
    return msgspec.structs.replace(image, **changes)


def test_a_job_is_told_with_its_nodes() -> None:
    """In all four groups, and where those stand that count."""
    state = _after([_job(), _node("a"), _node("b"), _node("c", is_ready=False), _image("a", agent=AGENT)])

    (job,) = state.jobs
    assert ("team", "base", "nginx", "active") == (job.namespace, job.name, job.image, job.course)
    assert {"warm": 0, "stale": 0, "cold": 2, "skipped": 1} == job.nodes
    assert {"waiting": 2, "granted": 0, "pulling": 0, "succeeded": 0, "failed": 0} == job.turns
    assert (1, 0) == (job.limit, job.holding)
    assert {"NodeNotReady": 1} == state.skipped
    assert (3, True) == (state.nodes, state.is_synced)


def test_what_a_job_s_status_says_is_told() -> None:
    """The conditions that hold, with their reasons."""
    conditions = [
        {"type": "Ready", "status": "False", "reason": "InProgress"},
        {"type": "Stalled", "status": "True", "reason": "NodesRefused"},
    ]
    status = JobProgress(raw={"message": "job is stalled", "conditions": conditions})

    (job,) = _after([_job(status=status)]).jobs

    assert {"Stalled": "NodesRefused"} == job.conditions
    assert "job is stalled" == job.message


@pytest.mark.parametrize(
    ("expected", "refresh"),
    [
        (after(3600), Refresh(schedule="0 2 * * *", starting_deadline_seconds=3600)),
        (None, Refresh(schedule="0 2 * * *")),
        (None, None),
    ],
)
def test_a_job_s_eta_and_the_end_of_its_refresh_s_window_are_told(
    expected: datetime | None, refresh: Refresh | None
) -> None:
    """The window is that of the latest refresh, by the rule of `prewarm status`, and stays until the next one."""
    raw: dict[str, object] = {"prewarm": {"lastRefreshTime": format_time(NOW), "eta": format_time(after(60))}}
    status = JobProgress(raw=raw, last_refresh_time=NOW)
    job = msgspec.structs.replace(seen_job(completion=NEVER, refresh=refresh), key=KEY, status=status)

    (told,) = _after([job, _node("a")]).jobs

    assert (after(60), expected) == (told.eta_at, told.refresh_deadline_at)


def test_a_job_that_never_refreshed_has_no_window() -> None:
    """Nothing can be late."""
    refresh = Refresh(schedule="0 2 * * *", starting_deadline_seconds=3600)

    (told,) = _after([msgspec.structs.replace(seen_job(completion=NEVER, refresh=refresh), key=KEY)]).jobs

    assert (None, None) == (told.eta_at, told.refresh_deadline_at)


def test_a_job_that_cannot_be_used_is_told_with_why() -> None:
    """It has neither an image nor nodes."""
    (job,) = _after([_job(job=None, key=None, problems=("spec.image: is none",)), _node("a")]).jobs

    assert ("unsound", "", ("spec.image: is none",)) == (job.course, job.image, job.problems)


def test_agents_are_counted_by_version_and_nodes_without_one_named() -> None:
    """A node that can have none, or goes, is no node without one; nor is one where another daemon answers."""
    status = TagStatus(tag="latest", phase=Phase.SUCCEEDED)
    nodes = [_node(name) for name in "abcd"]
    odd = [_node("e", agentless="a windows node"), _node("f", leaving="deletionTimestamp")]
    images = [
        _image("a", agent=AGENT),
        _image("b", agent=SeenAgent(version="0.2.0")),
        _image("c", statuses={KEY: status}),
        _image("d"),
    ]

    state = _after([*nodes, *odd, *images, _node("g")])

    assert {"0.1.0": 1, "0.2.0": 1} == state.agents_by_version
    assert (2, ("d", "g")) == (state.without_agent, state.without_agent_named)


def test_what_waits_to_be_written_is_counted_by_class() -> None:
    """Grants are nodes that could begin at once, not all that wait; a NodeImage is made for a node without one."""
    parallel = _job().job
    assert parallel is not None
    job = _job(
        job=msgspec.structs.replace(parallel, template=msgspec.structs.replace(parallel.template, parallelism=2))
    )

    state = _after([job, *(_node(name) for name in "abc"), *(_image(name, agent=AGENT) for name in "abc"), _node("d")])

    waiting = state.writes_waiting
    assert (2, 1, 1) == (waiting["grant"], waiting["upkeep"], waiting["status"])
    assert (0, 0.0) == (state.writes_running, state.throttled_seconds)


def test_closed_gates_are_counted() -> None:
    """By the taint on the Node itself."""
    gate = Taint(key=TAINT, effect="NoSchedule")

    state = _after([_job(), _node("a", taints=(gate,)), _node("b")])

    assert 1 == state.gates_closed


def test_jobs_are_in_the_order_of_their_names() -> None:
    """So that two looks can be compared."""
    jobs = [_job(namespace=namespace, name=name, uid=f"{namespace}{name}") for namespace, name in ("zb", "aa", "za")]

    state = _after(jobs)

    assert [("a", "a"), ("z", "a"), ("z", "b")] == [(job.namespace, job.name) for job in state.jobs]


def test_a_list_is_told_with_its_images_and_jobs() -> None:
    """And with what its status says; one that can't be used with why."""
    said = {"conditions": [{"type": "Ready", "status": "True", "reason": "AllWarm"}]}
    found = _after([image_list(ONE, TWO, status=said), child(ONE), _node("n1")]).lists
    (twice,) = _after([image_list(ONE, ONE)]).lists

    assert [("team", "base", "list", 2, 1, {"Ready": "AllWarm"})] == [
        (one.namespace, one.name, one.uid, one.images, one.jobs, one.conditions) for one in found
    ]
    assert (0, "spec.images[1]") == (twice.images, twice.problems[0][:14])


def test_before_everything_is_listed_it_says_so() -> None:
    """An object that is not listed yet is no object that is gone."""
    state = _after([_job()], is_listed=False)

    assert not state.is_synced
    assert ["active"] == [job.course for job in state.jobs]


def test_a_snapshot_can_be_looked_at_from_elsewhere() -> None:
    """It is a value: nothing in it is the loop's own."""
    state = _after([_job(), _node("a")])

    assert state == msgspec.convert(msgspec.to_builtins(state), CoordinatorState)
    assert isinstance(state.jobs[0], JobState)
    assert Moment(seconds=1000.0, at=state.at or EPOCH) == SetClock().now()
