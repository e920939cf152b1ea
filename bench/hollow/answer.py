"""
What a hollow node says next of the images that are wanted from it. Pure.

It answers as the real agent does: an end at once, a pull that lasts when it begins, and each minute while one runs. How
that is written is patch.py's.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from bench.hollow.pulls import Pulls
from bench.hollow.seen import Entry, ImageKey, SeenNodeImage
from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason


# A pull that ends sooner is told once, at its end.
TOLD_AFTER: Final = timedelta(seconds=1)
ALIVE: Final = timedelta(seconds=60)

Statuses = dict[ImageKey, TagStatus]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a node's status: the tags, which maps above them are there, and when it was written by us."""

    statuses: Statuses = {}
    has_status: bool = False
    has_images: bool = False
    has_agent: bool = False
    at: datetime | None = None


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A pull that has begun, and how it will end."""

    version: int
    began_at: datetime
    ends_at: datetime
    reason: str = ""
    message: str = ""


def said_of(seen: SeenNodeImage) -> Said:
    """Take what stands in the object for what has been said."""
    status = seen.status
    return Said(
        statuses=seen.statuses,
        has_status=status is not None,
        has_images=status is not None and status.image_statuses is not None,
        has_agent=status is not None and bool(status.prewarm),
    )


def begun(
    seen: SeenNodeImage, *, running: Mapping[ImageKey, Running], said: Said, pulls: Pulls, now: datetime
) -> dict[ImageKey, Running]:
    """Return the pulls that run: those that go on, and one for each entry whose version has no answer yet."""
    found: dict[ImageKey, Running] = {}
    for key, entry in seen.wanted.items():
        if entry.prewarm.suspended or _is_answered(entry, said.statuses.get(key)):
            continue
        current = running.get(key)
        if current is not None and current.version == entry.version:
            found[key] = current
        elif (pull := pulls(seen.metadata.name, key)) is not None:
            ends_at = now + timedelta(seconds=pull.seconds)
            found[key] = Running(
                version=entry.version, began_at=now, ends_at=ends_at, reason=pull.reason, message=pull.message
            )
    return found


def statuses_of(seen: SeenNodeImage, *, running: Mapping[ImageKey, Running], said: Said, now: datetime) -> Statuses:
    """Return what a node says now of all that is wanted from it; of what is withdrawn it says nothing more."""
    found: Statuses = {}
    for key, entry in seen.wanted.items():
        earlier = said.statuses.get(key)
        pull = running.get(key)
        if pull is not None:
            status = _of_pull(key, pull, earlier=earlier, now=now)
        elif entry.prewarm.suspended and not _is_answered(entry, earlier):
            status = _suspended(entry, earlier=earlier)
        else:
            status = earlier
        if status is not None:
            found[key] = status
    return found


def is_news(statuses: Statuses, *, running: Mapping[ImageKey, Running], said: Said, now: datetime) -> bool:
    """Tell whether it is to be written: something is another, or a pull runs and nothing was said for a minute."""
    is_alive_due = bool(running) and said.at is not None and said.at + ALIVE <= now
    return is_alive_due or statuses != said.statuses


def next_at(running: Mapping[ImageKey, Running], *, said: Said, now: datetime) -> datetime | None:
    """Return when the node has something to say by time alone; None: not before its NodeImage changes."""
    ends = [pull.ends_at for pull in running.values() if pull.ends_at > now]
    if not ends:
        return None
    return min(*ends, (said.at or now) + ALIVE)


def _is_answered(entry: Entry, status: TagStatus | None) -> bool:
    return status is not None and status.version == entry.version and status.phase in {Phase.SUCCEEDED, Phase.FAILED}


def _of_pull(key: ImageKey, pull: Running, *, earlier: TagStatus | None, now: datetime) -> TagStatus | None:
    if pull.ends_at <= now:
        return _ended(key, pull, earlier=earlier)
    if pull.ends_at - pull.began_at <= TOLD_AFTER:
        return earlier
    return TagStatus(
        tag=key.tag,
        phase=Phase.PULLING,
        version=pull.version,
        start_time=_whole(pull.began_at),
        image_id=earlier.image_id if earlier else "",
        attempt=1,
    )


def _ended(key: ImageKey, pull: Running, *, earlier: TagStatus | None) -> TagStatus:
    digest = _digest(key)
    if pull.reason:
        return TagStatus(
            tag=key.tag,
            phase=Phase.FAILED,
            version=pull.version,
            start_time=_whole(pull.began_at),
            completion_time=_whole(pull.ends_at),
            image_id=earlier.image_id if earlier else "",
            message=pull.message,
            reason=pull.reason,
            attempt=1,
        )
    return TagStatus(
        tag=key.tag,
        phase=Phase.SUCCEEDED,
        version=pull.version,
        progress=100,
        start_time=_whole(pull.began_at),
        completion_time=_whole(pull.ends_at),
        image_id=digest,
        attempt=1,
        digest=digest,
        changed=earlier is None or earlier.digest != digest,
    )


def _suspended(entry: Entry, *, earlier: TagStatus | None) -> TagStatus:
    return TagStatus(
        tag=entry.tag,
        phase=Phase.WAITING,
        version=entry.version,
        image_id=earlier.image_id if earlier else "",
        message="suspended by every job that wants it",
        reason=Reason.SUSPENDED,
    )


def _digest(key: ImageKey) -> str:
    """Return the same for an image on every node."""
    return f"sha256:{hashlib.sha256(f'{key.repository}:{key.tag}'.encode()).hexdigest()}"


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)
