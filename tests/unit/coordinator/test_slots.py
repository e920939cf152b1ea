"""A grant waits for the job's own parallelism, for its list's, and for what has to be known first."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from daemon.api.imagepulljob import ImageListPullJob, JobPrewarm, JobTemplate
from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.passing import Passing
from daemon.coordinator.seen import ImageKey, SeenJob, SeenNode, SeenNodeImage
from daemon.coordinator.slots import hold_back, let_go, may_go_along, may_grant, slots, turn
from tests.unit.cluster.clock import EPOCH
from tests.unit.coordinator.claims import job


NOW = Moment(seconds=1000.0, at=EPOCH)
IMAGES = ("nginx:1", "redis:7", "memcached:1")
NODES = ("node-a", "node-b", "node-c")


def _list(limit: int | str | None, *, version: int = 1) -> SeenList:
    template = JobTemplate(prewarm=JobPrewarm(list_parallelism=limit))
    wish = ImageListPullJob(api_version="apps.kruise.io/v1beta1", name="base", images=IMAGES, template=template)
    return SeenList(
        namespace="team", name="base", uid="list", generation=1, version=version, created_at=EPOCH, wish=wish
    )


def _child(number: int, *, parallelism: int = 3) -> SeenJob:
    image = IMAGES[number]
    asked = job(f"child-{number}", image=image)
    return SeenJob(
        namespace="team",
        name=f"base-{number}",
        uid=f"child-{number}",
        generation=1,
        version=1,
        created_at=EPOCH + timedelta(seconds=3 - number),
        job=replace(asked, template=replace(asked.template, parallelism=parallelism)),
        key=ImageKey(*image.split(":")),
        list_uid="list",
    )


@pytest.fixture
def fleet() -> Fleet:
    """Return a fleet with a list of three images that pulls on one node at a time, and three nodes."""
    fleet = Fleet(gate_taint="", gate_deadline_seconds=600)
    learning = Learning(fleet)
    learning.list_seen(_list(1))
    for number in range(len(IMAGES)):
        learning.job_seen(_child(number), now=NOW)
    for name in NODES:
        learning.node_seen(SeenNode(name=name, uid=name, created_at=EPOCH, version=1), now=NOW)
        learning.image_seen(SeenNodeImage(name=name, uid=f"i-{name}", node_uid=name, version=1), now=NOW)
    fleet.start(NOW)
    return fleet


def _grant(fleet: Fleet, uid: str, name: str) -> None:
    Passing(fleet).sent(fleet.nodes[name], grants=frozenset({uid}), now=NOW)


def test_what_is_held_back_gets_no_grant_until_nothing_holds_it(fleet: Fleet) -> None:
    """Two reasons may hold a job; the last one that goes lets it go."""
    child = fleet.jobs["child-0"]
    hold_back(fleet, "child-0", why="list")
    hold_back(fleet, "child-0", why="secrets")
    held = slots(fleet, child)

    let_go(fleet, "child-0", why="list")
    half = slots(fleet, child)
    fleet.todo.hungry.clear()
    let_go(fleet, "child-0", why="secrets")

    assert (0, 0, 3) == (held, half, slots(fleet, child))
    assert {"child-0"} == fleet.todo.hungry


def test_a_node_that_pulls_for_a_list_may_pull_more_of_it(fleet: Fleet) -> None:
    """The list's bound counts nodes, not pulls."""
    _grant(fleet, "child-0", "node-b")

    other = fleet.jobs["child-1"]
    assert (False, True, False) == tuple(may_grant(fleet, other, name) for name in NODES)
    assert "node-b" == turn(fleet, other)
    assert may_go_along(fleet, other, "node-b")


def test_the_next_node_comes_when_the_lists_last_pull_on_one_has_ended(fleet: Fleet) -> None:
    """And every job of the list is asked again then."""
    _grant(fleet, "child-0", "node-b")
    _grant(fleet, "child-1", "node-b")
    fleet.todo.hungry.clear()

    Learning(fleet).job_gone("child-0")
    one_left = may_grant(fleet, fleet.jobs["child-2"], "node-a")
    Learning(fleet).job_gone("child-1")

    assert not one_left
    assert may_grant(fleet, fleet.jobs["child-2"], "node-a")
    assert "child-2" in fleet.todo.hungry


@pytest.mark.parametrize(("limit", "expected"), [(None, 3), (0, 0), (2, 2), ("34%", 2), ("0%", 0), (9, 3)])
def test_a_lists_bound_is_a_number_or_a_share_of_its_nodes(
    fleet: Fleet, limit: int | str | None, expected: int
) -> None:
    """Rounded up, as that of a job."""
    Learning(fleet).list_seen(_list(limit, version=2))

    granted = 0
    for name in NODES:
        if may_grant(fleet, fleet.jobs["child-0"], name):
            _grant(fleet, "child-0", name)
            granted += 1

    assert expected == granted


def test_a_job_without_a_list_heeds_none(fleet: Fleet) -> None:
    """Its own parallelism alone."""
    Learning(fleet).job_seen(replace(_child(0), uid="alone", list_uid=""), now=NOW)
    _grant(fleet, "child-0", "node-b")

    assert all(may_grant(fleet, fleet.jobs["alone"], name) for name in NODES)


def test_an_orphaned_job_takes_its_nodes_out_of_the_lists_count(fleet: Fleet) -> None:
    """`kubectl delete --cascade=orphan` takes its owner reference away."""
    _grant(fleet, "child-0", "node-b")

    Learning(fleet).job_seen(replace(_child(0), version=2, list_uid=""), now=NOW)

    assert frozenset({"child-1", "child-2"}) == fleet.lists.jobs("team/list")
    assert () == fleet.lists.holding("team/list")
