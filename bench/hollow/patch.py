"""
What a hollow node says as the JSON Patch of its NodeImage's status, in the real agent's form. Pure.

The form is daemon/agent/document.py's and clerk.py's: the object's uid is tested, and only what is another is set, as
whole values: one a repository, one a counter. Structs stand in it where the agent has JSON: they are encoded as the
same, and a thousand nodes cost a tenth.
"""

from datetime import datetime
from typing import Final

from bench.hollow.answer import Said, Statuses
from bench.hollow.seen import Metadata
from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.times import format_time
from daemon.cluster.interface import Operation
from daemon.cluster.patches import guard, pointer


RUNTIME: Final = "containerd://hollow"
RELEASE: Final = "hollow"
_COUNTERS: Final = {
    "succeeded": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "pulling": Phase.PULLING,
    "waiting": Phase.WAITING,
}

Grouped = dict[str, list[TagStatus]]


def status_patch(
    metadata: Metadata, statuses: Statuses, *, said: Said, started_at: datetime, now: datetime
) -> tuple[Operation, ...]:
    """Return the operations that bring a node's status from what is said to what it says now."""
    return (
        *guard(uid=metadata.uid),
        *_parents(said, statuses),
        *_images(statuses, said=said),
        *_counters(statuses, said=said),
        _set("observedGeneration", value=metadata.generation),
        _conditions(metadata.generation, started_at=started_at),
        _set("prewarm", value={"agent": _agent(started_at=started_at, now=now)}),
    )


def _set(*path: str, value: object) -> Operation:
    return Operation(op="add", path=pointer("status", *path), value=value)


def _parents(said: Said, statuses: Statuses) -> list[Operation]:
    needed = [] if said.has_status else [Operation(op="add", path=pointer("status"), value={})]
    return [*needed, _set("imageStatuses", value={})] if statuses and not said.has_images else needed


def _images(statuses: Statuses, *, said: Said) -> list[Operation]:
    now, before = _grouped(statuses), _grouped(said.statuses)
    gone = [Operation(op="remove", path=pointer("status", "imageStatuses", name)) for name in before if name not in now]
    changed = {name: tags for name, tags in now.items() if before.get(name) != tags}
    return [*gone, *(_set("imageStatuses", name, value={"tags": tags}) for name, tags in changed.items())]


def _grouped(statuses: Statuses) -> Grouped:
    found: Grouped = {}
    for key in sorted(statuses):
        found.setdefault(key.repository, []).append(statuses[key])
    return found


def _counters(statuses: Statuses, *, said: Said) -> list[Operation]:
    now, before = _counts(statuses), _counts(said.statuses)
    return [_set(name, value=count) for name, count in now.items() if not said.has_agent or before[name] != count]


def _counts(statuses: Statuses) -> dict[str, int]:
    phases = [status.phase for status in statuses.values()]
    return {"desired": len(phases), **{name: phases.count(phase) for name, phase in _COUNTERS.items()}}


def _conditions(generation: int, *, started_at: datetime) -> Operation:
    told = (
        ("RuntimeReady", "RuntimeAnswers", RUNTIME),
        ("SpaceSufficient", "EnoughSpace", "no image waits for space"),
        ("SoleReporter", "NoOtherDaemon", "nobody else was seen to write this status"),
    )
    said = {"status": "True", "lastTransitionTime": format_time(started_at), "observedGeneration": generation}
    value = [{"type": name, "reason": reason, "message": message, **said} for name, reason, message in told]
    return _set("conditions", value=value)


def _agent(*, started_at: datetime, now: datetime) -> dict[str, str]:
    return {
        "version": RELEASE,
        "runtime": RUNTIME,
        "startedAt": format_time(started_at),
        "reportedAt": format_time(now),
    }
