"""
What time changes in the fleet, and the way of a request: grants that are sent, refusals, turns that have come.

A grant counts from the moment that it is sent until its outcome is known (plan.py).
"""

from datetime import datetime, timedelta
from typing import Final

from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.records import Course, NodeRecord, end_of_life
from daemon.coordinator.standing import Task
from daemon.coordinator.wakes import Wake, Why


# What the two clocks may differ by in rounding.
_MOMENT_SECONDS: Final = 0.01


class Passing:
    """Follows requests from sending to outcome, and the clock."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def sent(self, record: NodeRecord, *, grants: frozenset[str], now: Moment) -> None:
        """Count grants from the moment that they are sent."""
        record.is_busy = True
        record.sent |= {uid: self._fleet.jobs[uid].task for uid in grants}
        self._fleet.reckon_all(record, grants, now=now)

    def settled(self, record: NodeRecord, *, is_known: bool, now: Moment) -> None:
        """Take a request about a node for done; its grants keep their slots while its outcome is not known."""
        record.is_busy = False
        if is_known:
            grants, record.sent, record.must_read = record.sent, {}, False
            self._fleet.todo.unread.discard(record.name)
            self._fleet.reckon_all(record, grants, now=now)
            if any(self._has_changed(uid, task) for uid, task in grants.items()):
                record.suspects.update(record.keys())
        else:
            record.must_read = True
            self._fleet.todo.unread.add(record.name)
        if record.node is None and record.image is None:
            self._fleet.forget(record)
            return
        before = record.skip
        self._fleet.look_at(record, now=now)
        if record.skip != before:
            self._fleet.reselect(record, now=now, only_known=True)
        self.release(record, now=now)

    def _has_changed(self, uid: str, task: Task | None) -> bool:
        """Tell whether a job was edited or is gone since its grant was sent: nobody knew of its entry then."""
        job = self._fleet.jobs.get(uid)
        return job is None or job.task != task

    def release(self, record: NodeRecord, *, now: Moment, with_gate: bool = True) -> None:
        """Offer a node again to whoever found it busy."""
        for uid in record.waiting:
            if uid in self._fleet.jobs:
                self._fleet.jobs[uid].tally.offer(record.name)
                self._fleet.todo.hungry.add(uid)
        record.waiting.clear()
        self._fleet.suspect(record)
        if record.silent_keys(now):
            self._fleet.todo.silent.add(record.name)
        if with_gate:
            self._fleet.gate_of(record.name)

    def accepted(self, record: NodeRecord) -> None:
        """Note that a node's NodeImage takes writes again."""
        if record.refusal:
            record.refusal, record.held_until = "", float("-inf")
            self._fleet.refused.discard(record.name)
            self._fleet.todo.dirty.update(record.standings)

    def hold(self, record: NodeRecord, *, words: str, seconds: float, now: Moment) -> None:
        """Leave a node alone for a while whose NodeImage takes no write."""
        record.refusal = words
        self._fleet.refused.add(record.name)
        self.rest(record, seconds=seconds, now=now)
        self._fleet.todo.dirty.update(record.standings)

    def rest(self, record: NodeRecord, *, seconds: float, now: Moment) -> None:
        """Write nothing to a node for a while."""
        record.held_until = now.seconds + seconds
        self._fleet.wakes.add(now.at + timedelta(seconds=seconds), Wake(Why.HELD, record.name))

    def passed(self, now: Moment) -> None:
        """Take note of the time: turns that have come, deadlines, silences."""
        for wake in self._fleet.wakes.take(now.at):
            if wake.why is Why.JOB:
                self._job_woken(wake.subject, now=now)
            elif (record := self._fleet.nodes.get(wake.subject)) is not None:
                self._node_woken(record, wake, now=now)

    def next_wake(self) -> datetime | None:
        """Return when time alone will change something."""
        return self._fleet.wakes.next()

    def wake_job(self, uid: str, *, seconds: float, now: Moment) -> None:
        """Look at a job again after a while."""
        self._fleet.wakes.add(now.at + timedelta(seconds=seconds), Wake(Why.JOB, uid))

    def wake_gate(self, record: NodeRecord, *, seconds: float, now: Moment) -> None:
        """Look at a node's gate again after a while."""
        self._fleet.wakes.add(now.at + timedelta(seconds=seconds), Wake(Why.GATE, record.name))

    def _job_woken(self, uid: str, *, now: Moment) -> None:
        job = self._fleet.jobs.get(uid)
        if job is None:
            return
        job.looks_at = None
        for name in job.tally.take_due(now.at):
            record = self._fleet.nodes.get(name)
            if record is not None and uid in record.standings:
                self._fleet.reckon(job, record, now=now, is_forced=True)
        self._fleet.todo.dirty.add(uid)
        if job.course is Course.FINISHED and (ends := end_of_life(job.seen)) is not None and ends <= now.at:
            self._fleet.todo.ripe.add(uid)
        # A deadline that is past stays where it is: looked at again now, it would be for ever.
        self._fleet.schedule(job, after=now.at)

    def _node_woken(self, record: NodeRecord, wake: Wake, *, now: Moment) -> None:
        match wake.why:
            case Why.ENTRY if wake.key is not None:
                record.suspects.add(wake.key)
                self._fleet.suspect(record)
            case Why.GATE:
                self._fleet.gate_of(record.name)
            case Why.HELD if record.held_until > now.seconds + _MOMENT_SECONDS:
                # It was held longer since, or the wall clock was put forward.
                self.rest(record, seconds=record.held_until - now.seconds, now=now)
            case Why.HELD:
                record.held_until = float("-inf")
                self.release(record, now=now)
            case _:
                before, record.looks_at = record.skip, None
                self._fleet.look_at(record, now=now)
                if before != record.skip:
                    self._fleet.reselect(record, now=now, only_known=True)
