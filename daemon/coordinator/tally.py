"""
A job's nodes, counted: O(1) a change, whatever the number of nodes.

Pure: standings in, counts and the next candidate out. What a standing is, is standing.py's; which candidate gets a
grant and how many may, plan.py's.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from daemon.coordinator.account import DIGESTS, MOST_NAMED, NODES_A_REASON, REASONS, Account, ReasonCount
from daemon.coordinator.dues import FEW, Dues
from daemon.coordinator.standing import Group, Stand, Standing


Order = tuple[bool, bool, bool, float, int]
"""Lower goes first: first rounds, cold nodes, nodes whose agent has reported, newest, and then by chance."""


class Tally:
    """
    The counts of one job.

    `holding` is how many nodes take a slot. Candidates stand in a heap from which outdated ones are dropped when they
    come up, or are most of it.
    """

    def __init__(self) -> None:
        self.selected = 0
        self.holding = 0
        self._stands: Counter[Stand] = Counter()
        self._groups: Counter[Group] = Counter()
        self._digests: Counter[str] = Counter()
        self._failed: dict[str, Standing] = {}
        self._skipped: dict[str, Standing] = {}
        self._bytes_done = 0
        self._bytes_total = 0
        self._seconds = 0.0
        self._timed = 0
        self._changed = 0
        self._candidates: dict[str, Order] = {}
        self._heap: list[tuple[Order, str]] = []
        self._aside: set[str] = set()
        self._turns = Dues()
        self._renewals = Dues()

    def change(self, node: str, before: Standing | None, after: Standing | None, *, order: Order | None) -> None:
        """Count a node's new standing in place of its old one; `order` ranks it while it is a candidate."""
        if before is not None:
            self._count(node, before, step=-1)
        if after is not None:
            self._count(node, after, step=1)
        self._rank(node, order if after is not None and after.is_candidate else None)
        due_at = after.due_at if after is not None and after.skip is None else None
        self._turns.put(node, due_at)
        self._renewals.put(node, due_at if after is not None and after.stand is Stand.SUCCEEDED else None)

    def count(self, stand: Stand) -> int:
        """Return how many answering nodes stand there."""
        return self._stands[stand]

    def group(self, group: Group) -> int:
        """Return how many nodes are warm, stale, cold or skipped."""
        return self._groups[group]

    @property
    def skipped(self) -> int:
        """How many nodes are left out."""
        return len(self._skipped)

    @property
    def desired(self) -> int:
        """How many nodes count."""
        return self.selected - len(self._skipped)

    @property
    def open(self) -> int:
        """How many nodes that count have not ended."""
        return self._stands[Stand.WAITING] + self._stands[Stand.GRANTED] + self._stands[Stand.PULLING]

    @property
    def candidates(self) -> int:
        """How many nodes wait for a grant that they may have."""
        return len(self._candidates)

    def first(self) -> str | None:
        """Return the candidate whose turn it is."""
        while self._heap and not self._is_first(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][1] if self._heap else None

    def set_aside(self, node: str) -> None:
        """Take a candidate out of the row, which can't be served now; `offer` puts it back."""
        self._aside.add(node)

    def offer(self, node: str) -> None:
        """Put a candidate back into the row."""
        order = self._candidates.get(node)
        if order is not None and node in self._aside:
            self._aside.discard(node)
            heapq.heappush(self._heap, (order, node))

    def is_in_row(self, node: str) -> bool:
        """Tell whether a node is a candidate that is not set aside."""
        return node in self._candidates and node not in self._aside

    def next_turn(self) -> datetime | None:
        """Return when the next node's turn comes by time alone: its renewal, or another round."""
        return self._turns.first()

    def next_renewal(self) -> datetime | None:
        """Return when the first node's renewal comes."""
        return self._renewals.first()

    def take_due(self, now: datetime) -> list[str]:
        """Return the nodes whose turn has come, and forget it."""
        return self._turns.take(now)

    def has_renewal_until(self, at: datetime) -> bool:
        """Tell whether a node's renewal comes until then by time alone."""
        first = self._renewals.first()
        return first is not None and first <= at

    def account(
        self,
        *,
        limit: int,
        refused: Iterable[str] = (),
        last_refresh: datetime | None = None,
        next_refresh: datetime | None = None,
        open_nodes: Iterable[str] = (),
        renewing: int = 0,
    ) -> Account:
        """Return the counts of this moment."""
        return Account(
            selected=self.selected,
            warm=self._groups[Group.WARM],
            stale=self._groups[Group.STALE],
            cold=self._groups[Group.COLD],
            skipped=self._groups[Group.SKIPPED],
            waiting=self._stands[Stand.WAITING],
            granted=self._stands[Stand.GRANTED],
            pulling=self._stands[Stand.PULLING],
            succeeded=self._stands[Stand.SUCCEEDED],
            failed=self._stands[Stand.FAILED],
            failed_nodes=tuple(heapq.nsmallest(MOST_NAMED, self._failed)),
            failures=_by_reason(self._failed, reason_of=lambda standing: standing.reason),
            skips=_by_reason(
                self._skipped, reason_of=lambda standing: str(standing.skip.reason) if standing.skip else ""
            ),
            digests=tuple(sorted(self._digests.items(), key=lambda item: (-item[1], item[0]))[:DIGESTS]),
            bytes_done=self._bytes_done,
            bytes_total=self._bytes_total,
            pull_seconds=self._seconds / self._timed if self._timed else None,
            limit=limit,
            changed=self._changed,
            refused=tuple(sorted(refused)),
            last_refresh=last_refresh,
            next_refresh=next_refresh,
            renewing=renewing,
            open_nodes=tuple(heapq.nsmallest(MOST_NAMED, open_nodes)),
        )

    def _count(self, node: str, standing: Standing, *, step: int) -> None:
        self.selected += step
        self._groups[standing.group] += step
        if standing.holds_slot:
            self.holding += step
        if standing.digest:
            self._digests[standing.digest] += step
            if not self._digests[standing.digest]:
                del self._digests[standing.digest]
        if standing.skip is not None:
            _keep(self._skipped, node, standing, step=step)
            return
        # A suspended grant is served no more than one that was never sent (batch/v1: a suspended Job has active 0).
        self._stands[Stand.WAITING if standing.is_suspended else standing.stand] += step
        if standing.stand is Stand.FAILED:
            _keep(self._failed, node, standing, step=step)
        if standing.bytes is not None:
            self._bytes_done += step * standing.bytes.done
            self._bytes_total += step * standing.bytes.total
        if standing.seconds is not None:
            self._seconds += step * standing.seconds
            self._timed += step
        self._changed += step * standing.is_changed

    def _rank(self, node: str, order: Order | None) -> None:
        if order is None:
            self._candidates.pop(node, None)
            self._aside.discard(node)
        elif self._candidates.get(node) != order:
            self._candidates[node] = order
            self._aside.discard(node)
            heapq.heappush(self._heap, (order, node))
            self._prune()

    def _is_first(self, order: Order, node: str) -> bool:
        return self._candidates.get(node) == order and node not in self._aside

    def _prune(self) -> None:
        """Drop outdated candidates once they are most of the heap: where slots are plenty nobody asks for the first."""
        if len(self._heap) > 2 * len(self._candidates) + FEW:
            row = ((order, node) for node, order in self._candidates.items() if node not in self._aside)
            self._heap = list(row)
            heapq.heapify(self._heap)


def _keep(nodes: dict[str, Standing], node: str, standing: Standing, *, step: int) -> None:
    if step > 0:
        nodes[node] = standing
    else:
        nodes.pop(node, None)


def _by_reason(nodes: dict[str, Standing], *, reason_of: Callable[[Standing], str]) -> tuple[ReasonCount, ...]:
    """Group nodes by reason, the commonest first."""
    groups: dict[str, list[str]] = {}
    for node, standing in nodes.items():
        groups.setdefault(reason_of(standing), []).append(node)
    counts = [_reason_count(reason, names, nodes=nodes) for reason, names in groups.items()]
    return tuple(sorted(counts, key=lambda count: (-count.count, count.reason))[:REASONS])


def _reason_count(reason: str, names: list[str], *, nodes: dict[str, Standing]) -> ReasonCount:
    shown = tuple(heapq.nsmallest(NODES_A_REASON, names))
    first = nodes[shown[0]]
    retries = [at for name in names if (at := nodes[name].due_at) is not None]
    message = first.skip.message if first.skip is not None else first.message
    return ReasonCount(
        reason=reason, count=len(names), nodes=shown, message=message, retry_at=min(retries, default=None)
    )
