"""
Whether a node's gate opens now, by what the fleet knows of the jobs that keep it closed.

Pure. When it opens, given those, is gate.py's; when it is looked at again, the fleet's.
"""

from datetime import datetime

from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening, opening_of
from daemon.coordinator.records import JobRecord, NodeRecord
from daemon.coordinator.standing import Group


def opening_now(fleet: Fleet, record: NodeRecord, *, now: datetime) -> Opening | None:
    """Return why a node's gate opens; None where it stays closed, or there is none."""
    if record.node is None:
        return None
    gating = [job for job in fleet.jobs.values() if job.is_gating]
    warm_by_job = {
        f"{job.seen.namespace}/{job.seen.name}": is_warm
        for job in gating
        if (is_warm := _is_warm(fleet, job, record)) is not None
    }
    return opening_of(
        record.node,
        taint_key=fleet.gate_taint,
        warm_by_job=warm_by_job,
        deadline_seconds=fleet.gate_deadline_seconds,
        now=now,
    )


def _is_warm(fleet: Fleet, job: JobRecord, record: NodeRecord) -> bool | None:
    """
    Tell whether a node has a gating job's image; None where the job does not select it.

    While its Pods are not listed, or it is about to begin again, it may select any node: the gate waits, though no
    longer than its deadline.
    """
    if job.task is None or not fleet.pods.is_listed(job):
        return False
    standing = record.standings.get(job.uid)
    return None if standing is None else standing.group is Group.WARM
