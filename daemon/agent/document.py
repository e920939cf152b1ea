"""
A node's report as the status of its NodeImage: tag statuses, OpenKruise's counters, conditions, and who says so.

Pure: values in, parts of a document out. When it is written is clerk.py's, how, writer.py's. A status is handled in
parts, each of which one JSON Patch operation sets: one a repository, one a counter.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason, Word
from daemon.api.times import format_time
from daemon.api.wire import to_wire
from daemon.node.report import LONGEST_MESSAGE, Report


Part = tuple[str, ...]
Parts = dict[Part, object]

IMAGE_STATUSES: Final = "imageStatuses"
_COUNTERS: Final[Mapping[str, Phase]] = {
    "succeeded": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "pulling": Phase.PULLING,
    "waiting": Phase.WAITING,
}
_PLAIN: Final = ("desired", *_COUNTERS, "observedGeneration", "prewarm")
_RUNTIME_READY: Final = "RuntimeReady"
_SPACE_SUFFICIENT: Final = "SpaceSufficient"
_SOLE_REPORTER: Final = "SoleReporter"
# Not a set: where a schema is loose, a type may be what no set can look for.
_CONDITIONS: Final = (_RUNTIME_READY, _SPACE_SUFFICIENT, _SOLE_REPORTER)


class AgentIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who reports: the release, and since when this process runs."""

    version: str
    started_at: datetime


def parts_of(status: object) -> Parts:
    """Take apart what stands in a NodeImage's status, as far as it is ours; of a status that is none, nothing."""
    if not isinstance(status, dict):
        return {}
    parts: Parts = {(name,): status[name] for name in _PLAIN if name in status}
    images = status.get(IMAGE_STATUSES)
    if isinstance(images, dict):
        parts |= {(IMAGE_STATUSES, repository): value for repository, value in images.items()}
    if ours := [condition for condition in _conditions_of(status) if condition.get("type") in _CONDITIONS]:
        parts["conditions",] = ours
    return parts


def document_of(
    report: Report, *, agent: AgentIdentity, earlier: Parts, now: datetime, other_daemon: str = ""
) -> Parts:
    """
    Put a report into the parts that its NodeImage's status should have.

    Args:
        report: what the node has to say.
        agent: who says it.
        earlier: the parts that were said before: a condition that stands keeps the time of its last transition.
        now: this moment, which becomes `prewarm.agent.reportedAt`.
        other_daemon: what is to be said of another that writes this status too, "" where nobody does.
    """
    statuses = report.statuses.values()
    parts: Parts = {(IMAGE_STATUSES, repository): value for repository, value in _image_statuses(report).items()}
    parts["desired",] = len(report.statuses)
    for name, phase in _COUNTERS.items():
        parts[name,] = sum(1 for status in statuses if status.phase is phase)
    parts["observedGeneration",] = report.generation
    parts["conditions",] = [
        {**_since(one, earlier=earlier, now=now), "observedGeneration": report.generation}
        for one in (*_of_the_node(report), _sole_reporter(other_daemon))
    ]
    parts["prewarm",] = {"agent": _agent(report, agent=agent, now=now)}
    return parts


def _image_statuses(report: Report) -> dict[str, object]:
    """Group the statuses by repository, tags in order as OpenKruise's webhook sorts them."""
    found: dict[str, list[TagStatus]] = {}
    for key, status in report.statuses.items():
        found.setdefault(key.repository, []).append(status)
    return {
        repository: {"tags": [to_wire(status) for status in sorted(tags, key=lambda status: status.tag)]}
        for repository, tags in found.items()
    }


def _agent(report: Report, *, agent: AgentIdentity, now: datetime) -> dict[str, str]:
    said = {
        "version": agent.version,
        "runtime": report.runtime,
        "startedAt": format_time(agent.started_at),
        "reportedAt": format_time(now),
    }
    return {name: value for name, value in said.items() if value}


def _of_the_node(report: Report) -> tuple[dict[str, object], ...]:
    runtime = _condition(
        _RUNTIME_READY,
        problem=None if report.is_runtime_up else (Reason.RUNTIME_UNAVAILABLE, report.runtime_problem),
        good=(Word.RUNTIME_ANSWERS, report.runtime or "no answer was needed yet"),
    )
    space = _condition(
        _SPACE_SUFFICIENT,
        problem=(Reason.DISK_LOW, report.space_problem) if report.space_problem else None,
        good=(Word.ENOUGH_SPACE, "no image waits for space"),
    )
    return runtime, space


def _sole_reporter(other_daemon: str) -> dict[str, object]:
    return _condition(
        _SOLE_REPORTER,
        problem=(Word.OTHER_DAEMON, other_daemon) if other_daemon else None,
        good=(Word.NO_OTHER_DAEMON, "nobody else was seen to write this status"),
    )


def _condition(name: str, *, problem: tuple[Reason | Word, str] | None, good: tuple[Word, str]) -> dict[str, object]:
    reason, message = problem or good
    status = "False" if problem else "True"
    return {"type": name, "status": status, "reason": str(reason), "message": message[:LONGEST_MESSAGE]}


def _since(condition: dict[str, object], *, earlier: Parts, now: datetime) -> dict[str, object]:
    """Add when the condition's status last changed, as metav1.Condition asks."""
    told = earlier.get(("conditions",))
    for other in told if isinstance(told, list) else []:
        if (other.get("type"), other.get("status")) == (condition["type"], condition["status"]):
            return {**condition, "lastTransitionTime": other.get("lastTransitionTime") or format_time(now)}
    return {**condition, "lastTransitionTime": format_time(now)}


def _conditions_of(status: dict[str, object]) -> list[dict[str, object]]:
    conditions = status.get("conditions")
    return [each for each in conditions if isinstance(each, dict)] if isinstance(conditions, list) else []


def foreign_conditions(status: object) -> list[dict[str, object]]:
    """Pick the conditions that others have put there, which a write must keep."""
    found = _conditions_of(status) if isinstance(status, dict) else []
    return [condition for condition in found if condition.get("type") not in _CONDITIONS]
