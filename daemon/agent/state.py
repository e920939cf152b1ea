"""
What /state answers: everything the node's loop knows, as JSON for a person with curl and jq.

A Pod of ours has no shell, so this is how one looks inside. It has pull secrets by name only, and neither sandbox
labels nor annotations, which are a job's own words. Fields are only ever added to; docs/agent.md explains them.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from daemon.agent.measures import images_by_state, state_of
from daemon.api.times import format_time
from daemon.clock import Moment
from daemon.node.plan import running_count
from daemon.node.report import percent_of
from daemon.node.task import NodeState, Task
from daemon.node.wanted import WantedImage
from daemon.observe.metrics import Space


Fields = dict[str, object]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the node's state does not know: who runs, where, with which settings, and how the API server and the disk are.

    `space` is None where it cannot be measured.
    """

    node: str
    version: str
    started_at: datetime
    runtime_endpoint: str = ""
    is_synced: bool = False
    last_contact_at: datetime | None = None
    api_problem: str = ""
    other_daemon: str = ""
    space: Space | None = None
    settings: Mapping[str, object] = {}


def state_json(state: NodeState, *, about: About, now: Moment) -> bytes:
    """Write a node's state; durations and distances are in seconds, absent values null."""
    answer = {
        "time": format_time(now.at),
        "agent": {"version": about.version, "started_at": format_time(about.started_at), "node": about.node},
        "settings": about.settings,
        "api": {
            "synced": about.is_synced,
            "last_contact_at": _time(about.last_contact_at),
            "problem": about.api_problem,
            "other_daemon": about.other_daemon,
        },
        "runtime": {
            "endpoint": about.runtime_endpoint,
            "version": state.runtime,
            "up": state.is_runtime_up,
            "problem": state.runtime_problem,
        },
        "space": about.space,
        "node_image": {"known": state.is_wanted_known, "uid": state.uid, "generation": state.generation},
        "counts": {**images_by_state(state), "attempts_running": running_count(state)},
        "registries_paused": _pauses(state, now=now),
        "leaving": [
            {"repository": key.repository, "tag": key.tag, "image": leaving.image, "ending": leaving.serial is not None}
            for key, leaving in state.leaving.items()
        ],
        "images": [_image(task, now=now) for task in state.tasks.values()],
    }
    return msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n"


def _pauses(state: NodeState, *, now: Moment) -> list[Fields]:
    """List the registries that answered 429 and have not served since; in 0 seconds the next pull tries."""
    return [
        {"registry": name, "seconds_left": _left(throttle.until_seconds, now=now), "pauses": throttle.pauses}
        for name, throttle in state.throttles.items()
    ]


def _image(task: Task, *, now: Moment) -> Fields:
    return {
        "repository": task.wanted.key.repository,
        "tag": task.wanted.key.tag,
        "image": task.wanted.image,
        "version": task.wanted.version,
        "state": state_of(task),
        "phase": task.phase,
        "reason": task.reason or "",
        "message": task.message,
        "attempt": task.attempt,
        "attempts_allowed": task.attempts_allowed,
        "image_id": task.image_id,
        "digest": task.digest,
        "changed": task.is_changed,
        "started_at": _time(task.started_at),
        "completed_at": _time(task.completed_at),
        "next_attempt_in_seconds": _left(task.not_before_seconds, now=now),
        "seen_seconds_ago": _ago(task.seen_seconds, now=now),
        "evictions": [_ago(at, now=now) for at in task.evicted_seconds],
        "running": _running(task, now=now),
        "progress": _progress(task),
        "wanted": _wanted(task.wanted),
        "inside": _inside(task, now=now),
    }


def _running(task: Task, *, now: Moment) -> Fields | None:
    """Describe the attempt under way, None where there is none."""
    running = task.running
    if running is None:
        return None
    return {
        "seconds": _ago(running.since_seconds, now=now),
        "cancelled_for": running.cause or "",
        "outdated": running.is_outdated,
        "missing_bytes": running.missing_bytes,
        "worker": running.serial,
    }


def _progress(task: Task) -> Fields | None:
    """Describe how far the pull is, None where nobody can tell."""
    progress = task.progress
    if progress is None:
        return None
    return {
        "stage": progress.stage,
        "percent": percent_of(task) if progress.bytes_total else None,
        "bytes_done": progress.bytes_done,
        "bytes_total": progress.bytes_total,
        "bytes_per_second": progress.bytes_per_second,
        "eta_seconds": progress.eta_seconds,
        "layers_unpacked": progress.layers_unpacked,
        "layers_total": progress.layers_total,
        "digest": progress.digest,
    }


def _wanted(wanted: WantedImage) -> Fields:
    """Describe what the entry asks for; a secret is a name here, and nothing else."""
    return {
        "problem": wanted.problem,
        "image_pull_policy": wanted.image_pull_policy,
        "timeout_seconds": wanted.timeout_seconds,
        "backoff_limit": wanted.backoff_limit,
        "active_deadline_seconds": wanted.active_deadline_seconds,
        "priority": wanted.priority,
        "min_free": wanted.min_free,
        "suspended": wanted.is_suspended,
        "created_at": _time(wanted.created_at),
        "owners": [
            {"kind": owner.kind, "namespace": owner.namespace, "name": owner.name, "uid": owner.uid}
            for owner in wanted.owners
        ],
        "pull_secrets": [f"{secret.namespace}/{secret.name}" for secret in wanted.pull_secrets],
    }


def _inside(task: Task, *, now: Moment) -> Fields:
    """Add what only someone who looks for a defect wants to know."""
    return {
        "adopted": task.is_adopted,
        "refill": task.is_refill,
        "fetched": task.is_fetched,
        "pull_due_again": task.is_pull_due_again,
        "spent_seconds": round(task.spent_seconds, 1),
        "interruptions": task.interruptions,
        "waiting_for_space_seconds": None if task.low_since_seconds is None else _ago(task.low_since_seconds, now=now),
        "needed_bytes": task.needed_bytes,
        "held": task.is_held,
        "held_digest": task.held_digest,
        "hold_stale": task.is_hold_stale,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else format_time(at)


def _left(at_seconds: float, *, now: Moment) -> float:
    return round(max(0.0, at_seconds - now.seconds), 1)


def _ago(at_seconds: float, *, now: Moment) -> float:
    return round(max(0.0, now.seconds - at_seconds), 1)
