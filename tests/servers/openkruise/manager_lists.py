"""
One pass over an ImageListPullJob: a job for each image, made anew when the template has changed, and the list's status.

As OpenKruise's does it, with its oddities: a job goes and comes again with every edit of the template, whose hash is in
a label; each has the list's time to live, so one that ends early is deleted and made once more.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Final

import msgspec
from msgspec import UNSET

from tests.servers.openkruise.manager_client import Client
from tests.servers.openkruise.manager_job import Job
from tests.servers.openkruise.manager_list import (
    HASH_LABEL,
    FailedImage,
    ListJob,
    ListStatus,
    child_spec,
    template_hash,
)
from tests.servers.openkruise.manager_metadata import Metadata
from tests.servers.openkruise.manager_objects import GROUP, Release, decoded, encoded
from tests.servers.openkruise.manager_pace import Pace


_HINT: Final = "look at the ImagePullJob of this image"


class ListController:
    """Brings lists to their end, one pass at a time; the jobs that it sees are the caller's."""

    def __init__(self, client: Client, *, release: Release) -> None:
        self._client = client
        self._release = release

    def all(self) -> list[ListJob]:
        """Return the lists that there are now."""
        items = self._client.items(f"/apis/{GROUP}/{self._release}/imagelistpulljobs")
        return [decoded(item, into=ListJob) for item in items]

    def reconcile(self, found: ListJob, *, jobs: list[Job], pace: Pace) -> None:
        """Do what a list needs now."""
        if found.status.completion_time:
            self._expire(found, pace=pace)
            return
        found = self._labelled(found)
        children = {job.spec.image: job for job in jobs if _is_child(job, of=found)}
        status = _counted(found, children=children, pace=pace)
        self._make(found, children=children)
        if status != found.status:
            self._put_status(msgspec.structs.replace(found, status=status))

    def _labelled(self, found: ListJob) -> ListJob:
        wanted = {**found.metadata.labels, HASH_LABEL: template_hash(found)}
        if wanted == found.metadata.labels:
            return found
        metadata = msgspec.structs.replace(found.metadata, labels=wanted)
        changed = msgspec.structs.replace(found, metadata=metadata)
        answer = self._client.replace(self._path(found), encoded(changed, release=self._release))
        return decoded(answer, into=ListJob)

    def _make(self, found: ListJob, *, children: Mapping[str, Job]) -> None:
        """Bring what is missing, and take away what is listed no more or is of an older template."""
        current = found.metadata.labels[HASH_LABEL]
        kept = {image for image, job in children.items() if job.metadata.labels.get(HASH_LABEL) == current}
        for image, job in children.items():
            if image not in kept or image not in found.spec.images:
                self._client.delete(self._path(job))
        for image in found.spec.images:
            if image not in kept:
                self._create(found, image=image, current=current)

    def _create(self, found: ListJob, *, image: str, current: str) -> None:
        owner: dict[str, object] = {
            "apiVersion": f"{GROUP}/{self._release}",
            "kind": "ImageListPullJob",
            "name": found.metadata.name,
            "uid": found.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        metadata = Metadata(
            generate_name=f"{found.metadata.name}-",
            namespace=found.metadata.namespace,
            labels={HASH_LABEL: current},
            owner_references=[owner],
        )
        child = Job(metadata=metadata, spec=child_spec(found, image=image))
        path = f"/apis/{GROUP}/{self._release}/namespaces/{found.metadata.namespace}/imagepulljobs"
        self._client.create(path, encoded(child, release=self._release))

    def _expire(self, found: ListJob, *, pace: Pace) -> None:
        ttl, completed = found.completion.ttl_seconds_after_finished, found.status.completion_time
        if ttl is not None and completed and pace.elapsed_seconds(completed) >= ttl:
            self._client.delete(self._path(found))

    def _put_status(self, found: ListJob) -> None:
        self._client.replace(f"{self._path(found)}/status", encoded(found, release=self._release))

    def _path(self, found: ListJob | Job) -> str:
        plural = "imagelistpulljobs" if isinstance(found, ListJob) else "imagepulljobs"
        metadata = found.metadata
        return f"/apis/{GROUP}/{self._release}/namespaces/{metadata.namespace}/{plural}/{metadata.name}"


def _is_child(job: Job, *, of: ListJob) -> bool:
    is_owned = any(owner.get("uid") == of.metadata.uid for owner in job.metadata.owner_references)
    return is_owned and job.metadata.deletion_timestamp is None


def _counted(found: ListJob, *, children: Mapping[str, Job], pace: Pace) -> ListStatus:
    """Count the jobs that have begun; an Always list has ended when every image's job has."""
    begun = {image: job for image, job in children.items() if image in found.spec.images and job.status.start_time}
    ended = [job for job in begun.values() if job.status.desired == job.status.failed + job.status.succeeded]
    failed = [(image, job) for image, job in begun.items() if job.status.failed]
    now = pace.now.astimezone(UTC).replace(microsecond=0)
    desired = len(found.spec.images)
    is_over = found.completion.type != "Never" and desired == len(ended)
    return ListStatus(
        start_time=found.status.start_time or now,
        completion_time=now if is_over else UNSET,
        desired=desired,
        active=sum(1 for job in begun.values() if job.status.active),
        completed=len(ended),
        succeeded=sum(1 for job in ended if job.status.desired == job.status.succeeded),
        failed_image_statuses=tuple(
            FailedImage(image_pull_job=job.metadata.name, name=image, message=_HINT) for image, job in failed
        )
        or UNSET,
    )
