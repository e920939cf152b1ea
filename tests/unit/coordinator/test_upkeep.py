"""A Node has its NodeImage at once, and a NodeImage goes with its Node."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given

from daemon.coordinator.seen import SeenNode, SeenNodeImage, labels_hash
from daemon.coordinator.upkeep import Upkeep, upkeep_of
from tests.unit.api.strategies import labels


LABELS = {"zone": "a", "kubernetes.io/os": "linux"}
NODE = SeenNode(name="node-a", uid="n1", created_at=datetime(2026, 1, 1, tzinfo=UTC), labels=LABELS)
IMAGE = SeenNodeImage(name="node-a", uid="i1", node_uid="n1", labels_hash=labels_hash(LABELS))


def _node(**changes: object) -> SeenNode:
    return msgspec.structs.replace(NODE, **changes)


def _image(**changes: object) -> SeenNodeImage:
    return msgspec.structs.replace(IMAGE, **changes)


@pytest.mark.parametrize("node", [NODE, _node(is_ready=False), _node(leaving="karpenter.sh/disrupted")])
def test_a_node_has_its_node_image_at_once(node: SeenNode) -> None:
    """
    Also before it is Ready, and although it may leave.

    OpenKruise waits for Ready and 30 s more; a job that comes before selects no node and is complete (its zero-node
    defect).
    """
    assert Upkeep.CREATE == upkeep_of(node, None)


@pytest.mark.parametrize(
    "node",
    [_node(agentless="a virtual node"), _node(agentless="a windows node"), _node(leaving="deletionTimestamp")],
)
def test_a_node_without_use_for_one_gets_none(node: SeenNode) -> None:
    """Where no agent can run, or the Node is going, nothing is made."""
    assert None is upkeep_of(node, None)


def test_a_node_image_like_its_node_is_left_alone() -> None:
    """Nothing is written when nothing changed."""
    assert None is upkeep_of(NODE, IMAGE)
    assert None is upkeep_of(None, None)


def test_a_node_image_without_a_node_is_deleted() -> None:
    """The Node is gone, and what was wanted there with it."""
    assert Upkeep.DELETE == upkeep_of(None, IMAGE)
    assert Upkeep.DELETE == upkeep_of(None, _image(node_uid=""))


def test_a_node_image_of_a_node_that_goes_is_deleted() -> None:
    """As soon as somebody has deleted the Node."""
    assert Upkeep.DELETE == upkeep_of(_node(leaving="deletionTimestamp"), IMAGE)


def test_a_node_that_came_back_under_its_name_begins_anew() -> None:
    """The earlier machine's NodeImage says nothing of the new one's disk."""
    assert Upkeep.DELETE == upkeep_of(_node(uid="n2"), IMAGE)


def test_a_node_image_that_names_no_node_is_taken_over() -> None:
    """OpenKruise writes no owner reference; what it made goes on."""
    assert None is upkeep_of(NODE, _image(node_uid=""))


def test_a_fake_node_image_needs_no_node() -> None:
    """It stands for a machine that no Node stands for, and nobody but its maker removes it."""
    assert None is upkeep_of(None, _image(is_fake=True))
    assert None is upkeep_of(_node(uid="n2"), _image(is_fake=True))


def test_a_node_image_is_deleted_once() -> None:
    """One that somebody has deleted is waited for."""
    gone = _image(is_deleting=True, labels_hash=1)

    assert [None] * 3 == [upkeep_of(node, gone) for node in (None, NODE, _node(leaving="deletionTimestamp"))]


@given(found=labels, earlier=labels)
def test_labels_follow_the_nodes(found: dict[str, str], earlier: dict[str, str]) -> None:
    """Whatever changed, in whatever order they stand."""
    image = _image(labels_hash=labels_hash(dict(reversed(earlier.items()))))

    assert (None if found == earlier else Upkeep.RELABEL) == upkeep_of(_node(labels=found), image)


def test_the_node_image_of_an_agentless_node_is_left_alone() -> None:
    """One that was made before the label of a virtual node appeared is neither removed nor changed."""
    virtual = _node(agentless="a virtual node")

    assert None is upkeep_of(virtual, _image(labels_hash=1))
