"""
One image of a list, as the status of its job tells it; and what several come to together.

Pure. Each number counts an image on a node: twenty images on three nodes are sixty.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.reasons import Reason
from daemon.coordinator.account import Account, ReasonCount
from daemon.coordinator.conditions import FAILED, READY, STALLED, condition, conditions_in
from daemon.coordinator.jobfields import number, prewarm, time_in
from daemon.coordinator.verdicts import commonest_failure, names


LONGEST_WORDS: Final = 512
"""Of one failed image: 255 of them have to fit into one object."""
GROUPS: Final = ("warm", "stale", "cold", "skipped")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """
    One image.

    Attributes:
        image: its text in the list.
        job: the name of its job, also where that is not made yet.
        has_job: it is made.
        has_ended: it is an Always job that has finished, and does not run again.
        goes_on: it never ends.
        status: what is said of it.
        refusal: why it is not made; "" where nothing stands in the way.
    """

    image: str
    job: str
    has_job: bool = True
    has_ended: bool = False
    goes_on: bool = False
    status: Mapping[str, object] = {}
    refusal: str = ""

    @property
    def desired(self) -> int:
        """The nodes that count."""
        return number(self.status, "desired")

    @property
    def failed(self) -> int:
        """The nodes on which it failed."""
        return number(self.status, "failed")

    @property
    def succeeded(self) -> int:
        """The nodes on which it ended well."""
        return number(self.status, "succeeded")

    @property
    def is_active(self) -> bool:
        """Whether nodes pull it."""
        return number(self.status, "active") > 0

    @property
    def is_completed(self) -> bool:
        """Whether it has ended on every node; one that never ends, for now."""
        if not self.goes_on:
            return self.has_ended
        return self.desired > 0 and self.desired == self.succeeded + self.failed

    @property
    def is_succeeded(self) -> bool:
        """Whether it has ended well on every node."""
        return self.is_completed and self.desired == self.succeeded

    @property
    def has_nodes(self) -> bool:
        """Whether a node is selected, as far as the status tells."""
        return bool(self.desired) or any(self.count(group) for group in GROUPS)

    @property
    def stall(self) -> Mapping[str, object]:
        """The condition that nothing moves until a person does something; empty where that is not so."""
        found = condition(conditions_in(self.status), STALLED)
        return found if found.get("status") == "True" else {}

    @property
    def is_ready(self) -> bool:
        """Whether every node that counts has it; on OpenKruise's CRDs told by the numbers."""
        found = condition(conditions_in(self.status), READY)
        return found.get("status") == "True" if found else self.is_succeeded and self.has_nodes

    @property
    def is_moving(self) -> bool:
        """Whether it goes on without a person."""
        if not self.has_job:
            return not self.refusal
        return not (self.has_ended or self.stall or self.is_ready)

    @property
    def is_late(self) -> bool:
        """Whether its deadline ended it."""
        return condition(conditions_in(self.status), FAILED).get("reason") == Reason.DEADLINE_EXCEEDED.value

    def count(self, group: str) -> int:
        """Return how many nodes are warm, stale, cold or skipped."""
        return number(self.status, "prewarm", "nodes", group)

    def failure_words(self, *, earlier: str = "") -> str:
        """
        Say what failed: "2 of 30 nodes failed: 2 Unauthorized (a, b: words)", or why it has no job.

        `earlier` is what was said before. It stays where the reasons are lost since, as on OpenKruise's CRDs.
        """
        if self.refusal:
            return cut(self.refusal)
        groups = groups_in(self.status, "failures")
        told = commonest_failure(Account(selected=self.desired, failed=self.failed, failures=groups))
        if told is not None:
            return cut(told.message)
        counts = f"{self.failed} of {self.desired} nodes failed"
        if earlier.startswith(f"{counts}:"):
            return earlier
        failed_nodes = self.status.get("failedNodes")
        nodes = [str(node) for node in failed_nodes] if isinstance(failed_nodes, Sequence) else []
        return f"{counts}: {names(nodes, count=self.failed)}" if nodes else counts


def total(parts: Iterable[Part], *path: str) -> int:
    """Add a number up that stands in the statuses."""
    return sum(number(part.status, *path) for part in parts)


def merged(parts: Iterable[Part], name: str) -> tuple[ReasonCount, ...]:
    """Return the groups of nodes that the statuses tell, those of one reason together, the commonest first."""
    found: dict[str, list[ReasonCount]] = {}
    for part in parts:
        for group in groups_in(part.status, name):
            found.setdefault(group.reason, []).append(group)
    counts = [_together(groups) for groups in found.values()]
    return tuple(sorted(counts, key=lambda count: (-count.count, count.reason)))


def groups_in(status: Mapping[str, object], name: str) -> tuple[ReasonCount, ...]:
    """Return the groups of nodes by reason that stand in a status."""
    listed = prewarm(status).get(name)
    groups = listed if isinstance(listed, Sequence) else ()
    return tuple(_group(group) for group in groups if isinstance(group, Mapping))


def cut(words: str) -> str:
    """Return words as long as one image's may be."""
    return words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - 3]}..."


def _group(group: Mapping[str, object]) -> ReasonCount:
    nodes = group.get("nodes")
    return ReasonCount(
        reason=str(group.get("reason", "")),
        count=number(group, "count"),
        nodes=tuple(str(node) for node in nodes) if isinstance(nodes, Sequence) else (),
        message=str(group.get("message", "")),
        retry_at=time_in(group, "retryTime"),
    )


def _together(groups: Sequence[ReasonCount]) -> ReasonCount:
    retries: list[datetime] = [group.retry_at for group in groups if group.retry_at is not None]
    return ReasonCount(
        reason=groups[0].reason,
        count=sum(group.count for group in groups),
        nodes=tuple(sorted({node for group in groups for node in group.nodes})),
        message=next((group.message for group in groups if group.message), ""),
        retry_at=min(retries, default=None),
    )
