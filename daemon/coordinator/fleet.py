"""
Everything that the leading coordinator knows: jobs, nodes, and where each node stands for each job.

No I/O and no clock. Each event touches the jobs or nodes that it is about and no others: a NodeImage's event the jobs
of the images that changed in it, whatever the number of nodes. What was seen is taken over by learning.py, what happens
to requests and what time brings by passing.py; what should be written is left in todo.py for agenda.py. Before `start`
nothing is worked out, since an object that is not listed yet is no object that is gone.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from daemon.api.nodeimage import SecretReference
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.coordinator.account import SecretTrouble
from daemon.coordinator.gate import closes_at
from daemon.coordinator.lists.book import ListBook
from daemon.coordinator.owners import Owners, keys_of
from daemon.coordinator.plan import order_of
from daemon.coordinator.podselection import PodSelection
from daemon.coordinator.reckoning import standing_of
from daemon.coordinator.records import JobRecord, NodeRecord, deadline_of, end_of_life
from daemon.coordinator.seen import ImageKey, SeenNode
from daemon.coordinator.selection import selects_node
from daemon.coordinator.silence import next_look, skip_of
from daemon.coordinator.standing import Standing, Task
from daemon.coordinator.todo import Todo
from daemon.coordinator.upkeep import upkeep_of
from daemon.coordinator.wakes import Wake, Wakes, Why


DENIALS: Final = frozenset(
    {Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.IMAGE_NOT_FOUND, Reason.SECRET_MISSING, Reason.SECRET_FORBIDDEN}
)
"""What a node says of a pull that another secret may help: registries also say of an image that it is not there."""


class Fleet:
    """
    The state of one term of leadership.

    Attributes:
        jobs: by uid.
        nodes: by name.
        todo: what may have to be written.
        pods: which jobs select by Pods, and the Pods.
        refused: nodes whose NodeImage takes no write.
        lists: the image lists, and where their jobs hold slots.
        secrets: the secret copies of each job, by uid, as far as they are known.
        secret_troubles: why a job has not all of its pull secrets, by uid.
        held_back: jobs that get no grant, and why: slots.py.
        checking: jobs whose secrets are being read again: whether they have ended is not known before.
        gate_taint: the startup taint's key; "" for none.
        gate_deadline_seconds: how long after its creation a node is opened cold.
    """

    def __init__(self, *, gate_taint: str, gate_deadline_seconds: float) -> None:
        self.jobs: dict[str, JobRecord] = {}
        self.nodes: dict[str, NodeRecord] = {}
        self.todo = Todo()
        self.pods = PodSelection()
        self.refused: set[str] = set()
        self.lists = ListBook()
        self.secrets: dict[str, tuple[SecretReference, ...]] = {}
        self.secret_troubles: dict[str, SecretTrouble] = {}
        self.checking: set[str] = set()
        self.held_back: dict[str, set[str]] = {}
        self.gate_taint = gate_taint
        self.gate_deadline_seconds = gate_deadline_seconds
        self.is_started = False
        self.by_image: dict[ImageKey, set[str]] = {}
        self.owners = Owners()
        self.wakes = Wakes()
        self._closed: set[str] = set()

    def start(self, now: Moment) -> None:
        """Work out everything, once jobs, NodeImages and Nodes are all listed."""
        self.is_started = True
        for record in self.nodes.values():
            self.look_at(record, now=now)
            self.owners.note(record.name, before=None, after=record.image)
            record.suspects.update(record.image.entries if record.image is not None else ())
            self.suspect(record)
        for job in self.jobs.values():
            self.lists.add(job.seen.list_key, job=job.uid)
            self.todo.news.add(job.uid)
            self.begin(job, now=now)

    def begin(self, job: JobRecord, *, now: Moment) -> None:
        """Work out a job's nodes, and what each of them is for it."""
        self.todo.dirty.add(job.uid)
        if job.task is None:
            self.end(job)
            self.schedule(job)
            return
        self.link(job)
        selected = {name for name, record in self.nodes.items() if self.selects(job, record)}
        for name in job.names - selected:
            if (record := self.nodes.get(name)) is not None:
                self.unselect(job, record)
        job.names = selected
        for name in selected:
            self.reckon(job, self.nodes[name], now=now, is_forced=True)
        self._look_at_gates()
        self.schedule(job)

    def end(self, job: JobRecord) -> None:
        """Forget where nodes stand for a job that asks for nothing any more."""
        self.unlink(job, job.task)
        for name in job.names:
            record = self.nodes.get(name)
            if record is not None:
                self._note_slot(job, name, record.standings.pop(job.uid, None), None)
        self._look_at_gates()
        job.tally = type(job.tally)()
        job.names = set()

    def link(self, job: JobRecord) -> None:
        """Put a job into the indices."""
        if job.task is not None:
            self.by_image.setdefault(job.task.key, set()).add(job.uid)
            self.pods.add(job)

    def unlink(self, job: JobRecord, task: Task | None) -> None:
        """Take a job out of the indices, where it stands for this task."""
        if task is None:
            return
        uids = self.by_image.get(task.key, set())
        uids.discard(job.uid)
        if not uids:
            self.by_image.pop(task.key, None)
        self.pods.remove(job)

    def suspect_owned(self, uid: str) -> None:
        """Look again at each entry that stands for a job."""
        for name in self.owners.names(uid):
            record = self.nodes[name]
            record.suspects |= keys_of(uid, record.image)
            self.suspect(record)

    def _look_at_gates(self) -> None:
        """Have every closed gate looked at: it may have waited to learn that a job is not for its node."""
        self.todo.gates |= self._closed

    def forget(self, record: NodeRecord) -> None:
        """Drop a node that is no more."""
        self.nodes.pop(record.name, None)
        self.todo.forget_node(record.name)
        self.refused.discard(record.name)
        self._closed.discard(record.name)

    def reselect(self, record: NodeRecord, *, now: Moment, only_known: bool = False) -> None:
        """Reckon anew for every job: for those that select the node already, or for all."""
        uids: Iterable[str] = tuple(record.standings) if only_known else tuple(self.jobs)
        for uid in uids:
            job = self.jobs[uid]
            if job.task is None:
                continue
            if only_known or self.selects(job, record):
                job.names.add(record.name)
                self.reckon(job, record, now=now, is_forced=True)
            elif record.name in job.names:
                self.unselect(job, record)
        self.gate_of(record.name)

    def unselect(self, job: JobRecord, record: NodeRecord) -> None:
        """Take a node out of a job that selects it no more; its entry goes too."""
        job.names.discard(record.name)
        self._drop(job, record)
        if job.task is not None:
            record.suspects.add(job.task.key)
            self.suspect(record)
        self.gate_of(record.name)

    def _drop(self, job: JobRecord, record: NodeRecord | None) -> None:
        """Take a node out of a job's counts."""
        if record is None:
            return
        before = record.standings.pop(job.uid, None)
        if before is not None:
            job.tally.change(record.name, before, None, order=None)
            self._note_slot(job, record.name, before, None)
            self.todo.dirty.add(job.uid)
            self.todo.hungry.add(job.uid)

    def look_at(self, record: NodeRecord, *, now: Moment) -> None:
        """Work out what holds for the node whatever the job: whether it is left out, and what its NodeImage needs."""
        record.skip = skip_of(record.node, record.live_image, heard=record.heard, now=now)
        again = next_look(record.node, record.live_image, heard=record.heard, now=now)
        if again is not None and (record.looks_at is None or again < record.looks_at):
            record.looks_at = again
            self.wakes.add(again, Wake(Why.NODE, record.name))
        needed = upkeep_of(record.node, record.image)
        if needed is None:
            self.todo.upkeep.pop(record.name, None)
        else:
            self.todo.upkeep[record.name] = needed
        if record.silent_keys(now):
            self.todo.silent.add(record.name)
        self._note_gate(record)

    def _note_gate(self, record: NodeRecord) -> None:
        """Note whether a node is closed, and have its gate looked at when the deadline comes."""
        if record.node is None or not self._is_closed(record.node):
            self._closed.discard(record.name)
            return
        self._closed.add(record.name)
        if record.opens_for != record.node.uid:
            record.opens_for = record.node.uid
            closes = closes_at(record.node, deadline_seconds=self.gate_deadline_seconds)
            self.wakes.add(closes, Wake(Why.GATE, record.name))

    def suspect(self, record: NodeRecord) -> None:
        """Have the entries looked at that a node has under suspicion."""
        if record.suspects:
            self.todo.suspects.add(record.name)

    def reckon_all(self, record: NodeRecord, uids: Iterable[str], *, now: Moment) -> None:
        """Work out where a node stands for some jobs."""
        for uid in uids:
            if uid in record.standings and uid in self.jobs:
                self.reckon(self.jobs[uid], record, now=now)

    def reckon(self, job: JobRecord, record: NodeRecord, *, now: Moment, is_forced: bool = False) -> None:
        """Work out where a node stands for a job, and count it."""
        if job.task is None:
            return
        before = record.standings.get(job.uid)
        after = standing_of(
            job.task,
            node=record.name,
            image=record.live_image,
            skip=record.skip,
            is_sent=job.uid in record.sent,
            before=before,
            now=now.at,
        )
        self._note_denial(job, record)
        if after == before and not is_forced:
            return
        record.standings[job.uid] = after
        order = order_of(after, uid=job.uid, name=record.name, node=record.node, image=record.live_image)
        job.tally.change(record.name, before, after, order=order)
        self._note_slot(job, record.name, before, after)
        self.todo.dirty.add(job.uid)
        self.todo.hungry.add(job.uid)
        if job.is_gating:
            self.gate_of(record.name)
        self.schedule(job)

    def _note_slot(self, job: JobRecord, name: str, before: Standing | None, after: Standing | None) -> None:
        """Count the node for the job's list, where it comes to hold a slot or holds it no more."""
        was_held, is_held = before is not None and before.holds_slot, after is not None and after.holds_slot
        if was_held != is_held and self.lists.held(job.seen.list_key, node=name, step=1 if is_held else -1):
            self.todo.hungry |= self.lists.jobs(job.seen.list_key)

    def _note_denial(self, job: JobRecord, record: NodeRecord) -> None:
        """Have a job's secrets looked at of which a node says that its pull was denied."""
        template = job.seen.job.template if job.seen.job is not None else None
        if template is None or not template.pull_secrets or record.image is None or job.task is None:
            return
        answer = record.image.answer(job.task.key)
        if answer is not None and answer.reason in DENIALS:
            self.todo.denied.add(job.uid)

    def set_secrets(self, uid: str, references: tuple[SecretReference, ...]) -> None:
        """Note which secret copies are a job's; NodeImages that have its image name them from now on."""
        if self.secrets.get(uid) != references:
            self.secrets[uid] = references
            self.suspect_owned(uid)

    def run_again(self, job: JobRecord, *, now: Moment) -> None:
        """Have an active job's failed nodes tried again: something that they failed for has changed."""
        if job.task is not None:
            job.run_again(now=now.at)
            self.begin(job, now=now)
            self.suspect_owned(job.uid)

    def selects(self, job: JobRecord, record: NodeRecord) -> bool:
        """Tell whether a job is for a node: by the Node, or by a fake NodeImage."""
        labels = record.labels
        if labels is None or job.task is None or not self.pods.is_listed(job):
            return False
        template = job.task.job.template
        if template.pod_selector is not None:
            return job.pods[record.name] > 0
        return bool(selects_node(template, name=record.name, labels=labels))

    def gate_of(self, name: str) -> None:
        """Have a node's gate looked at, where it is closed."""
        if name in self._closed:
            self.todo.gates.add(name)

    def _is_closed(self, node: SeenNode) -> bool:
        return bool(self.gate_taint) and any(taint.key == self.gate_taint for taint in node.taints)

    def schedule(self, job: JobRecord, *, after: datetime | None = None) -> None:
        """Have the job looked at when its next turn, its deadline or its end of life comes; only later than `after`."""
        times = [job.tally.next_turn(), deadline_of(job), end_of_life(job.seen)]
        coming = [at for at in times if at is not None and (after is None or at > after)]
        if coming and (job.looks_at is None or min(coming) < job.looks_at):
            job.looks_at = min(coming)
            self.wakes.add(job.looks_at, Wake(Why.JOB, job.uid))

    def record(self, name: str) -> NodeRecord:
        """Return what is kept of a node, from now on."""
        record = self.nodes.get(name)
        if record is None:
            record = self.nodes[name] = NodeRecord(name)
        return record
