"""
The gate: when the startup taint comes off a new node, and the patch that takes it off.

Pure. The taint is never added here: a node group or the kubelet sets it, so that no Pod comes before the images are
there. Whether jobs and NodeImages are synced, without which nothing may be decided, is the caller's to know.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from daemon.api.times import later
from daemon.cluster.interface import Operation
from daemon.cluster.patches import guard, pointer
from daemon.coordinator.seen import SeenNode


class Opening(msgspec.Struct, frozen=True):
    """Why a gate opens, and the gating jobs, by name, whose image is not there yet."""

    reason: Literal["warm", "deadline", "no-jobs"]
    cold: tuple[str, ...] = ()


def opening_of(
    node: SeenNode, *, taint_key: str, warm_by_job: Mapping[str, bool], deadline_seconds: float, now: datetime
) -> Opening | None:
    """
    Return why a node's gate opens now; None where it stays closed, or there is none.

    Args:
        node: the node.
        taint_key: the gate's taint.
        warm_by_job: by name, whether each gating job that selects the node and is not suspended is warm there.
        deadline_seconds: after how long, since the node was made, it opens cold.
        now: this instant.
    """
    if not any(taint.key == taint_key for taint in node.taints):
        return None
    if not warm_by_job:
        return Opening("no-jobs")
    cold = tuple(sorted(name for name, is_warm in warm_by_job.items() if not is_warm))
    if not cold:
        return Opening("warm")
    return Opening("deadline", cold) if now >= closes_at(node, deadline_seconds=deadline_seconds) else None


def closes_at(node: SeenNode, *, deadline_seconds: float) -> datetime:
    """Return when waiting for the images ends."""
    return later(node.created_at, seconds=deadline_seconds)


def open_patch(node: SeenNode, *, taint_key: str) -> tuple[Operation, ...]:
    """
    Return the patch that takes every taint with this key off a node, and no other.

    It tests that they stand where they stood: taints have no key in the API that a patch could name. An empty list is
    left behind, which the API server drops: to remove the list itself would take along what was added meanwhile.
    """
    found = [index for index, taint in enumerate(node.taints) if taint.key == taint_key]
    tests = [test for index in found for test in _tests(node, index)]
    removals = [Operation(op="remove", path=pointer("spec", "taints", str(index))) for index in reversed(found)]
    return (*guard(uid=node.uid), *tests, *removals)


def _tests(node: SeenNode, index: int) -> list[Operation]:
    taint = node.taints[index]
    # An absent value can't be tested; key and effect are what tells taints apart.
    wanted = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    return [
        Operation(op="test", path=pointer("spec", "taints", str(index), name), value=value)
        for name, value in wanted.items()
        if value
    ]
