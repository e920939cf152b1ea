"""
What a list has come to: ended, at a standstill, suspended; and its conditions, which are those of a job.

Pure. A list needs a person once nothing of it moves and at least one of its images needs one.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from daemon.api.imagepulljob import CompletionType
from daemon.api.quantity import nodes_at_once
from daemon.api.reasons import Reason, Word
from daemon.coordinator.conditions import (
    READY,
    STALLED,
    SUSPENDED,
    Conditions,
    ends,
    or_not,
    stamped,
    worded,
)
from daemon.coordinator.lists.parts import Part, merged
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.verdicts import Verdict, Verdicts, word


IMAGES_TOLD: Final = 3

_IMAGE_ITEM: Final = "spec.images["
_TWICE: Final = "Duplicate value"


def is_always(seen: SeenList) -> bool:
    """Tell whether a list ends; one whose spec can't be used has no end."""
    return seen.wish is not None and seen.wish.template.completion_policy.type is CompletionType.ALWAYS


def verdicts_of(seen: SeenList, parts: Sequence[Part], *, is_done: bool) -> Verdicts:
    """
    Return what a list has come to.

    Args:
        seen: whose spec counts.
        parts: its images, in its order.
        is_done: every image has its job, as the list has it.
    """
    if seen.wish is None:
        return Verdicts(stall=_unusable(seen))
    suspension = _suspension(seen)
    if is_always(seen) and is_done and all(part.is_completed for part in parts):
        return Verdicts(ending=_ended(parts), suspension=suspension)
    if suspension is not None:
        return Verdicts(suspension=suspension)
    return Verdicts(stall=_stall(parts))


def list_conditions(
    seen: SeenList, parts: Sequence[Part], *, verdicts: Verdicts, earlier: Conditions, now: datetime
) -> list[dict[str, object]]:
    """Return the conditions that should stand, with those of other writers; unchanged ones keep their time."""
    is_ready, ready = _ready(parts, verdicts)
    said = [
        worded(READY, ready, is_so=is_ready),
        *(ends(verdicts, what="list") if is_always(seen) else ()),
        or_not(SUSPENDED, verdicts.suspension, verdicts=verdicts, is_ready=is_ready, what="list"),
        or_not(STALLED, verdicts.stall, verdicts=verdicts, is_ready=is_ready, what="list"),
    ]
    return stamped(said, earlier=earlier, generation=seen.generation, now=now)


def _unusable(seen: SeenList) -> Verdict:
    is_image = all(problem.startswith(_IMAGE_ITEM) and _TWICE not in problem for problem in seen.problems)
    reason = Reason.INVALID_REFERENCE.value if is_image and seen.problems else Word.INVALID_SPEC.value
    return Verdict(reason=reason, message="; ".join(seen.problems) or "the spec cannot be used")


def _suspension(seen: SeenList) -> Verdict | None:
    if seen.wish is None:
        return None
    template = seen.wish.template
    if template.prewarm.suspend:
        return Verdict(reason=Reason.SUSPENDED.value, message="spec.prewarm.suspend is true")
    whole = template.prewarm.list_parallelism
    for name, bound in (("spec.parallelism", template.parallelism), ("spec.prewarm.listParallelism", whole)):
        if bound is not None and nodes_at_once(bound, nodes=1) == 0:
            return Verdict(reason=Reason.SUSPENDED.value, message=f"{name} is 0, so no further node begins")
    return None


def _ended(parts: Sequence[Part]) -> Verdict:
    failed = [part for part in parts if part.failed]
    if failed:
        is_late = all(part.is_late for part in failed)
        reason = Reason.DEADLINE_EXCEEDED.value if is_late else Word.NODES_FAILED.value
        return Verdict(reason=reason, message=_failed(failed, of=len(parts)))
    if not any(part.has_nodes for part in parts):
        return Verdict(reason=Reason.NO_NODES_SELECTED.value, message="no node is selected")
    return Verdict(reason=Word.FINISHED.value, message="list has completed")


def _failed(failed: Sequence[Part], *, of: int) -> str:
    told = "; ".join(f"{part.image}: {part.failure_words()}" for part in failed[:IMAGES_TOLD])
    more = len(failed) - IMAGES_TOLD
    return f"{len(failed)} of {of} images failed: {told}" + (f"; and {more} more" if more > 0 else "")


def _stall(parts: Sequence[Part]) -> Verdict | None:
    """Name the commonest reason of the images that need a person, where nothing else moves."""
    stuck = [part for part in parts if part.stall or (part.refusal and not part.has_job)]
    if not stuck or any(part.is_moving for part in parts):
        return None
    reasons = Counter(_stall_reason(part) for part in stuck)
    told = "; ".join(f"{part.image}: {_stall_words(part)}" for part in stuck[:IMAGES_TOLD])
    more = f"; and {len(stuck) - IMAGES_TOLD} more" if len(stuck) > IMAGES_TOLD else ""
    message = f"{len(stuck)} of {len(parts)} images: {told}{more}"
    return Verdict(reason=reasons.most_common(1)[0][0], message=message)


def _stall_reason(part: Part) -> str:
    return word(str(part.stall["reason"])) if part.stall else Word.JOBS_REFUSED.value


def _stall_words(part: Part) -> str:
    return str(part.stall.get("message", "")) if part.stall else part.refusal


def _ready(parts: Sequence[Part], verdicts: Verdicts) -> tuple[bool, Verdict]:
    """Tell whether every node that is not skipped has every image, and if not, why."""
    if parts and all(part.has_job and part.is_ready for part in parts):
        return True, Verdict(reason=Word.ALL_WARM.value, message=f"every node has all {len(parts)} images")
    ending = verdicts.ending
    is_told = ending is not None and (verdicts.is_late or ending.reason == Reason.NO_NODES_SELECTED.value)
    why = verdicts.stall or (ending if is_told else None) or verdicts.suspension
    return False, why or _unready(parts)


def _unready(parts: Sequence[Part]) -> Verdict:
    """Name the commonest failure once nothing is under way, for that is what a person looks for."""
    failed = [part for part in parts if part.failed]
    groups = merged(parts, "failures")
    if failed and groups and not any(part.is_moving for part in parts):
        return Verdict(reason=word(groups[0].reason), message=_failed(failed, of=len(parts)))
    ready = sum(part.is_ready for part in parts)
    verb = "is" if ready == 1 else "are"
    return Verdict(reason=Word.IN_PROGRESS.value, message=f"{ready} of {len(parts)} images {verb} on every node")
