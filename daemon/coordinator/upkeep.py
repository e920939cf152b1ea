"""
Whether a node's NodeImage is to be made, brought up to date, or removed.

Pure. A Node has its NodeImage at once, also before it is Ready: what a job grants there waits for nothing but the
node. OpenKruise waits for Ready and 30 seconds more.
"""

from enum import StrEnum

from daemon.coordinator.seen import SeenNode, SeenNodeImage, labels_hash


class Upkeep(StrEnum):
    """What a NodeImage needs."""

    CREATE = "create"
    DELETE = "delete"
    RELABEL = "relabel"


def upkeep_of(node: SeenNode | None, image: SeenNodeImage | None) -> Upkeep | None:
    """
    Return what the NodeImage of a name needs, None where it is as it should be.

    Args:
        node: the Node of that name, None where there is none.
        image: the NodeImage of that name, None where there is none.
    """
    if image is None:
        return Upkeep.CREATE if node is not None and _takes_one(node) else None
    if image.is_deleting:
        return None
    if _is_orphan(image, node):
        return Upkeep.DELETE
    # A virtual node's NodeImage may be somebody's own; it is left as it is.
    if node is None or node.agentless or image.labels_hash == labels_hash(node.labels):
        return None
    return Upkeep.RELABEL


def _takes_one(node: SeenNode) -> bool:
    return not node.agentless and not _is_going(node)


def _is_orphan(image: SeenNodeImage, node: SeenNode | None) -> bool:
    """Tell whether the Node is gone for which a NodeImage was made; a fake one needs none."""
    if image.is_fake:
        return False
    is_of_another = node is not None and image.node_uid not in ("", node.uid)
    return node is None or is_of_another or _is_going(node)


def _is_going(node: SeenNode) -> bool:
    return node.leaving == "deletionTimestamp"
