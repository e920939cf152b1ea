"""
One node's write: everything that its NodeImage should say now and does not, with every grant that can go along.

It decides at the moment of the write, from what is known then, and changes nothing but when an entry that nobody needs
is looked at again. What one entry becomes is entry.py's, how it is written nodepatch.py's, who may have a grant
plan.py's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from daemon.api.nodeimage import SandboxConfig, SecretReference, TagEntry
from daemon.api.times import later
from daemon.clock import Moment
from daemon.cluster.interface import Write
from daemon.cluster.writes import creation, json_patch
from daemon.coordinator.claiming import claims_of
from daemon.coordinator.entry import (
    Claim,
    is_expired,
    needs_resource_version,
    next_entry,
)
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.nodepatch import new_node_image, spec_patch
from daemon.coordinator.paths import Paths
from daemon.coordinator.plan import SOON_SECONDS
from daemon.coordinator.records import Course, NodeRecord
from daemon.coordinator.refreshes import may_come_early
from daemon.coordinator.repository_settings import sandboxes_of, secrets_of
from daemon.coordinator.seen import ImageKey
from daemon.coordinator.slots import may_go_along, may_grant
from daemon.coordinator.standing import Stand
from daemon.coordinator.upkeep import Upkeep
from daemon.coordinator.wakes import Wake, Why


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A write of one NodeImage, the jobs that get a grant by it, and what it tests: uid, generation, version or 0."""

    write: Write
    grants: frozenset[str]
    tested: tuple[str, int, int] = ("", 0, 0)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry becomes, None: it goes; and whether that was decided by the status too."""

    entry: TagEntry | None
    tests_status: bool


def draft(fleet: Fleet, record: NodeRecord, *, paths: Paths, now: Moment) -> Draft | None:
    """
    Write down what a node's NodeImage should say; None where it says so already, or can't be written.

    Args:
        fleet: what is known.
        record: the node; it has to be free.
        paths: where the NodeImages are.
        now: this moment.
    """
    upkeep = fleet.todo.upkeep.get(record.name)
    if upkeep is Upkeep.DELETE or (record.image is None and upkeep is not Upkeep.CREATE):
        return None
    if record.image is not None and record.image.is_deleting:
        return None
    grants = grants_of(fleet, record, now=now)
    changes = _changes(fleet, record, grants=grants, now=now)
    entries = {key: change.entry for key, change in changes.items()}
    sandboxes = sandboxes_of(fleet, record, entries=entries, grants=grants)
    secrets = secrets_of(fleet, record, entries=entries, grants=grants)
    if record.image is None:
        return _creation(record, entries=entries, sandboxes=sandboxes, secrets=secrets, grants=grants, paths=paths)
    labels = record.node.labels if upkeep is Upkeep.RELABEL and record.node is not None else None
    if not entries and not sandboxes and not secrets and labels is None:
        return None
    image, tests_status = record.image, any(change.tests_status for change in changes.values())
    operations = spec_patch(
        image,
        entries=entries,
        sandboxes=sandboxes,
        secrets=secrets,
        labels=labels,
        tests_resource_version=tests_status,
    )
    return Draft(
        write=json_patch(paths.node_image(record.name), operations),
        grants=grants,
        tested=(image.uid, image.generation, image.version if tests_status else 0),
    )


def grants_of(fleet: Fleet, record: NodeRecord, *, now: Moment) -> frozenset[str]:
    """Return every job that can grant this node now; with a renewal go those that fall due within a minute."""
    if record.skip is not None:
        return frozenset()
    grants = set()
    for uid, standing in record.standings.items():
        job = fleet.jobs[uid]
        if not standing.is_candidate or job.task is None:
            continue
        if may_go_along(fleet, job, record.name):
            grants.add(uid)
    if any(record.standings[uid].is_renewal for uid in grants):
        grants |= _soon(fleet, record, now=now)
    return frozenset(grants)


def _soon(fleet: Fleet, record: NodeRecord, *, now: Moment) -> set[str]:
    """Return the jobs whose renewal falls due soon, and counts as such already now."""
    limit = now.at + timedelta(seconds=SOON_SECONDS)
    return {
        uid
        for uid, standing in record.standings.items()
        if standing.stand is Stand.SUCCEEDED and (due_at := standing.due_at) is not None and due_at <= limit
        if (task := fleet.jobs[uid].task) is not None and may_grant(fleet, fleet.jobs[uid], record.name)
        if may_come_early(task.job, due_at=due_at, node=record.name, now=now.at)
    }


def _changes(fleet: Fleet, record: NodeRecord, *, grants: frozenset[str], now: Moment) -> dict[ImageKey, Change]:
    granted = {task.key for uid in grants if (task := fleet.jobs[uid].task) is not None}
    known = record.image.entries if record.image is not None else {}
    found = {}
    for key in granted | record.suspects:
        change = _change(fleet, record, key=key, grants=grants, now=now)
        if change.entry != known.get(key):
            found[key] = change
    return found


def _change(fleet: Fleet, record: NodeRecord, *, key: ImageKey, grants: frozenset[str], now: Moment) -> Change:
    """Decide what an entry becomes."""
    image = record.image
    current = image.entries.get(key) if image is not None else None
    status = image.statuses.get(key) if image is not None else None
    claims = claims_of(fleet, record, key=key, grants=grants)
    if current is not None and not any(_is_active(fleet, claim) for claim in claims):
        if is_expired(current, status=status, now=now.at):
            return Change(entry=None, tests_status=False)
        _note_end(fleet, record, key=key, entry=current)
    entry = next_entry(
        current,
        status=status,
        claims=claims,
        generation=image.generation if image is not None else 0,
        now=_granted_at(fleet, claims, now=now.at),
        node=record.name,
    )
    if current is not None and entry is not None and _can_wait(record, claims, current=current, entry=entry):
        entry = current
    tests_status = needs_resource_version(current, status=status, claims=claims)
    return Change(entry=entry, tests_status=tests_status)


def _granted_at(fleet: Fleet, claims: Sequence[Claim], *, now: datetime) -> datetime:
    """Return the time of a grant: never before the run or edit that it is for, which may be a second ahead."""
    tasks = [fleet.jobs[claim.job.uid].task for claim in claims if claim.is_granted]
    times = [at for task in tasks if task is not None for at in (task.rerun_at, task.edited_at) if at is not None]
    return max([now, *times])


def _is_active(fleet: Fleet, claim: Claim) -> bool:
    return fleet.jobs[claim.job.uid].course is not Course.FINISHED


def _note_end(fleet: Fleet, record: NodeRecord, *, key: ImageKey, entry: TagEntry) -> None:
    """Have an entry that nobody needs looked at again when it has lived long enough."""
    status = record.image.answer(key) if record.image is not None else None
    ttl_seconds = entry.pull_policy.ttl_seconds_after_finished
    if status is not None and status.completion_time is not None and ttl_seconds is not None:
        ends = later(status.completion_time, seconds=ttl_seconds)
        fleet.wakes.add(ends, Wake(Why.ENTRY, record.name, key))


def _can_wait(record: NodeRecord, claims: Sequence[Claim], *, current: TagEntry, entry: TagEntry) -> bool:
    """
    Tell whether new settings go with a grant that is coming anyway.

    An edit gives a failed node another turn, which it is owed only as long as the entry shows the old settings.
    """
    is_same = current.owner_references == entry.owner_references
    if any(claim.is_granted for claim in claims) or not is_same or current.prewarm.suspended != entry.prewarm.suspended:
        return False
    standings = [record.standings.get(claim.job.uid) for claim in claims]
    return any(standing is not None and standing.is_candidate for standing in standings)


def _creation(
    record: NodeRecord,
    *,
    entries: dict[ImageKey, TagEntry | None],
    sandboxes: dict[str, SandboxConfig],
    secrets: dict[str, tuple[SecretReference, ...]],
    grants: frozenset[str],
    paths: Paths,
) -> Draft | None:
    if record.node is None:
        return None
    there = {key: entry for key, entry in entries.items() if entry is not None}
    version = paths.api_version
    body = new_node_image(record.node, api_version=version, entries=there, sandboxes=sandboxes, secrets=secrets)
    return Draft(write=creation(paths.node_images, body), grants=grants)
