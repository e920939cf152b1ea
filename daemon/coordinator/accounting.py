"""
A job's account at one moment: its tally, and what that does not know.

Pure. That is which nodes take no write, which are open at a deadline, when the next refresh begins, and whether the
running one has nodes to come. What a status makes of it is jobstatus.py's.
"""

from datetime import datetime

import msgspec

from daemon.api.imagepulljob import Refresh
from daemon.api.schedule import find_time_zone, next_fire
from daemon.api.times import later
from daemon.coordinator.account import Account
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.plan import limit_of
from daemon.coordinator.records import JobRecord
from daemon.coordinator.standing import ENDED


def account_of(fleet: Fleet, job: JobRecord, *, names_open: bool, now: datetime) -> Account:
    """Count where a job's nodes stand; which are open is only named where a deadline asks for it."""
    if job.task is None:
        return Account(last_refresh=job.last_refresh)
    refused = [
        name for name in fleet.refused if name in job.names and fleet.nodes[name].standings[job.uid].stand not in ENDED
    ]
    account = job.tally.account(
        limit=limit_of(job.task, desired=job.tally.desired),
        refused=refused,
        last_refresh=job.last_refresh,
        next_refresh=_next_refresh(job, now=now),
        open_nodes=_open_nodes(fleet, job) if names_open else (),
        renewing=_renewing(job),
    )
    return _with_secrets(fleet, job, account)


def _with_secrets(fleet: Fleet, job: JobRecord, account: Account) -> Account:
    """Add how it stands with a job's pull secrets, where it names some."""
    if job.uid not in fleet.secrets:
        return account
    trouble = fleet.secret_troubles.get(job.uid)
    names = job.seen.job is not None and bool(job.seen.job.template.pull_secrets)
    return msgspec.structs.replace(account, secret_trouble=trouble, has_secrets=names and trouble is None)


def _renewing(job: JobRecord) -> int:
    """Count the nodes that a running refresh has still to end on; those whose place in its spread is to come as one."""
    if not job.is_refreshing or job.last_refresh is None or job.task is None:
        return 0
    refresh = job.task.job.template.prewarm.refresh or Refresh()
    if not refresh.spread_seconds:
        return job.tally.open
    return job.tally.open + job.tally.has_renewal_until(later(job.last_refresh, seconds=refresh.spread_seconds))


def _open_nodes(fleet: Fleet, job: JobRecord) -> list[str]:
    standings = ((name, fleet.nodes[name].standings[job.uid]) for name in job.names)
    return [name for name, standing in standings if standing.skip is None and standing.stand not in ENDED]


def _next_refresh(job: JobRecord, *, now: datetime) -> datetime | None:
    """Return when the job's next renewal begins: the schedule's next fire, else the first node's turn."""
    if job.task is None or not job.task.is_never:
        return None
    refresh = job.task.job.template.prewarm.refresh or Refresh()
    if refresh.schedule is None:
        return job.tally.next_renewal()
    return next_fire(refresh.schedule, zone=find_time_zone(refresh.time_zone), after=now)
