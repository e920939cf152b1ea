"""
What is asked of the API server next: the most urgent of everything that the fleet has to say.

Called when there is a token and a sender for it, and only then decided. One request is on its way for a node and for a
job at a time, and whoever has to wait for that is offered again when it is over.
"""

from datetime import datetime
from typing import Final

from daemon.clock import Moment
from daemon.cluster.writes import deletion, json_patch
from daemon.coordinator.desk import Desk
from daemon.coordinator.drafting import Draft, draft
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening, open_patch
from daemon.coordinator.gating import opening_now
from daemon.coordinator.nodepatch import silent_status_patch
from daemon.coordinator.passing import Passing
from daemon.coordinator.paths import Paths
from daemon.coordinator.paths import node as node_path
from daemon.coordinator.records import JobRecord, NodeRecord
from daemon.coordinator.refreshes import begins
from daemon.coordinator.requests import About, Request, Urgency
from daemon.coordinator.slots import slots, turn
from daemon.coordinator.standing import Stand
from daemon.coordinator.upkeep import Upkeep


NEW_SECONDS: Final = 1.0
"""How long a new node waits for a job that keeps it closed: what watches tell of two kinds comes in no order."""


class Agenda:
    """
    The order of what is written.

    `openings` are the gates that are being opened, by node.
    """

    def __init__(self, fleet: Fleet, *, desk: Desk, paths: Paths) -> None:
        self.openings: dict[str, Opening] = {}
        self._fleet = fleet
        self._passing = Passing(fleet)
        self._desk = desk
        self._paths = paths

    def has_work(self) -> bool:
        """Tell whether anything may have to be written now."""
        return self._fleet.todo.has_writes or self._desk.has_work()

    def next(self, now: Moment) -> Request | None:
        """Return the most urgent write; None where there is nothing to write."""
        return self.urgent(now) or self.pressing(now) or self._upkeep(now)

    def urgent(self, now: Moment) -> Request | None:
        """Return the most urgent write of those that nothing goes before: withdrawals and gates."""
        return self._withdrawal(now) or self._gate(now)

    def pressing(self, now: Moment) -> Request | None:
        """Return the most urgent write of those that somebody waits for: statuses and grants."""
        return self._desk.next(now) or self._silence(now) or self._farewell() or self._grant(now)

    def read(self, now: Moment) -> Request | None:
        """Return a read of a NodeImage whose state is not known; it needs no token."""
        for name in self._fleet.todo.unread:
            record = self._fleet.nodes[name]
            if not record.is_busy and record.read_after <= now.seconds:
                return self.reread(record)
        return None

    def next_read_seconds(self) -> float | None:
        """Return when a read that was put off is due, in seconds of the clock; one that can go now counts too."""
        records = (self._fleet.nodes[name] for name in self._fleet.todo.unread)
        return min((record.read_after for record in records if not record.is_busy), default=None)

    def reread(self, record: NodeRecord) -> Request:
        """Return the read of a NodeImage."""
        record.is_busy = True
        path = self._paths.node_image(record.name)
        return Request(urgency=Urgency.READ, about=About.NODE_IMAGE, subject=record.name, path=path)

    def _withdrawal(self, now: Moment) -> Request | None:
        while self._fleet.todo.suspects:
            record = self._fleet.nodes.get(self._fleet.todo.suspects.pop())
            if record is None or not record.is_free(now.seconds) or not record.suspects:
                continue
            found = draft(self._fleet, record, paths=self._paths, now=now)
            record.suspects.clear()
            if found is not None:
                return self._spec(record, found, urgency=Urgency.WITHDRAWAL, now=now)
        return None

    def _gate(self, now: Moment) -> Request | None:
        while self._fleet.todo.gates:
            record = self._fleet.nodes.get(self._fleet.todo.gates.pop())
            if record is None or record.node is None or not record.is_free(now.seconds):
                continue
            opening = opening_now(self._fleet, record, now=now.at)
            if opening is not None and opening.reason == "no-jobs" and now.seconds < record.since_seconds + NEW_SECONDS:
                self._passing.wake_gate(record, seconds=NEW_SECONDS, now=now)
            elif opening is not None:
                self.openings[record.name] = opening
                record.is_busy = True
                path = node_path(record.name)
                write = json_patch(path, open_patch(record.node, taint_key=self._fleet.gate_taint))
                return Request(urgency=Urgency.GATE, about=About.NODE, subject=record.name, path=path, write=write)
        return None

    def _silence(self, now: Moment) -> Request | None:
        while self._fleet.todo.silent:
            record = self._fleet.nodes.get(self._fleet.todo.silent.pop())
            if record is None or record.image is None or not record.is_free(now.seconds):
                continue
            keys = record.silent_keys(now)
            if keys:
                record.is_busy = True
                path = self._paths.node_image(record.name)
                write = json_patch(f"{path}/status", silent_status_patch(record.image, keys=keys, now=now.at))
                return Request(
                    urgency=Urgency.STATUS, about=About.NODE_IMAGE, subject=record.name, path=path, write=write
                )
        return None

    def _farewell(self) -> Request | None:
        """Delete a finished job whose time to live is over."""
        while self._fleet.todo.ripe:
            job = self._fleet.jobs.get(self._fleet.todo.ripe.pop())
            if job is not None:
                path = self._paths.job(job.seen.namespace, name=job.seen.name)
                write = deletion(path, uid=job.uid)
                return Request(
                    urgency=Urgency.STATUS, about=About.JOB, subject=job.uid, path=path, write=write, is_removal=True
                )
        return None

    def _grant(self, now: Moment) -> Request | None:
        """Grant the next candidate of the job with the highest priority, the oldest of those."""
        while (job := self._hungriest()) is not None:
            name = turn(self._fleet, job)
            if name is None:
                self._fleet.todo.hungry.discard(job.uid)
                continue
            record = self._fleet.nodes[name]
            found = draft(self._fleet, record, paths=self._paths, now=now) if record.is_free(now.seconds) else None
            if found is not None and job.uid in found.grants:
                return self._spec(record, found, urgency=Urgency.GRANT, now=now)
            job.tally.set_aside(name)
            record.waiting.add(job.uid)
        return None

    def _hungriest(self) -> JobRecord | None:
        found: JobRecord | None = None
        for uid in tuple(self._fleet.todo.hungry):
            job = self._fleet.jobs.get(uid)
            if job is None or job.task is None or not job.tally.candidates or not slots(self._fleet, job):
                self._fleet.todo.hungry.discard(uid)
            elif found is None or self._rank(job) < self._rank(found):
                found = job
        return found

    def _rank(self, job: JobRecord) -> tuple[int, datetime, int, str]:
        """Rank a job by its priority and age; the jobs of a list have its age, and go in its order."""
        priority = job.task.job.template.prewarm.priority if job.task is not None else 0
        image = job.seen.job.image if job.seen.job is not None else ""
        place = self._fleet.lists.place(job.seen.list_key, image=image)
        created_at, number = place or (job.seen.created_at, 0)
        return (-priority, created_at, number, job.seen.list_uid or job.uid)

    def _upkeep(self, now: Moment) -> Request | None:
        for name, needed in self._fleet.todo.upkeep.items():
            record = self._fleet.nodes[name]
            if not record.is_free(now.seconds):
                continue
            if needed is Upkeep.DELETE and record.image is not None:
                record.is_busy = True
                path = self._paths.node_image(name)
                write = deletion(path, uid=record.image.uid)
                return Request(
                    urgency=Urgency.UPKEEP,
                    about=About.NODE_IMAGE,
                    subject=name,
                    path=path,
                    write=write,
                    is_removal=True,
                )
            found = draft(self._fleet, record, paths=self._paths, now=now)
            if found is not None:
                return self._spec(record, found, urgency=Urgency.UPKEEP, now=now)
        return None

    def _spec(self, record: NodeRecord, found: Draft, *, urgency: Urgency, now: Moment) -> Request:
        """Count a draft as sent."""
        record.suspects.clear()
        self._note_refreshes(record, grants=found.grants, now=now.at)
        self._passing.sent(record, grants=found.grants, now=now)
        return Request(
            urgency=urgency,
            about=About.NODE_IMAGE,
            subject=record.name,
            path=self._paths.node_image(record.name),
            write=found.write,
            grants=found.grants,
            tested=found.tested,
        )

    def _note_refreshes(self, record: NodeRecord, *, grants: frozenset[str], now: datetime) -> None:
        """Note when a job's renewal begins: with its first grant."""
        for uid in grants:
            job, standing = self._fleet.jobs[uid], record.standings[uid]
            is_renewal = standing.is_renewal or standing.stand is Stand.SUCCEEDED
            if is_renewal and begins(job, standing, node=record.name):
                job.last_refresh = now.replace(microsecond=0)
                job.is_refreshing = True
                self._fleet.todo.dirty.add(uid)
