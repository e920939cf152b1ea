"""What is known of one pull secret and its copies, and what follows for its jobs. Values and pure rules."""

import math
import random
from typing import Final

from daemon.api.nodeimage import SecretReference
from daemon.coordinator.secrets.answer import Answer, State
from daemon.coordinator.secrets.names import BATCH, Source, chosen


JITTER: Final = 0.1
FIRST_WAIT_SECONDS: Final = 1.0
SURE: Final = 2
"""So often in a row a source has to be missing or forbidden until that counts: Secret and job are applied together, and
an API server that has just started forbids everything for a moment."""
PATIENCE: Final = 4
"""After so many failures in a row the jobs go on without an answer."""

_GONE: Final = frozenset({State.MISSING, State.UNUSABLE})


class SourceRecord:
    """
    One source.

    Attributes:
        copies: the names of its copies, as far as they are known.
        spare: those that are not in use, as the last list had them.
        surplus: those that were spare twice, and go.
        included: the jobs (namespace/name) that the copy in use names.
        answer: what its last errand came to; None before the first.
        digest: of what was last seen in it; "" for never.
        told_for: the jobs that the answer is for.
        asked_for: the jobs that the errand on its way is for.
        must_copy: source and copy have to be looked at.
        is_busy: an errand is on its way.
        answered_seconds: when its last errand ended.
        due_seconds: when time alone brings an errand.
        not_before: until when it is left alone, after a failure.
        failures: how many errands in a row have come to nothing.
        failing_seconds: when the first of these did.
        wrongs: how many answers in a row were no good ones.
        denied: jobs of which a node was denied an image since its last errand began.
        asking: those that were before the errand which is on its way.
        denied_seconds: when it was last looked at for such a denial.
    """

    def __init__(self) -> None:
        self.copies: set[str] = set()
        self.spare: set[str] = set()
        self.surplus: set[str] = set()
        self.included: tuple[str, ...] = ()
        self.answer: Answer | None = None
        self.digest = ""
        self.told_for: tuple[str, ...] = ()
        self.asked_for: tuple[str, ...] = ()
        self.must_copy = False
        self.is_busy = False
        self.answered_seconds = -math.inf
        self.due_seconds = math.inf
        self.not_before = -math.inf
        self.failures = 0
        self.failing_seconds = -math.inf
        self.wrongs = 0
        self.denied: set[str] = set()
        self.asking: set[str] = set()
        self.denied_seconds = -math.inf

    @property
    def is_present(self) -> bool:
        """Whether its last answer was a good one."""
        return self.answer is not None and self.answer.state is State.PRESENT

    @property
    def is_gone(self) -> bool:
        """Whether there is nothing to copy any more, so that its copies go too."""
        return self.answer is not None and self.answer.state in _GONE

    def needs_copy(self, references: tuple[str, ...]) -> bool:
        """Tell whether source and copy have to be looked at, for these jobs."""
        return self.must_copy or self.answer is None or self.told_for != references

    def unneeded(self, *, is_used: bool) -> set[str]:
        """Return the copies that should go: all where nobody uses the source or it is gone, else what is surplus."""
        return self.copies if not is_used or self.is_gone else self.surplus

    def is_told(self, key: str) -> bool:
        """Tell whether it is known what a job (namespace/name) gets of it."""
        return self.answer is not None and key in self.told_for

    def settle(self, answer: Answer) -> bool:
        """Take an answer, and tell whether pulls may go otherwise with it than before."""
        before, self.answer = self.answer, answer
        self.told_for, self.must_copy = self.asked_for, False
        if answer.state is not State.PRESENT:
            return False
        is_other = bool(self.digest) and self.digest != answer.digest
        has_come = before is not None and before.state is not State.PRESENT
        self.digest, self.included = answer.digest, self.asked_for
        if answer.copy:
            self.copies.add(answer.copy)
        return answer.has_changed or is_other or has_come

    def reference(self, source: Source, *, key: str, place: str) -> SecretReference | None:
        """Return what a job (namespace/name) has of it: a copy, the Secret itself where copies are, or nothing."""
        if source.namespace == place:
            return SecretReference(namespace=place, name=source.name) if self.is_present else None
        # A source that may not be read any more keeps the copy that it has, for the jobs that it was made for.
        name = chosen(source, self.copies)
        if not name or self.is_gone or key not in self.included:
            return None
        return SecretReference(namespace=place, name=name, mode=BATCH)


def wait_seconds(record: SourceRecord, *, reread_seconds: float) -> float:
    """Return how long until a source is looked at again: 1 s, doubling, while something is wrong with it."""
    tries = record.failures or record.wrongs
    seconds = min(reread_seconds, FIRST_WAIT_SECONDS * 2 ** min(tries - 1, 16)) if tries else reread_seconds
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing
