"""
Which nodes a job leaves out for now, and when that may change by time alone.

Pure. A skipped node takes no slot and never makes a job Failed: OpenKruise lets each dead node hold one for ten
minutes. An agent of ours is measured by what it reports, on our own clock; whatever else answers (kruise-daemon reports
within seconds of a grant and not again before an end) by OpenKruise's times. The node's next report brings it back.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from daemon.api.nodeimage import Phase, TagEntry
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.coordinator.seen import ImageKey, SeenNode, SeenNodeImage


NO_RESPONSE: Final = "node has not responded for a long time"
"""What OpenKruise's manager writes in a silent node's place; its CRDs keep no reason beside it."""

NO_AGENT_SECONDS: Final = 60
AGENT_SILENT_SECONDS: Final = 180
# OpenKruise's responseTimeout, for a node without an agent of ours.
DAEMON_SILENT_SECONDS: Final = 600
# What OpenKruise's daemon waits between two attempts, at most.
_DAEMON_BACKOFF_SECONDS: Final = 30
_LONGEST_SECONDS: Final = 366 * 86_400
_OPEN: Final = (Phase.WAITING, Phase.PULLING)


class Skip(msgspec.Struct, frozen=True):
    """Why a node is left out, with words for a person that stay the same while it is."""

    reason: Reason
    message: str = ""


class Heard(msgspec.Struct, frozen=True):
    """
    The last sign of life of a node.

    Attributes:
        reported_at: what it was: the agent's reportedAt, or a fingerprint of the statuses where no agent says one.
        seconds: when it was first seen, or when a task was first open after none was; on Moment's clock.
        is_open: there was a task to report of.
    """

    reported_at: str = ""
    seconds: float = 0.0
    is_open: bool = False


_NOT_READY: Final = Skip(Reason.NODE_NOT_READY, "the node is not Ready")
_NO_AGENT: Final = Skip(
    Reason.NO_AGENT, "nothing on the node has answered for a minute: does an agent's Pod run there?"
)
_SILENT: Final = Skip(Reason.AGENT_SILENT, "the node's agent has reported nothing for 3 minutes with a task open")
_DAEMON_SILENT: Final = Skip(Reason.AGENT_SILENT, NO_RESPONSE)


def heard_of(before: Heard | None, image: SeenNodeImage, *, now: Moment) -> Heard:
    """
    Return the last sign of life, with this NodeImage taken into account.

    An agent without tasks has nothing to report, so its silence begins with the first task that is open.
    """
    sign, is_open = _sign_of(image), next(_open_keys(image), None) is not None
    if before is None:
        # An entry's createdAt tells how long a foreign daemon has been silent; nothing tells it of an agent.
        earlier = DAEMON_SILENT_SECONDS if image.agent is None else 0
        return Heard(sign, now.seconds - earlier, is_open)
    if sign != before.reported_at or (is_open and not before.is_open):
        return Heard(sign, now.seconds, is_open)
    return before if is_open == before.is_open else Heard(sign, before.seconds, is_open)


def skip_of(node: SeenNode | None, image: SeenNodeImage | None, *, heard: Heard | None, now: Moment) -> Skip | None:
    """
    Return why a node is left out, None where it is not.

    Args:
        node: None for a NodeImage without a Node (OpenKruise's fake ones), which is never leaving or not ready.
        image: None before there is one.
        heard: what `heard_of` made of the NodeImages seen so far.
        now: this instant.
    """
    told = _told_by(node)
    if told is not None or image is None:
        return told
    if _is_said(image) or silent_keys(image, heard=heard, now=now):
        return _DAEMON_SILENT if image.agent is None else _SILENT
    is_unanswered = any(at <= now.at for at in _unanswered(image))
    return _NO_AGENT if is_unanswered else None


def next_look(
    node: SeenNode | None, image: SeenNodeImage | None, *, heard: Heard | None, now: Moment
) -> datetime | None:
    """Return when time alone may next change `skip_of` or `silent_keys`; None where only events do."""
    if image is None or _told_by(node) is not None:
        return None
    times = [at for at in _unanswered(image) if at > now.at]
    wait_seconds = _wait_seconds(image, heard=heard, now=now)
    if wait_seconds < math.inf:
        heard_until = _after(now.at, wait_seconds)
        times += [max(at, heard_until) for _key, at in _falling_silent(image, now=now)]
    return min((at for at in times if at > now.at), default=None)


def silent_keys(image: SeenNodeImage, *, heard: Heard | None, now: Moment) -> tuple[ImageKey, ...]:
    """
    Return the open tasks of a silent node, for which the coordinator writes Failed with AgentSilent.

    Those of which that is said already are open no more. Of a node that is NodeNotReady or NodeLeaving nothing is to be
    said: `skip_of` has those first.
    """
    if _wait_seconds(image, heard=heard, now=now) > 0:
        return ()
    return tuple(key for key, at in _falling_silent(image, now=now) if at <= now.at)


def _told_by(node: SeenNode | None) -> Skip | None:
    """Return what the Node itself says against it."""
    if node is None:
        return None
    if node.leaving:
        is_deleted = node.leaving == "deletionTimestamp"
        why = "the node is being deleted" if is_deleted else f"the node has the taint {node.leaving}"
        return Skip(Reason.NODE_LEAVING, why)
    if node.agentless:
        return Skip(Reason.NO_AGENT, f"no agent can run on {node.agentless}")
    return None if node.is_ready else _NOT_READY


def _is_said(image: SeenNodeImage) -> bool:
    """Tell whether an earlier look, maybe another coordinator's, found the node silent, and nothing came since."""
    return any(status.reason == Reason.AGENT_SILENT for status in image.statuses.values())


def _open_keys(image: SeenNodeImage) -> Iterator[ImageKey]:
    """Yield what the node should be at work on: granted, not suspended, not ended."""
    for key, entry in image.entries.items():
        answer = image.answer(key)
        if not entry.prewarm.suspended and (answer is None or answer.phase in _OPEN):
            yield key


def _wait_seconds(image: SeenNodeImage, *, heard: Heard | None, now: Moment) -> float:
    """Return how long the node may still say nothing, by the last sign of life."""
    if heard is None or not heard.is_open:
        return math.inf
    limit = DAEMON_SILENT_SECONDS if image.agent is None else AGENT_SILENT_SECONDS
    return limit - (now.seconds - heard.seconds)


def _falling_silent(image: SeenNodeImage, *, now: Moment) -> Iterator[tuple[ImageKey, datetime]]:
    """Yield the open tasks, and from when on silence about each counts."""
    for key in _open_keys(image):
        at = now.at if image.agent is not None else _daemon_limit(image, key)
        if at is not None:
            yield key, at


def _daemon_limit(image: SeenNodeImage, key: ImageKey) -> datetime | None:
    """Return by when a foreign daemon must have ended a task, or have answered it; None where NoAgent says it first."""
    entry = image.entries[key]
    if entry.created_at is None:
        return None
    if image.answer(key) is not None:
        return _after(entry.created_at, _longest_pull_seconds(entry) + DAEMON_SILENT_SECONDS)
    return _after(entry.created_at, DAEMON_SILENT_SECONDS) if _reported_since(image, entry.created_at) else None


def _longest_pull_seconds(entry: TagEntry) -> int:
    policy = entry.pull_policy
    if policy.active_deadline_seconds is not None:
        return policy.active_deadline_seconds
    return (policy.backoff_limit + 1) * (policy.timeout_seconds + _DAEMON_BACKOFF_SECONDS)


def _unanswered(image: SeenNodeImage) -> Iterator[datetime]:
    """Yield from when on an entry without any report since it was made says that there is no agent."""
    if image.agent is not None:
        return
    for key, entry in image.entries.items():
        at = entry.created_at
        if at is not None and image.answer(key) is None and not _reported_since(image, at):
            yield _after(at, NO_AGENT_SECONDS)


def _reported_since(image: SeenNodeImage, at: datetime) -> bool:
    """Tell whether the node has begun or ended anything since; what a coordinator said of it is no report."""
    return any(
        time is not None and time >= at
        for status in image.statuses.values()
        if status.reason != Reason.AGENT_SILENT
        for time in (status.start_time, status.completion_time)
    )


def _sign_of(image: SeenNodeImage) -> str:
    if image.agent is not None:
        return image.agent.reported_at
    said = [item for item in image.statuses.items() if item[1].reason != Reason.AGENT_SILENT]
    return f"{hash(frozenset(said)):x}"


def _after(at: datetime, seconds: float) -> datetime:
    """Return the instant after so long, rounded up: a look that came too early would be the last one."""
    try:
        return at + timedelta(milliseconds=math.ceil(min(seconds, _LONGEST_SECONDS) * 1000))
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
