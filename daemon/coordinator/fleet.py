"""
Everything that the leading coordinator knows: jobs, nodes, and where each node stands for each job.

No I/O and no clock. Each event touches the jobs or nodes that it is about and no others: a NodeImage's event the jobs
of the images that changed in it, whatever the number of nodes. What should be looked at next is left in sets (dirty,
hungry, suspects, ...), which agenda.py empties; before `start` nothing is worked out, since an object that is not
listed yet is no object that is gone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from daemon.clock import Moment
from daemon.coordinator.gate import closes_at
from daemon.coordinator.owners import Owners, keys_of
from daemon.coordinator.plan import order_of
from daemon.coordinator.podselection import PodSelection
from daemon.coordinator.records import Course, JobRecord, NodeRecord, course_of, task_of
from daemon.coordinator.seen import ImageKey, SeenJob, SeenNode, SeenNodeImage, SeenPod
from daemon.coordinator.selection import selects_node
from daemon.coordinator.silence import heard_of, next_look, silent_keys, skip_of
from daemon.coordinator.standing import standing_of
from daemon.coordinator.todo import Todo
from daemon.coordinator.upkeep import upkeep_of
from daemon.coordinator.wakes import Wake, Wakes, Why


class Fleet:
    """
    The state of one term of leadership.

    Attributes:
        jobs: by uid.
        nodes: by name.
        todo: what may have to be written.
        pods: which jobs select by Pods, and the Pods.
        refused: nodes whose NodeImage takes no write.
        gate_taint: the startup taint's key; "" for none.
        gate_deadline_seconds: how long after its creation a node is opened cold.
    """

    def __init__(self, *, gate_taint: str, gate_deadline_seconds: float) -> None:
        self.jobs: dict[str, JobRecord] = {}
        self.nodes: dict[str, NodeRecord] = {}
        self.todo = Todo()
        self.pods = PodSelection()
        self.refused: set[str] = set()
        self.gate_taint = gate_taint
        self.gate_deadline_seconds = gate_deadline_seconds
        self.is_started = False
        self._by_image: dict[ImageKey, set[str]] = {}
        self._owners = Owners()
        self._wakes = Wakes()

    def start(self, now: Moment) -> None:
        """Work out everything, once jobs, NodeImages and Nodes are all listed."""
        self.is_started = True
        for record in self.nodes.values():
            self._look_at(record, now=now)
            self._owners.note(record.name, before=None, after=record.image)
            record.suspects.update(record.image.entries if record.image is not None else ())
            self._suspect(record)
        for job in self.jobs.values():
            self._begin(job, now=now)

    # Jobs

    def job_seen(self, seen: SeenJob, *, now: Moment) -> None:
        """Take a job for new or changed; what is older than what is known says nothing."""
        job = self.jobs.get(seen.uid)
        if job is None:
            job = self.jobs[seen.uid] = JobRecord(seen)
            if self.is_started:
                self._begin(job, now=now)
            return
        if seen.version <= job.seen.version:
            return
        before, job.seen = job.seen, seen
        if self.is_started:
            self._job_changed(job, before=before, now=now)

    def job_gone(self, uid: str) -> None:
        """Take a job for gone: its entries are no longer wanted for it."""
        job = self.jobs.pop(uid, None)
        if job is None or not self.is_started:
            return
        self._end(job)
        self._suspect_owned(uid)
        self.todo.dirty.discard(uid)

    def _job_changed(self, job: JobRecord, *, before: SeenJob, now: Moment) -> None:
        course, task = course_of(job.seen), task_of(job.seen)
        if (course, task) != (job.course, job.task):
            self._unlink(job)
            job.course, job.task = course, task
            job.last_refresh = job.seen.status.last_refresh_time or job.last_refresh
            self._begin(job, now=now)
            self._suspect_owned(job.uid)
        elif before.generation != job.seen.generation:
            self.todo.dirty.add(job.uid)

    def _begin(self, job: JobRecord, *, now: Moment) -> None:
        """Work out a job's nodes, and what each of them is for it."""
        self.todo.dirty.add(job.uid)
        if job.task is None:
            self._end(job)
            self._schedule(job)
            return
        self._by_image.setdefault(job.task.key, set()).add(job.uid)
        self.pods.add(job)
        selected = {name for name, record in self.nodes.items() if self._selects(job, record)}
        for name in job.names - selected:
            if (record := self.nodes.get(name)) is not None:
                self._unselect(job, record)
        job.names = selected
        for name in selected:
            self._reckon(job, self.nodes[name], now=now, is_forced=True)
        self._gates_of(job)
        self._schedule(job)

    def _end(self, job: JobRecord) -> None:
        """Forget where nodes stand for a job that asks for nothing any more."""
        self._unlink(job)
        for name in job.names:
            record = self.nodes.get(name)
            if record is not None:
                record.standings.pop(job.uid, None)
        self._gates_of(job)
        job.tally = type(job.tally)()
        job.names = set()

    def _unlink(self, job: JobRecord) -> None:
        if job.task is None:
            return
        self._by_image.get(job.task.key, set()).discard(job.uid)
        if not self._by_image.get(job.task.key):
            self._by_image.pop(job.task.key, None)
        self.pods.remove(job)

    def _suspect_owned(self, uid: str) -> None:
        """Look again at each entry that stands for a job."""
        for name in self._owners.names(uid):
            record = self.nodes[name]
            record.suspects |= keys_of(uid, record.image)
            self._suspect(record)

    def _gates_of(self, job: JobRecord) -> None:
        for name in job.names:
            self._gate_of(name)

    # Nodes

    def node_seen(self, node: SeenNode, *, now: Moment) -> None:
        """Take a Node for new or changed."""
        record = self._record(node.name)
        before = record.node
        if before is not None and before.uid == node.uid and node.version <= before.version:
            return
        record.node = node
        if not self.is_started:
            return
        is_same = before is not None and before.uid == node.uid and before.labels == node.labels
        self._look_at(record, now=now)
        self._reselect(record, now=now, only_known=is_same)

    def node_gone(self, name: str, *, uid: str, now: Moment) -> None:
        """Take a Node for gone."""
        record = self.nodes.get(name)
        if record is None or record.node is None or record.node.uid != uid:
            return
        record.node = None
        self._after_loss(record, now=now)

    def image_seen(self, image: SeenNodeImage, *, now: Moment, is_ours: bool = False) -> None:
        """
        Take a NodeImage for new or changed.

        Args:
            image: as it stands.
            now: this moment.
            is_ours: it is the answer to our own write, so no entry has to be looked at again.
        """
        record = self._record(image.name)
        before = record.image
        if before is not None and before.uid == image.uid and image.version <= before.version:
            return
        same = before if before is not None and before.uid == image.uid else None
        record.image = image
        record.heard = heard_of(record.heard if same else None, image, now=now)
        if not self.is_started:
            return
        self._owners.note(record.name, before=before, after=record.image)
        if not is_ours:
            self._suspect_changed(record, before=same)
        self._image_changed(record, before=same, now=now)

    def image_gone(self, name: str, *, uid: str, now: Moment) -> None:
        """Take a NodeImage for gone."""
        record = self.nodes.get(name)
        if record is None or record.image is None or record.image.uid != uid:
            return
        before, record.image, record.heard = record.image, None, None
        if self.is_started:
            self._owners.note(record.name, before=before, after=record.image)
        self._after_loss(record, now=now)

    def _after_loss(self, record: NodeRecord, *, now: Moment) -> None:
        if not self.is_started:
            if record.node is None and record.image is None:
                del self.nodes[record.name]
            return
        self._look_at(record, now=now)
        self._reselect(record, now=now)
        if record.node is None and record.image is None and not record.is_busy:
            self._forget(record)

    def _forget(self, record: NodeRecord) -> None:
        self.nodes.pop(record.name, None)
        self.todo.forget_node(record.name)
        self.refused.discard(record.name)

    def _image_changed(self, record: NodeRecord, *, before: SeenNodeImage | None, now: Moment) -> None:
        """Reckon anew for the jobs of the images that changed, or for all where the whole node did."""
        image, skip = record.image, record.skip
        self._look_at(record, now=now)
        has_labels = image is not None and image.is_fake and record.node is None
        if before is None or image is None or (has_labels and before.labels_hash != image.labels_hash):
            self._reselect(record, now=now)
        elif skip != record.skip or (before.agent is None) != (image.agent is None):
            self._reselect(record, now=now, only_known=True)
        else:
            for key in _changed(before, image):
                self._reckon_image(key, record, now=now)

    def _reckon_image(self, key: ImageKey, record: NodeRecord, *, now: Moment) -> None:
        uids = self._by_image.get(key)
        if not uids:
            # Nobody asks for it any more: it may have lived long enough.
            record.suspects.add(key)
            self._suspect(record)
            return
        for uid in uids:
            if uid in record.standings:
                self._reckon(self.jobs[uid], record, now=now)

    def _reselect(self, record: NodeRecord, *, now: Moment, only_known: bool = False) -> None:
        """Reckon anew for every job: for those that select the node already, or for all."""
        uids: Iterable[str] = tuple(record.standings) if only_known else tuple(self.jobs)
        for uid in uids:
            job = self.jobs[uid]
            if job.task is None:
                continue
            if only_known or self._selects(job, record):
                job.names.add(record.name)
                self._reckon(job, record, now=now, is_forced=True)
            elif record.name in job.names:
                self._unselect(job, record)
        self._gate_of(record.name)

    def _unselect(self, job: JobRecord, record: NodeRecord) -> None:
        job.names.discard(record.name)
        self._drop(job, record)
        if job.task is not None:
            record.suspects.add(job.task.key)
            self._suspect(record)

    def _drop(self, job: JobRecord, record: NodeRecord | None) -> None:
        """Take a node out of a job's counts."""
        if record is None:
            return
        before = record.standings.pop(job.uid, None)
        if before is not None:
            job.tally.change(record.name, before, None, order=None)
            self.todo.dirty.add(job.uid)
            self.todo.hungry.add(job.uid)

    def _look_at(self, record: NodeRecord, *, now: Moment) -> None:
        """Work out what holds for the node whatever the job: whether it is left out, and what its NodeImage needs."""
        record.skip = skip_of(record.node, record.image, heard=record.heard, now=now)
        again = next_look(record.node, record.image, heard=record.heard, now=now)
        if again is not None and (record.looks_at is None or again < record.looks_at):
            record.looks_at = again
            self._wakes.add(again, Wake(Why.NODE, record.name))
        needed = upkeep_of(record.node, record.image)
        if needed is None:
            self.todo.upkeep.pop(record.name, None)
        else:
            self.todo.upkeep[record.name] = needed
        if record.image is not None and silent_keys(record.image, heard=record.heard, now=now):
            self.todo.silent.add(record.name)
        if record.node is not None and self._is_closed(record.node) and record.opens_for != record.node.uid:
            record.opens_for = record.node.uid
            closes = closes_at(record.node, deadline_seconds=self.gate_deadline_seconds)
            self._wakes.add(closes, Wake(Why.GATE, record.name))

    def _suspect_changed(self, record: NodeRecord, *, before: SeenNodeImage | None) -> None:
        entries = record.image.entries if record.image is not None else {}
        known = before.entries if before is not None else {}
        changed = {key for key, entry in entries.items() if known.get(key) != entry}
        if changed:
            record.suspects |= changed
            self._suspect(record)

    def _suspect(self, record: NodeRecord) -> None:
        if record.suspects:
            self.todo.suspects.add(record.name)

    # Pods

    def pods_listed(self, namespace: str, *, now: Moment) -> None:
        """Take the Pods of a namespace for complete: its podSelectors can be answered."""
        self.pods.listed(namespace)
        for job in self.pods.jobs_in(namespace):
            self._begin(job, now=now)

    def pod_seen(self, pod: SeenPod, *, now: Moment) -> None:
        """Take a Pod for new or changed."""
        self._follow(self.pods.seen(pod), now=now)

    def pod_gone(self, namespace: str, *, name: str, now: Moment) -> None:
        """Take a Pod for gone."""
        self._follow(self.pods.gone(namespace, name=name), now=now)

    def _follow(self, changes: Iterable[tuple[JobRecord, str]], *, now: Moment) -> None:
        for job, name in tuple(changes):
            record = self.nodes.get(name)
            if record is None:
                continue
            is_selected = self._selects(job, record)
            if is_selected and name not in job.names:
                job.names.add(name)
                self._reckon(job, record, now=now)
            elif not is_selected and name in job.names:
                self._unselect(job, record)

    # Standings

    def sent(self, record: NodeRecord, *, grants: frozenset[str], now: Moment) -> None:
        """Count grants from the moment that they are sent."""
        record.is_busy = True
        record.sent |= grants
        self._reckon_all(record, grants, now=now)

    def settled(self, record: NodeRecord, *, is_known: bool, now: Moment) -> None:
        """Take a request about a node for done; its grants keep their slots while its outcome is not known."""
        record.is_busy = False
        if is_known:
            grants, record.sent, record.must_read = record.sent, frozenset(), False
            self.todo.unread.discard(record.name)
            self._reckon_all(record, grants, now=now)
        else:
            record.must_read = True
            self.todo.unread.add(record.name)
        if record.node is None and record.image is None:
            self._forget(record)
            return
        self._look_at(record, now=now)
        self.release(record)

    def release(self, record: NodeRecord, *, with_gate: bool = True) -> None:
        """Offer a node again to whoever found it busy."""
        for uid in record.waiting:
            if uid in self.jobs:
                self.jobs[uid].tally.offer(record.name)
                self.todo.hungry.add(uid)
        record.waiting.clear()
        self._suspect(record)
        if with_gate:
            self._gate_of(record.name)

    def hold(self, record: NodeRecord, *, words: str, seconds: float, now: Moment) -> None:
        """Leave a node alone for a while whose NodeImage takes no write."""
        record.refusal = words
        self.refused.add(record.name)
        record.held_until = now.seconds + seconds
        self._wakes.add(now.at + timedelta(seconds=seconds), Wake(Why.HELD, record.name))
        self.todo.dirty.update(record.standings)

    def accepted(self, record: NodeRecord) -> None:
        """Note that a node's NodeImage takes writes again."""
        if record.refusal:
            record.refusal, record.held_until = "", float("-inf")
            self.refused.discard(record.name)
            self.todo.dirty.update(record.standings)

    def passed(self, now: Moment) -> None:
        """Take note of the time: turns that have come, deadlines, silences."""
        for wake in self._wakes.take(now.at):
            if wake.why is Why.JOB:
                self._job_woken(wake.subject, now=now)
            elif (record := self.nodes.get(wake.subject)) is not None:
                self._node_woken(record, wake, now=now)

    def next_wake(self) -> datetime | None:
        """Return when time alone will change something."""
        return self._wakes.next()

    def wake_entry(self, record: NodeRecord, *, key: ImageKey, at: datetime) -> None:
        """Look at an entry again then, whose time to live ends."""
        self._wakes.add(at, Wake(Why.ENTRY, record.name, key))

    def wake_gate(self, record: NodeRecord, *, seconds: float, now: Moment) -> None:
        """Look at a node's gate again after a while."""
        self._wakes.add(now.at + timedelta(seconds=seconds), Wake(Why.GATE, record.name))

    def _job_woken(self, uid: str, *, now: Moment) -> None:
        job = self.jobs.get(uid)
        if job is None:
            return
        job.looks_at = None
        for name in job.tally.take_due(now.at):
            record = self.nodes.get(name)
            if record is not None and uid in record.standings:
                self._reckon(job, record, now=now, is_forced=True)
        self.todo.dirty.add(uid)
        if job.course is Course.FINISHED and (ends := _end_of_life(job.seen)) is not None and ends <= now.at:
            self.todo.ripe.add(uid)
        self._schedule(job)

    def _node_woken(self, record: NodeRecord, wake: Wake, *, now: Moment) -> None:
        match wake.why:
            case Why.ENTRY if wake.key is not None:
                record.suspects.add(wake.key)
                self._suspect(record)
            case Why.GATE:
                self._gate_of(record.name)
            case Why.HELD:
                record.held_until = float("-inf")
                self.release(record)
            case _:
                before, record.looks_at = record.skip, None
                self._look_at(record, now=now)
                if before != record.skip:
                    self._reselect(record, now=now, only_known=True)

    def _reckon_all(self, record: NodeRecord, uids: Iterable[str], *, now: Moment) -> None:
        for uid in uids:
            if uid in record.standings and uid in self.jobs:
                self._reckon(self.jobs[uid], record, now=now)

    def _reckon(self, job: JobRecord, record: NodeRecord, *, now: Moment, is_forced: bool = False) -> None:
        """Work out where a node stands for a job, and count it."""
        if job.task is None:
            return
        before = record.standings.get(job.uid)
        after = standing_of(
            job.task,
            node=record.name,
            image=record.image,
            skip=record.skip,
            is_sent=job.uid in record.sent,
            before=before,
            now=now.at,
        )
        if after == before and not is_forced:
            return
        record.standings[job.uid] = after
        order = order_of(after, uid=job.uid, name=record.name, node=record.node, image=record.image)
        job.tally.change(record.name, before, after, order=order)
        self.todo.dirty.add(job.uid)
        self.todo.hungry.add(job.uid)
        if job.is_gating:
            self._gate_of(record.name)
        self._schedule(job)

    def _selects(self, job: JobRecord, record: NodeRecord) -> bool:
        labels = record.labels
        if labels is None or job.task is None or not self.pods.is_listed(job):
            return False
        template = job.task.job.template
        if template.pod_selector is not None:
            return job.pods[record.name] > 0
        return bool(selects_node(template, name=record.name, labels=labels))

    def _gate_of(self, name: str) -> None:
        record = self.nodes.get(name)
        if record is not None and record.node is not None and self._is_closed(record.node):
            self.todo.gates.add(name)

    def _is_closed(self, node: SeenNode) -> bool:
        return bool(self.gate_taint) and any(taint.key == self.gate_taint for taint in node.taints)

    def _schedule(self, job: JobRecord) -> None:
        """Have the job looked at when its next turn, its deadline or its end of life comes."""
        times = [job.tally.next_due(), deadline_of(job), _end_of_life(job.seen)]
        coming = [at for at in times if at is not None]
        if coming and (job.looks_at is None or min(coming) < job.looks_at):
            job.looks_at = min(coming)
            self._wakes.add(job.looks_at, Wake(Why.JOB, job.uid))

    def _record(self, name: str) -> NodeRecord:
        record = self.nodes.get(name)
        if record is None:
            record = self.nodes[name] = NodeRecord(name)
        return record


def deadline_of(job: JobRecord) -> datetime | None:
    """Return when a job has to have ended; None where nothing says so."""
    if job.task is None or job.task.is_never:
        return None
    seconds = job.task.job.template.completion_policy.active_deadline_seconds
    start = job.seen.status.start_time
    return start + timedelta(seconds=seconds) if seconds is not None and start is not None else None


def _end_of_life(seen: SeenJob) -> datetime | None:
    """Return when a finished job is to be deleted."""
    if seen.job is None or seen.status.completion_time is None or course_of(seen) is not Course.FINISHED:
        return None
    seconds = seen.job.template.completion_policy.ttl_seconds_after_finished
    return seen.status.completion_time + timedelta(seconds=seconds) if seconds is not None else None


def _changed(before: SeenNodeImage, after: SeenNodeImage) -> list[ImageKey]:
    """Return the images of which a NodeImage says something else than before."""
    keys = {*before.entries, *before.statuses, *after.entries, *after.statuses}
    return [
        key
        for key in keys
        if before.entries.get(key) != after.entries.get(key) or before.statuses.get(key) != after.statuses.get(key)
    ]
