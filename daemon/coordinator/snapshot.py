"""
What a leader knows, as a value that other threads may look at: for /state, and counted for /metrics.

Made in the loop's thread, at most each second, from counts that are there already; only what no job counts is counted
node by node, which takes some milliseconds for five thousand.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from daemon.clock import Moment
from daemon.coordinator.conditions import TYPES, conditions_in
from daemon.coordinator.desk import Desk
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.jobfields import prewarm, time_in
from daemon.coordinator.lists.book import ListRecord
from daemon.coordinator.loop import CoordinatorLoop
from daemon.coordinator.plan import free_slots, limit_of
from daemon.coordinator.records import JobRecord, NodeRecord
from daemon.coordinator.refreshes import refresh_deadline
from daemon.coordinator.seen import SeenNode, SeenNodeImage
from daemon.coordinator.standing import Group, Stand


NODES_NAMED: Final = 100


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """
    A job as its leader knows it.

    Attributes:
        namespace: where it is.
        name: what it is called.
        uid: which one of that name.
        generation: of its spec.
        image: what it brings; "" where its spec can't be used.
        course: active, finished, again (a finished one that begins again), unsound or deleting.
        conditions: the reasons of those that are True, by type.
        message: what its status says.
        nodes: the selected nodes: warm, stale, cold, skipped.
        turns: the nodes that count: waiting, granted, pulling, succeeded, failed.
        limit: how many nodes may pull at once.
        holding: how many do, or may begin at any moment.
        eta_at: when the nodes that pull and wait are likely to have ended; None where nobody knows.
        refresh_deadline_at: until when nodes may begin, or might have, in its latest refresh; None without a bound.
        problems: why its spec can't be used.
    """

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    image: str = ""
    course: str = "active"
    conditions: Mapping[str, str] = {}
    message: str = ""
    nodes: Mapping[str, int] = {}
    turns: Mapping[str, int] = {}
    limit: int = 0
    holding: int = 0
    eta_at: datetime | None = None
    refresh_deadline_at: datetime | None = None
    problems: tuple[str, ...] = ()


class ListState(msgspec.Struct, frozen=True, kw_only=True):
    """
    An image list as its leader knows it.

    Attributes:
        namespace: where it is.
        name: what it is called.
        uid: which one of that name.
        generation: of its spec.
        images: how many it has.
        jobs: how many of them have a job, with those that are to go.
        conditions: the reasons of those that are True, by type; none on CRDs that do not keep them.
        pulling: on how many nodes its jobs pull, or may begin at any moment.
        problems: why its spec can't be used.
    """

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    images: int = 0
    jobs: int = 0
    conditions: Mapping[str, str] = {}
    pulling: int = 0
    problems: tuple[str, ...] = ()


class CoordinatorState(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that a leader shows.

    Attributes:
        at: when that was.
        is_synced: everything is listed, so it acts.
        jobs: by namespace and name.
        lists: by namespace and name.
        nodes: how many it knows, with NodeImages of machines without a Node.
        agents_by_version: nodes whose agent has reported.
        without_agent: nodes that could have one and of which none has said anything; how many, and the first by name.
        refused: why a NodeImage takes no write, by node; how many, and the first by name.
        gates_closed: nodes that still have the startup taint.
        skipped: nodes that are left out now, by reason.
        writes_waiting: what may have to be written now, by class.
        writes_running: requests on their way.
        throttled_seconds: how long something has waited because of the budget.
    """

    at: datetime | None = None
    is_synced: bool = False
    jobs: tuple[JobState, ...] = ()
    lists: tuple[ListState, ...] = ()
    nodes: int = 0
    agents_by_version: Mapping[str, int] = {}
    without_agent: int = 0
    without_agent_named: tuple[str, ...] = ()
    refused: int = 0
    refused_named: Mapping[str, str] = {}
    gates_closed: int = 0
    skipped: Mapping[str, int] = {}
    writes_waiting: Mapping[str, int] = {}
    writes_running: int = 0
    throttled_seconds: float = 0.0


def snapshot_of(loop: CoordinatorLoop, *, now: Moment) -> CoordinatorState:
    """Return what a loop knows; only in its own thread."""
    fleet = loop.fleet
    census = _census(fleet.nodes.values(), taint_key=fleet.gate_taint)
    without, refused = sorted(census.without_agent), sorted(fleet.refused)
    return CoordinatorState(
        at=now.at,
        is_synced=fleet.is_started,
        jobs=tuple(sorted((_job(job, loop.desk) for job in fleet.jobs.values()), key=_place)),
        lists=tuple(sorted(_lists(fleet.lists.records.values()), key=_place)),
        nodes=len(fleet.nodes),
        agents_by_version=census.versions,
        without_agent=len(without),
        without_agent_named=tuple(without[:NODES_NAMED]),
        refused=len(refused),
        refused_named={name: fleet.nodes[name].refusal for name in refused[:NODES_NAMED]},
        gates_closed=census.gates_closed,
        skipped=census.skipped,
        writes_waiting=_waiting(fleet),
        writes_running=loop.in_flight,
        throttled_seconds=loop.budget.throttled_seconds,
    )


class _Census:
    """What is counted node by node."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self.without_agent: list[str] = []
        self.gates_closed = 0


def _census(records: Iterable[NodeRecord], *, taint_key: str) -> _Census:
    """Count in one pass: this is done for thousands while writes wait."""
    census = _Census()
    for record in records:
        image, node, skip = record.image, record.node, record.skip
        if image is not None and image.agent is not None:
            version = image.agent.version
            census.versions[version] = census.versions.get(version, 0) + 1
        elif node is not None and _lacks_agent(node, image):
            census.without_agent.append(record.name)
        if skip is not None:
            census.skipped[skip.reason.value] = census.skipped.get(skip.reason.value, 0) + 1
        if node is not None and node.taints and taint_key:
            census.gates_closed += any(taint.key == taint_key for taint in node.taints)
    return census


def _job(job: JobRecord, desk: Desk) -> JobState:
    said = desk.said(job)
    return JobState(
        namespace=job.seen.namespace,
        name=job.seen.name,
        uid=job.seen.uid,
        generation=job.seen.generation,
        image=job.seen.job.image if job.seen.job is not None else "",
        course=job.course.value,
        conditions=_true_in(said),
        message=str(said.get("message", "")),
        nodes={group.value: job.tally.group(group) for group in Group},
        turns={stand.value.lower(): job.tally.count(stand) for stand in Stand},
        limit=limit_of(job.task, desired=job.tally.desired) if job.task is not None else 0,
        holding=job.tally.holding,
        eta_at=time_in(prewarm(said), "eta"),
        refresh_deadline_at=refresh_deadline(job),
        problems=job.seen.problems,
    )


def _lists(records: Iterable[ListRecord]) -> Iterator[ListState]:
    for record in records:
        seen = record.seen
        if seen is not None:
            yield ListState(
                namespace=seen.namespace,
                name=seen.name,
                uid=seen.uid,
                generation=seen.generation,
                images=len(record.places),
                jobs=len(record.jobs),
                conditions=_true_in(seen.status.raw),
                pulling=len(record.holding),
                problems=seen.problems,
            )


def _true_in(status: Mapping[str, object]) -> dict[str, str]:
    """Return the reasons of the conditions that are True, by type."""
    return {str(one.get("type")): str(one.get("reason")) for one in conditions_in(status) if _is_true(one)}


def _is_true(condition: Mapping[str, object]) -> bool:
    return condition.get("type") in TYPES and condition.get("status") == "True"


def _place(state: JobState | ListState) -> tuple[str, str]:
    return state.namespace, state.name


def _lacks_agent(node: SeenNode, image: SeenNodeImage | None) -> bool:
    """Tell whether a node could have an agent and nothing of it shows; kruise-daemon shows by what it answers."""
    return not node.agentless and not node.leaving and (image is None or not image.statuses)


def _waiting(fleet: Fleet) -> dict[str, int]:
    """Count what may have to be written now; what it is, is decided when there is a token."""
    todo = fleet.todo
    return {
        "withdrawal": len(todo.suspects),
        "gate": len(todo.gates),
        "list": len(todo.lists),
        "status": len(todo.dirty) + len(todo.silent) + len(todo.ripe),
        "grant": sum(_grants(fleet.jobs[uid]) for uid in todo.hungry if uid in fleet.jobs),
        "upkeep": len(todo.upkeep),
        "read": len(todo.unread),
    }


def _grants(job: JobRecord) -> int:
    """Count the nodes of a job that could begin at once."""
    return min(job.tally.candidates, free_slots(job.task, job.tally)) if job.task is not None else 0
