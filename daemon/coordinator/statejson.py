"""
What /state answers: who leads, and what the leader knows, as JSON for a person with curl and jq.

A Pod of ours has no shell, so this is how one looks inside. One that stands by knows nothing of the cluster, and says
so by null. Fields are only ever added to; docs/coordinator.md explains them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from daemon.api.times import format_time
from daemon.beside.verdict import Finding
from daemon.clock import Moment
from daemon.coordinator.conditions import TYPES
from daemon.coordinator.snapshot import CoordinatorState, JobState, ListState


Fields = dict[str, object]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop does not know: who runs, who leads, and how the API server is."""

    identity: str
    version: str
    started_at: datetime
    leader: str = ""
    leading_since: datetime | None = None
    last_contact_at: datetime | None = None
    api_problem: str = ""
    beside: Finding | None = None
    settings: Mapping[str, object] = {}


def state_json(state: CoordinatorState | None, *, about: About, now: Moment) -> bytes:
    """Write a coordinator's state; durations are in seconds, absent values null."""
    answer = {
        "time": format_time(now.at),
        "coordinator": {
            "version": about.version,
            "identity": about.identity,
            "started_at": format_time(about.started_at),
        },
        "settings": about.settings,
        "leader": {
            "identity": about.leader,
            "is_self": about.leading_since is not None,
            "since": _time(about.leading_since),
        },
        "api": {
            "synced": state is not None and state.is_synced,
            "last_contact_at": _time(about.last_contact_at),
            "problem": about.api_problem,
        },
        "beside": None if about.beside is None else _beside(about.beside),
        "cluster": None if state is None else _cluster(state),
        "writes": None if state is None else _writes(state),
        "jobs": None if state is None else [msgspec.structs.asdict(job) for job in state.jobs],
        "lists": None if state is None else [msgspec.structs.asdict(one) for one in state.lists],
    }
    return msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n"


def by_condition(states: Sequence[JobState | ListState]) -> dict[str, int]:
    """Count the jobs or lists of which a condition is True; each condition is there, also with none."""
    return {kind: sum(kind in one.conditions for one in states) for kind in TYPES}


def _beside(finding: Finding) -> Fields:
    return {
        "row": finding.row,
        "stands_aside": finding.stands_aside,
        "summary": finding.summary,
        "ways": [str(way) for way in finding.ways],
    }


def _cluster(state: CoordinatorState) -> Fields:
    return {
        "counted_at": _time(state.at),
        "nodes": state.nodes,
        "jobs": len(state.jobs),
        "jobs_by_condition": by_condition(state.jobs),
        "lists": len(state.lists),
        "lists_by_condition": by_condition(state.lists),
        "agents_by_version": state.agents_by_version,
        "nodes_without_agent": {"count": state.without_agent, "first": state.without_agent_named},
        "nodes_refused": {"count": state.refused, "first": state.refused_named},
        "nodes_skipped": state.skipped,
        "gates_closed": state.gates_closed,
    }


def _writes(state: CoordinatorState) -> Fields:
    return {
        "waiting": state.writes_waiting,
        "running": state.writes_running,
        "throttled_seconds": round(state.throttled_seconds, 1),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else format_time(at)
