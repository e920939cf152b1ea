"""
Which jobs own an entry of a node: those that keep it, and those that are granted now.

What the entry becomes by them is entry.py's, what its repository's settings become repository_settings.py's.
"""

from daemon.api.nodeimage import Phase
from daemon.coordinator.entry import ENDS, Claim, owner_phase
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.records import Course, JobRecord, NodeRecord
from daemon.coordinator.seen import ImageKey
from daemon.coordinator.standing import Standing
from daemon.coordinator.verdicts import LATE_WORDS


def claims_of(fleet: Fleet, record: NodeRecord, *, key: ImageKey, grants: frozenset[str]) -> list[Claim]:
    """Return the jobs that shall own an entry: those that keep it, and those that are granted."""
    entry = record.image.entries.get(key) if record.image is not None else None
    owners = {owner.uid for owner in entry.owner_references} if entry is not None else set()
    claims = []
    for uid in owners | grants:
        job = fleet.jobs.get(uid)
        if job is None or job.seen.job is None or job.seen.key != key:
            continue
        if uid in grants:
            claims.append(Claim(job=job.seen.job, is_granted=True, round=record.standings[uid].round))
        elif _stays(fleet, job, record, key=key):
            ended = _ended_as(record.standings.get(uid), version=entry.version if entry is not None else 0)
            claims.append(Claim(job=job.seen.job, is_granted=False, ended=ended))
    return claims


def _ended_as(standing: Standing | None, *, version: int) -> Phase | None:
    """Return how a job's turn at a version had ended, whatever the node says of that version since."""
    return standing.ended_as if standing is not None and standing.ended_version == version else None


def _stays(fleet: Fleet, job: JobRecord, record: NodeRecord, *, key: ImageKey) -> bool:
    """Tell whether a job keeps its place among an entry's owners without a grant."""
    if job.course is Course.ACTIVE:
        # Before its Pods are listed nobody knows which nodes it selects.
        return job.uid in record.standings or not fleet.pods.is_listed(job)
    if job.course is Course.AGAIN:
        return True
    if job.course is not Course.FINISHED or record.image is None:
        return False
    # What a deadline ended is not brought any more; else a node that was left out may come back, or be kept warm.
    if job.seen.status.raw.get("message") != LATE_WORDS:
        return True
    return owner_phase(record.image.entries[key], uid=job.uid, status=record.image.statuses.get(key)) in ENDS
