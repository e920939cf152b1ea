"""
One pass over an ImagePullJob: its finalizer, its secrets, the next NodeImages, its status, its end.

What is decided stands in manager_tally.py and manager_entries.py; here it is written, in OpenKruise's order: a
NodeImage that refuses holds up the job's other nodes, and its status too.
"""

from typing import Final

import msgspec

from tests.servers.openkruise.manager_copies import Copies
from tests.servers.openkruise.manager_entries import Grant, granted
from tests.servers.openkruise.manager_job import Job
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.servers.openkruise.manager_objects import Release
from tests.servers.openkruise.manager_pace import Limits, Pace
from tests.servers.openkruise.manager_selection import selected
from tests.servers.openkruise.manager_store import Store
from tests.servers.openkruise.manager_tally import slots, tally


FINALIZER: Final = "apps.kruise.io/deletion-protection"


class JobController:
    """Brings jobs to their end, one pass at a time."""

    def __init__(self, store: Store, *, release: Release, limits: Limits) -> None:
        self._store = store
        self._release = release
        self._limits = limits
        self._copies = Copies(store, release=release)

    def reconcile(self, job: Job, *, pace: Pace) -> None:
        """Do what a job needs now."""
        if not self._store.is_current(job):
            return
        if job.metadata.deletion_timestamp is not None:
            self._finalize(job)
        elif job.is_complete:
            self._finalize(job)
            self._expire(job, pace=pace)
        else:
            self._advance(self._protected(job), pace=pace)

    def _advance(self, job: Job, *, pace: Pace) -> None:
        node_images = self._selected(job)
        if node_images is None:
            return
        secrets = self._copies.of(job)
        found = tally(job, node_images=node_images, secrets=secrets, pace=pace)
        grant = Grant(job=job, secrets=secrets, pace=pace, limits=self._limits, release=self._release)
        for name in sorted(found.not_synced)[: slots(job, status=found.status)]:
            self._store.change_node_image(name, lambda cached: granted(cached, grant=grant))
        if found.status != job.status:
            self._store.put_job_status(msgspec.structs.replace(job, status=found.status))

    def _selected(self, job: Job) -> list[NodeImage] | None:
        """Return what a job selects, None where the cache does not show yet what the manager itself has written."""
        for _ in range(2):
            node_images = selected(job, node_images=self._store.node_images.all())
            if all(self._store.is_current(each) for each in node_images):
                return node_images
            self._store.poll_node_images()
        return None

    def _protected(self, job: Job) -> Job:
        if FINALIZER in job.metadata.finalizers:
            return job
        return self._store.put_job(_with_finalizers(job, [*job.metadata.finalizers, FINALIZER]))

    def _finalize(self, job: Job) -> None:
        self._copies.release(job)
        if FINALIZER in job.metadata.finalizers:
            self._store.put_job(_with_finalizers(job, [each for each in job.metadata.finalizers if each != FINALIZER]))

    def _expire(self, job: Job, *, pace: Pace) -> None:
        ttl, completed = job.completion.ttl_seconds_after_finished, job.status.completion_time
        if ttl is not None and completed and pace.elapsed_seconds(completed) >= ttl:
            self._store.delete_job(job)


def _with_finalizers(job: Job, finalizers: list[str]) -> Job:
    return msgspec.structs.replace(job, metadata=msgspec.structs.replace(job.metadata, finalizers=finalizers))
