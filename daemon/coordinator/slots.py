"""
Which grants a job may have now: by its own parallelism, by its list's, and by what it has to wait for.

Pure but for what it notes in the fleet. Which node of a job goes first is plan.py's, on how many nodes a list pulls at
once lists/book.py's.
"""

from typing import Final

from daemon.coordinator.fleet import Fleet
from daemon.coordinator.plan import free_slots, may_join
from daemon.coordinator.records import JobRecord


LIST: Final = "list"
"""Held back until its list is complete: one write of a NodeImage then grants all its images."""
SECRETS: Final = "secrets"
"""Held back until it is known which secrets a pull may use."""


def hold_back(fleet: Fleet, uid: str, *, why: str) -> None:
    """Give a job no grant until it is let go for each reason that it is held back for."""
    fleet.held_back.setdefault(uid, set()).add(why)


def let_go(fleet: Fleet, uid: str, *, why: str) -> None:
    """Let a job have grants, unless it is held back for another reason."""
    reasons = fleet.held_back.get(uid, set())
    reasons.discard(why)
    if not reasons and fleet.held_back.pop(uid, None) is not None:
        fleet.todo.hungry.add(uid)


def slots(fleet: Fleet, job: JobRecord) -> int:
    """Return how many more nodes a job may be granted now, whatever its list says."""
    if job.task is None or job.uid in fleet.held_back:
        return 0
    return free_slots(job.task, job.tally)


def may_grant(fleet: Fleet, job: JobRecord, name: str) -> bool:
    """Tell whether a job may have a grant on a node, by its slots and its list's."""
    list_key = job.seen.list_key
    return slots(fleet, job) > 0 and fleet.lists.may_hold(list_key, node=name, desired=job.tally.desired)


def may_go_along(fleet: Fleet, job: JobRecord, name: str) -> bool:
    """Tell whether a candidate may have a grant in a write that another job began, without jumping the queue."""
    if not may_grant(fleet, job, name):
        return False
    # Where a list pulls on no more nodes, it is the turn of any that it pulls on.
    is_full = fleet.lists.is_full(job.seen.list_key, desired=job.tally.desired)
    return is_full or may_join(job.tally, name=name, free=slots(fleet, job))


def turn(fleet: Fleet, job: JobRecord) -> str | None:
    """Return the candidate whose turn it is; where the job's list pulls on no more nodes, one of those."""
    name, list_key = job.tally.first(), job.seen.list_key
    if name is None or fleet.lists.may_hold(list_key, node=name, desired=job.tally.desired):
        return name
    return next((each for each in fleet.lists.holding(list_key) if job.tally.is_in_row(each)), None)
