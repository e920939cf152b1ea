"""
What a job's status is made from: the counts of its tally at one moment. Values only; jobstatus.py words them.

Lists of names are bounded, since a status is one object; the CRDs have the same bounds.
"""

from datetime import datetime
from typing import Final

import msgspec


MOST_NAMED: Final = 1_000
"""How many nodes a list of failed or open ones names."""
REASONS: Final = 16
NODES_A_REASON: Final = 10
DIGESTS: Final = 5


class ReasonCount(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes with one reason: how many, the first ten by name, one's words, and when the next is tried again."""

    reason: str
    count: int
    nodes: tuple[str, ...] = ()
    message: str = ""
    retry_at: datetime | None = None


class SecretTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job has not all of its pull secrets: SecretMissing or SecretForbidden, and what a person can do."""

    reason: str
    message: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where a job's nodes stand.

    warm + stale + cold + skipped = selected, always. waiting + granted + pulling + succeeded + failed = selected -
    skipped: a node that is due again waits, whatever its last end was.

    Attributes:
        selected: nodes that the job is for.
        warm: have the image as fresh as the job asks.
        stale: have an older one.
        cold: have none.
        skipped: left out now.
        waiting: have no grant, or are due for another.
        granted: have a grant and have not said that they pull.
        pulling: pull.
        succeeded: have ended well, and are not due.
        failed: have ended badly, and are not due.
        failed_nodes: the names of those, sorted, the first 1,000.
        failures: those by reason, the commonest first.
        skips: the skipped by reason, the commonest first.
        digests: what lies on the nodes, the commonest first, at most five.
        bytes_done: of the pulls that run.
        bytes_total: of the pulls that run, as far as they know it.
        pull_seconds: how long this run's pulls took, the mean; None before the first has ended.
        limit: how many nodes may pull at once.
        changed: how many ends brought another image, in this run or refresh.
        refused: nodes whose NodeImage takes no write, by name.
        open_nodes: the names of those that have not ended, sorted, the first 1,000; wanted at the deadline alone.
        renewing: nodes that the running refresh has still to end on, those whose turn is to come counted as one.
        last_refresh: when the last renewal began.
        next_refresh: when the next begins.
        secret_trouble: why it has not all of its pull secrets; None where nothing is known against it.
        has_secrets: it names pull secrets, and has all of them.
    """

    selected: int = 0
    warm: int = 0
    stale: int = 0
    cold: int = 0
    skipped: int = 0
    waiting: int = 0
    granted: int = 0
    pulling: int = 0
    succeeded: int = 0
    failed: int = 0
    failed_nodes: tuple[str, ...] = ()
    failures: tuple[ReasonCount, ...] = ()
    skips: tuple[ReasonCount, ...] = ()
    digests: tuple[tuple[str, int], ...] = ()
    bytes_done: int = 0
    bytes_total: int = 0
    pull_seconds: float | None = None
    limit: int = 1
    changed: int = 0
    refused: tuple[str, ...] = ()
    open_nodes: tuple[str, ...] = ()
    renewing: int = 0
    last_refresh: datetime | None = None
    next_refresh: datetime | None = None
    secret_trouble: SecretTrouble | None = None
    has_secrets: bool = False

    @property
    def desired(self) -> int:
        """Nodes that count: the selected less the skipped."""
        return self.selected - self.skipped

    @property
    def open(self) -> int:
        """Nodes that have not ended."""
        return self.waiting + self.granted + self.pulling
