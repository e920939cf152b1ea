"""What is seen of a cluster costs as much as it changes."""

from datetime import timedelta

import msgspec
import pytest

from daemon.api.nodeimage import OwnerReference, Phase, TagEntry, TagStatus
from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.seen import ImageKey, SeenAgent, SeenJob, SeenNode, SeenNodeImage, labels_hash
from daemon.coordinator.standing import Stand
from tests.unit.cluster.clock import EPOCH
from tests.unit.coordinator.claims import job


KEY = ImageKey("nginx", "1")
NOW = Moment(seconds=1000.0, at=EPOCH)
LATER = Moment(seconds=1060.0, at=EPOCH + timedelta(seconds=60))
JOB = SeenJob(
    namespace="team",
    name="base",
    uid="a",
    generation=1,
    version=1,
    created_at=EPOCH,
    job=job("a", image="nginx:1"),
    key=KEY,
)
NODE = SeenNode(name="node-a", uid="n1", created_at=EPOCH, version=1, labels={"zone": "a"})
IMAGE = SeenNodeImage(
    name="node-a", uid="i1", node_uid="n1", version=1, labels_hash=labels_hash(NODE.labels), agent=SeenAgent()
)


@pytest.fixture
def fleet() -> Fleet:
    """Return a fleet with one job and one node, of which nothing is to be looked at."""
    fleet = Fleet(gate_taint="example.com/closed", gate_deadline_seconds=600)
    learning = Learning(fleet)
    learning.job_seen(JOB, now=NOW)
    learning.node_seen(NODE, now=NOW)
    learning.image_seen(IMAGE, now=NOW)
    fleet.start(NOW)
    _rest(fleet)
    return fleet


def _rest(fleet: Fleet) -> None:
    fleet.todo.dirty.clear()
    fleet.todo.hungry.clear()


def _looks(fleet: Fleet) -> tuple[bool, bool]:
    """Tell whether anything may have to be written, and whether a status may."""
    return fleet.todo.has_writes, bool(fleet.todo.dirty)


def test_a_heartbeat_of_a_node_gives_nobody_work(fleet: Fleet) -> None:
    """A kubelet writes its Node each five minutes, and of that nothing is of interest here."""
    Learning(fleet).node_seen(msgspec.structs.replace(NODE, version=2), now=LATER)

    record = fleet.nodes["node-a"]
    assert (False, False) == _looks(fleet)
    assert record.node is not None
    assert 2 == record.node.version


def test_a_node_that_becomes_not_ready_counts_at_once(fleet: Fleet) -> None:
    """Whatever else is the same."""
    Learning(fleet).node_seen(msgspec.structs.replace(NODE, version=2, is_ready=False), now=LATER)

    assert "a" in fleet.todo.dirty
    assert (1, 0) == (fleet.jobs["a"].tally.skipped, fleet.jobs["a"].tally.candidates)


def test_what_is_older_than_what_is_known_says_nothing(fleet: Fleet) -> None:
    """An answer may come after the watch has told something newer."""
    learning = Learning(fleet)
    learning.node_seen(msgspec.structs.replace(NODE, version=5), now=LATER)

    learning.node_seen(msgspec.structs.replace(NODE, version=4, is_ready=False), now=LATER)

    assert 0 == fleet.jobs["a"].tally.skipped


def test_an_images_progress_is_reckoned_for_its_jobs_alone(fleet: Fleet) -> None:
    """Another job's counts, and its status, are not looked at (O(1) an event)."""
    other = msgspec.structs.replace(JOB, uid="b", key=ImageKey("redis", "7"), job=job("b", image="redis:7"))
    owner = OwnerReference(api_version="apps.kruise.io/v1beta1", kind="ImagePullJob", name="base", uid="a")
    granted = {KEY: TagEntry(tag="1", version=1, created_at=EPOCH, owner_references=(owner,))}
    said = {KEY: TagStatus(tag="1", version=1, phase=Phase.PULLING)}
    learning = Learning(fleet)
    learning.job_seen(other, now=NOW)
    learning.image_seen(msgspec.structs.replace(IMAGE, version=2, entries=granted), now=LATER)
    _rest(fleet)

    learning.image_seen(msgspec.structs.replace(IMAGE, version=3, entries=granted, statuses=said), now=LATER)

    assert {"a"} == fleet.todo.dirty
    assert 1 == fleet.jobs["a"].tally.count(Stand.PULLING)


def test_a_node_image_that_is_gone_does_not_come_back_by_an_old_answer(fleet: Fleet) -> None:
    """Its deletion is newer than what a write of ours was answered with."""
    learning = Learning(fleet)
    learning.image_gone("node-a", uid="i1", version=9, now=LATER)

    learning.image_seen(msgspec.structs.replace(IMAGE, version=8), now=LATER, is_ours=True)

    assert None is fleet.nodes["node-a"].image


def test_a_node_that_is_gone_with_its_node_image_is_forgotten(fleet: Fleet) -> None:
    """Nodes come and go for months."""
    learning = Learning(fleet)

    learning.node_gone("node-a", uid="n1", now=LATER)
    learning.image_gone("node-a", uid="i1", version=9, now=LATER)

    tally = fleet.jobs["a"].tally
    assert {} == fleet.nodes
    assert (0, 0) == (tally.selected, tally.candidates)
    assert set() == fleet.jobs["a"].names
    assert (False, set()) == (any(fleet.todo.upkeep), fleet.todo.suspects | fleet.todo.gates | fleet.todo.silent)
