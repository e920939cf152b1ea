"""
A list's status as it should stand: OpenKruise's fields with their meaning, conditions, and `prewarm`.

Pure. Everything comes from what is said of the list's jobs, in the list's order; so equal jobs give an equal status,
and nothing is written for an order that has changed (8.2 number 6). When it is written, and compared with what, is
page.py's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from daemon.api.imagepulljob import CompletionType
from daemon.api.times import format_time
from daemon.coordinator.conditions import conditions_in
from daemon.coordinator.jobfields import Fields, number, time_in
from daemon.coordinator.lists.fields import list_prewarm, times_of
from daemon.coordinator.lists.parts import Part
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.lists.verdicts import is_always, list_conditions, verdicts_of
from daemon.coordinator.verdicts import Verdicts


_OURS: Final = frozenset(
    {
        "observedGeneration",
        "conditions",
        "startTime",
        "completionTime",
        "desired",
        "active",
        "completed",
        "succeeded",
        "failedImageStatuses",
        "prewarm",
    }
)


def next_list_status(
    seen: SeenList,
    parts: Sequence[Part],
    *,
    earlier: Mapping[str, object],
    is_over: bool,
    is_done: bool,
    now: datetime,
) -> Fields:
    """
    Return the whole status as it should stand.

    Args:
        seen: the list.
        parts: its images, in its order.
        earlier: what was said before.
        is_over: that says of the list as it is that it has finished.
        is_done: every image has its job, as the list has it.
        now: this moment.
    """
    if is_over and all(part.has_ended for part in parts if part.has_job):
        return dict(earlier)
    verdicts = verdicts_of(seen, parts, is_done=is_done)
    if seen.wish is None:
        return _unusable(seen, verdicts=verdicts, earlier=earlier, now=now)
    started_at = _started_at(earlier, has_ended=verdicts.ending is not None, now=now)
    fields: Fields = {name: value for name, value in earlier.items() if name not in _OURS}
    fields |= {
        "observedGeneration": seen.generation,
        "startTime": format_time(started_at),
        "desired": len(parts),
        "active": sum(part.is_active for part in parts),
        "completed": sum(part.is_completed for part in parts),
        "succeeded": sum(part.is_succeeded for part in parts),
        "conditions": list_conditions(seen, parts, verdicts=verdicts, earlier=conditions_in(earlier), now=now),
        "prewarm": list_prewarm(
            parts, earlier=earlier, started_at=started_at, is_moving=verdicts == Verdicts(), now=now
        ),
    }
    if failed := _failed_images(parts, earlier=earlier):
        fields["failedImageStatuses"] = failed
    if verdicts.ending is not None:
        ended_at = max([*times_of(parts, "completionTime"), started_at])
        fields["completionTime"] = format_time(ended_at)
    return fields


def is_over(seen: SeenList, said: Mapping[str, object], *, observed: int) -> bool:
    """Tell whether a list has finished, as its spec is now; `observed` is the generation that its status is about."""
    return "completionTime" in said and is_always(seen) and observed >= seen.generation


def goes_on(seen: SeenList) -> bool:
    """Tell whether a list never ends."""
    return seen.wish is not None and seen.wish.template.completion_policy.type is CompletionType.NEVER


def _started_at(earlier: Mapping[str, object], *, has_ended: bool, now: datetime) -> datetime:
    """Return when this run began; one that has finished and goes on again is another."""
    begun = time_in(earlier, "startTime")
    is_again = "completionTime" in earlier and not has_ended
    return begun if begun is not None and not is_again else now.replace(microsecond=0)


def _unusable(seen: SeenList, *, verdicts: Verdicts, earlier: Mapping[str, object], now: datetime) -> Fields:
    """Keep what was counted, and say what is wrong."""
    return {
        **earlier,
        "observedGeneration": seen.generation,
        "startTime": earlier.get("startTime") or format_time(now),
        "desired": number(earlier, "desired"),
        "conditions": list_conditions(seen, (), verdicts=verdicts, earlier=conditions_in(earlier), now=now),
    }


def _failed_images(parts: Sequence[Part], *, earlier: Mapping[str, object]) -> list[Fields]:
    """Return what failed where, in the list's order."""
    said = _words_in(earlier)
    return [
        {
            "imagePullJob": part.job,
            "name": part.image,
            "message": part.failure_words(earlier=said.get(part.image, "")),
        }
        for part in parts
        if part.failed or part.refusal
    ]


def _words_in(status: Mapping[str, object]) -> dict[str, str]:
    listed = status.get("failedImageStatuses")
    failed = listed if isinstance(listed, Sequence) else ()
    return {str(one.get("name")): str(one.get("message", "")) for one in failed if isinstance(one, Mapping)}
