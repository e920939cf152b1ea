"""
Which node of a job gets the next grant, and how many may have one at a time.

Pure. The order is: first rounds before later ones, cold nodes before stale ones, nodes whose agent has reported before
others, the newest first, and then by chance, the same for one job and node. A slot is taken when a grant is sent; so
the ceiling holds also while an outcome is unknown, and a node that comes back counts at once (kruise#1271).
"""

import zlib
from typing import Final

from daemon.api.quantity import nodes_at_once
from daemon.coordinator.seen import SeenNode, SeenNodeImage
from daemon.coordinator.standing import Group, Standing, Task
from daemon.coordinator.tally import Order, Tally


SOON_SECONDS: Final = 60.0
"""Renewals that fall due on a node within this go into one write."""


def limit_of(task: Task, *, desired: int) -> int:
    """Return how many nodes of a job may pull at once; a percentage is of those that count."""
    return nodes_at_once(task.job.template.parallelism, nodes=desired)


def free_slots(task: Task, tally: Tally) -> int:
    """Return how many more grants a job may send now; none while it is suspended."""
    if task.job.template.prewarm.suspend:
        return 0
    return max(0, limit_of(task, desired=tally.desired) - tally.holding)


def order_of(
    standing: Standing, *, uid: str, name: str, node: SeenNode | None, image: SeenNodeImage | None
) -> Order | None:
    """Rank a candidate; None for a standing that is none."""
    if not standing.is_candidate:
        return None
    has_reported = image is not None and image.agent is not None
    newest_first = -node.created_at.timestamp() if node is not None else 0.0
    chance = zlib.crc32(f"{uid}/{name}".encode(errors="surrogatepass"))
    return (standing.round > 0, standing.group is Group.STALE, not has_reported, newest_first, chance)


def may_join(tally: Tally, *, name: str, free: int) -> bool:
    """
    Tell whether a candidate may have a grant in a write that another job began.

    Where slots are short, only the candidate whose turn it is: a job with few slots keeps its order.
    """
    return free > 0 and (free >= tally.candidates or tally.first() == name)
