"""
What the watches and answers tell, taken over into the fleet: jobs, Nodes, NodeImages and Pods that are there or gone.

What is older than what is known says nothing. Before the fleet has started nothing is worked out.
"""

from collections.abc import Iterable

import msgspec

from daemon.clock import Moment
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.records import JobRecord, NodeRecord
from daemon.coordinator.seen import ImageKey, SeenJob, SeenNode, SeenNodeImage, SeenPod
from daemon.coordinator.silence import heard_of


class Learning:
    """Takes over what is seen of a cluster."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def list_seen(self, seen: SeenList) -> bool:
        """Take a list for new or changed; False where what is known is newer."""
        is_new = self._fleet.lists.seen(seen)
        if is_new:
            self._fleet.todo.lists.add(seen.key)
            self._fleet.todo.hungry |= self._fleet.lists.jobs(seen.key)
        return is_new

    def list_gone(self, key: str) -> None:
        """Take a list for gone; its jobs are still there."""
        self._fleet.lists.gone(key)
        self._fleet.todo.lists.add(key)

    def job_seen(self, seen: SeenJob, *, now: Moment) -> None:
        """Take a job for new or changed; what is older than what is known says nothing."""
        job = self._fleet.jobs.get(seen.uid)
        if job is None:
            job = self._fleet.jobs[seen.uid] = JobRecord(seen, now=now.at)
            if self._fleet.is_started:
                self._fleet.todo.news.add(seen.uid)
                self._fleet.lists.add(seen.list_key, job=seen.uid)
                self._fleet.begin(job, now=now)
            return
        if seen.version <= job.seen.version:
            return
        self._fleet.todo.news.add(seen.uid)
        if self._fleet.is_started:
            self._job_changed(job, seen=seen, now=now)
        else:
            job.take(seen, now=now.at)

    def job_gone(self, uid: str) -> None:
        """Take a job for gone: its entries are no longer wanted for it."""
        job = self._fleet.jobs.pop(uid, None)
        if job is None or not self._fleet.is_started:
            return
        self._fleet.end(job)
        self._fleet.lists.remove(job.seen.list_key, job=uid)
        self._fleet.todo.news.add(uid)
        self._fleet.suspect_owned(uid)
        # Whoever keeps what was said of it learns by this that it is gone.
        self._fleet.todo.dirty.add(uid)

    def node_seen(self, node: SeenNode, *, now: Moment) -> None:
        """Take a Node for new or changed."""
        record = self._fleet.record(node.name)
        before = record.node
        if before is not None and before.uid == node.uid and node.version <= before.version:
            return
        record.node = node
        if before is None or before.uid != node.uid:
            record.since_seconds = now.seconds
        # A kubelet's heartbeat, of which there are as many as nodes each five minutes.
        is_beat = before is not None and msgspec.structs.replace(before, version=node.version) == node
        if is_beat or not self._fleet.is_started:
            return
        is_same = before is not None and before.uid == node.uid and before.labels == node.labels
        self._fleet.look_at(record, now=now)
        self._fleet.reselect(record, now=now, only_known=is_same)

    def node_gone(self, name: str, *, uid: str, now: Moment) -> None:
        """Take a Node for gone."""
        record = self._fleet.nodes.get(name)
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
        record = self._fleet.record(image.name)
        before = record.image
        if before is not None and before.uid == image.uid and image.version <= before.version:
            return
        if record.gone_uid == image.uid and image.version <= record.gone_version:
            return
        same = before if before is not None and before.uid == image.uid else None
        record.image = image
        record.heard = heard_of(record.heard if same else None, image, now=now)
        if not self._fleet.is_started:
            return
        self._fleet.owners.note(record.name, before=before, after=record.image)
        if not is_ours:
            self._suspect_changed(record, before=same)
        self._image_changed(record, before=same, now=now)

    def image_gone(self, name: str, *, uid: str, version: int, now: Moment) -> None:
        """Take a NodeImage for gone; what an answer says of an older version of it says nothing any more."""
        record = self._fleet.nodes.get(name)
        if record is None or record.image is None or record.image.uid != uid:
            return
        before, record.image, record.heard = record.image, None, None
        record.gone_uid, record.gone_version = uid, max(version, before.version)
        if self._fleet.is_started:
            self._fleet.owners.note(record.name, before=before, after=record.image)
        self._after_loss(record, now=now)

    def pods_listed(self, namespace: str, *, now: Moment) -> None:
        """Take the Pods of a namespace for complete: its podSelectors can be answered."""
        self._fleet.pods.listed(namespace)
        for job in self._fleet.pods.jobs_in(namespace):
            self._fleet.begin(job, now=now)
            self._fleet.suspect_owned(job.uid)

    def pod_seen(self, pod: SeenPod, *, now: Moment) -> None:
        """Take a Pod for new or changed."""
        self._follow(self._fleet.pods.seen(pod), now=now)

    def pod_gone(self, namespace: str, *, name: str, now: Moment) -> None:
        """Take a Pod for gone."""
        self._follow(self._fleet.pods.gone(namespace, name=name), now=now)

    def _job_changed(self, job: JobRecord, *, seen: SeenJob, now: Moment) -> None:
        is_edited = job.seen.generation != seen.generation or job.seen.status != seen.status
        course, task = job.course, job.task
        is_moved = job.seen.list_key != seen.list_key
        if is_moved:
            self._fleet.end(job)
            self._fleet.lists.remove(job.seen.list_key, job=job.uid)
            self._fleet.lists.add(seen.list_key, job=job.uid)
        job.take(seen, now=now.at)
        if is_moved or (job.course, job.task) != (course, task):
            self._fleet.unlink(job, task)
            self._fleet.begin(job, now=now)
            self._fleet.suspect_owned(job.uid)
        elif is_edited:
            self._fleet.todo.dirty.add(job.uid)

    def _after_loss(self, record: NodeRecord, *, now: Moment) -> None:
        if not self._fleet.is_started:
            if record.node is None and record.image is None:
                del self._fleet.nodes[record.name]
            return
        self._fleet.look_at(record, now=now)
        self._fleet.reselect(record, now=now)
        if record.node is None and record.image is None and not record.is_busy:
            self._fleet.forget(record)

    def _image_changed(self, record: NodeRecord, *, before: SeenNodeImage | None, now: Moment) -> None:
        """Reckon anew for the jobs of the images that changed, or for all where the whole node did."""
        image, skip = record.image, record.skip
        self._fleet.look_at(record, now=now)
        has_labels = image is not None and image.is_fake and record.node is None
        if before is None or image is None or (has_labels and before.labels_hash != image.labels_hash):
            self._fleet.reselect(record, now=now)
        elif skip != record.skip or _is_another(before, image):
            self._fleet.reselect(record, now=now, only_known=True)
            self._suspect_unasked(_changed(before, image), record)
        else:
            changed = _changed(before, image)
            for key in changed:
                self._reckon_image(key, record, now=now)
            self._suspect_unasked(changed, record)

    def _reckon_image(self, key: ImageKey, record: NodeRecord, *, now: Moment) -> None:
        for uid in self._fleet.by_image.get(key, ()):
            if uid in record.standings:
                self._fleet.reckon(self._fleet.jobs[uid], record, now=now)

    def _suspect_unasked(self, keys: Iterable[ImageKey], record: NodeRecord) -> None:
        """Look at entries for which no job asks any more of those that own them: they may have lived long enough."""
        entries = record.image.entries if record.image is not None else {}
        for key in keys:
            asking = self._fleet.by_image.get(key, set())
            owners = entries[key].owner_references if key in entries else ()
            if not any(owner.uid in asking and owner.uid in record.standings for owner in owners):
                record.suspects.add(key)
        self._fleet.suspect(record)

    def _suspect_changed(self, record: NodeRecord, *, before: SeenNodeImage | None) -> None:
        entries = record.image.entries if record.image is not None else {}
        known = before.entries if before is not None else {}
        changed = {key for key, entry in entries.items() if known.get(key) != entry}
        if changed:
            record.suspects |= changed
            self._fleet.suspect(record)

    def _follow(self, changes: Iterable[tuple[JobRecord, str]], *, now: Moment) -> None:
        for job, name in tuple(changes):
            record = self._fleet.nodes.get(name)
            if record is None:
                continue
            is_selected = self._fleet.selects(job, record)
            if is_selected and name not in job.names:
                job.names.add(name)
                self._fleet.reckon(job, record, now=now)
            elif not is_selected and name in job.names:
                self._fleet.unselect(job, record)


def _is_another(before: SeenNodeImage, after: SeenNodeImage) -> bool:
    """Tell whether every job sees the node with other eyes: its agent has said something for once, or it is going."""
    return (before.agent is None, before.is_deleting) != (after.agent is None, after.is_deleting)


def _changed(before: SeenNodeImage, after: SeenNodeImage) -> list[ImageKey]:
    """Return the images of which a NodeImage says something else than before."""
    keys = {*before.entries, *before.statuses, *after.entries, *after.statuses}
    return [
        key
        for key in keys
        if before.entries.get(key) != after.entries.get(key) or before.statuses.get(key) != after.statuses.get(key)
    ]
