"""
What a machine without an API server should have: the chosen jobs as one NodeImage, and when each image is due again.

Pure. It stands in for the coordinator on one node, by the same rules (entries.py); progress of jobs over nodes is not
its business.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from daemon.api.imagepulljob import CompletionType, ImagePullJob
from daemon.api.nodeimage import ImageSpec, NodeImage, Phase, SecretReference, TagEntry
from daemon.entries import merged, next_renewal, next_round, tag_entry
from daemon.node.backoff import ErrorClass, error_class
from daemon.node.task import NodeState, Task
from daemon.node.wanted import Key


UID = "standalone"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where one image stands: the version wanted now, since when, and how its last rounds went.

    A renewal counts from `granted_at` and not from the pull's end: what has moved while it was pulled is due again.
    `failures` counts failed rounds in a row, the last of which ended at `failed_at`.
    """

    version: int = 1
    granted_at: datetime
    has_succeeded: bool = False
    failures: int = 0
    is_permanent: bool = False
    failed_at: datetime | None = None


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs of this machine by the image that they share, in the order of the manifests."""

    owners: dict[Key, tuple[ImagePullJob, ...]]
    standings: dict[Key, Standing]
    node: str
    generation: int = 1


def wishes_of(jobs: Iterable[ImagePullJob], *, node: str, now: datetime) -> Wishes:
    """Group jobs by image; several jobs on one image share one pull."""
    owners: dict[Key, tuple[ImagePullJob, ...]] = {}
    for job in jobs:
        repository, entry = tag_entry(job, now=now, version=1, spread=0.5)
        key = Key(repository, entry.tag)
        owners[key] = (*owners.get(key, ()), job)
    return Wishes(owners=owners, standings=dict.fromkeys(owners, Standing(granted_at=now)), node=node)


def node_image(wishes: Wishes, *, now: datetime) -> NodeImage:
    """Write the wishes as the NodeImage that a coordinator would have written."""
    images: dict[str, ImageSpec] = {}
    for key, jobs in wishes.owners.items():
        entry = _entry(jobs, version=wishes.standings[key].version, now=now)
        spec = images.get(key.repository)
        secrets = [
            SecretReference(namespace=job.namespace, name=name) for job in jobs for name in job.template.pull_secrets
        ]
        images[key.repository] = ImageSpec(
            tags=(*(spec.tags if spec else ()), entry),
            pull_secrets=tuple(dict.fromkeys((*(spec.pull_secrets if spec else ()), *secrets))),
            sandbox_config=spec.sandbox_config if spec else jobs[0].template.sandbox_config,
        )
    return NodeImage(name=wishes.node or UID, uid=UID, generation=wishes.generation, images=images)


def _entry(jobs: tuple[ImagePullJob, ...], *, version: int, now: datetime) -> TagEntry:
    return merged([tag_entry(job, now=now, version=version, spread=0.5)[1] for job in jobs])


def noted(wishes: Wishes, state: NodeState) -> Wishes:
    """Take over what the node says: an end of the wanted version moves the image's next renewal or round."""
    standings = {key: _noted(standing, state.tasks.get(key)) for key, standing in wishes.standings.items()}
    return replace(wishes, standings=standings)


def _noted(standing: Standing, task: Task | None) -> Standing:
    if task is None or task.wanted.version != standing.version or not task.completed_at:
        return standing
    if task.phase is Phase.SUCCEEDED:
        return Standing(version=standing.version, granted_at=standing.granted_at, has_succeeded=True)
    if standing.failed_at == task.completed_at:
        return standing
    is_permanent = task.reason is not None and error_class(task.reason) is ErrorClass.PERMANENT
    failures = standing.failures + 1
    return replace(standing, failures=failures, is_permanent=is_permanent, failed_at=task.completed_at)


def due_at(wishes: Wishes, key: Key, *, now: datetime) -> datetime | None:
    """Tell when an image is to be asked for again: at its jobs' refresh, or at the next round of one that failed."""
    standing = wishes.standings[key]
    jobs = [job for job in wishes.owners[key] if job.template.completion_policy.type is CompletionType.NEVER]
    if not jobs:
        return None
    if standing.failed_at is not None:
        return next_round(failures=standing.failures, permanent=standing.is_permanent, failed_at=standing.failed_at)
    if not standing.has_succeeded:
        return None
    return min(next_renewal(job, last=standing.granted_at, now=now, node=wishes.node) for job in jobs)


def renewed(wishes: Wishes, *, now: datetime) -> Wishes:
    """Give every image that is due a new version; the same wishes where none is."""
    due = {key for key in wishes.owners if (at := due_at(wishes, key, now=now)) is not None and at <= now}
    if not due:
        return wishes
    standings = {
        key: _next_version(standing, now=now) if key in due else standing for key, standing in wishes.standings.items()
    }
    return replace(wishes, standings=standings, generation=wishes.generation + 1)


def _next_version(standing: Standing, *, now: datetime) -> Standing:
    return replace(standing, version=standing.version + 1, granted_at=now, has_succeeded=False, failed_at=None)


def next_due(wishes: Wishes, *, now: datetime) -> datetime | None:
    """Tell when the first image is due again."""
    times = (due_at(wishes, key, now=now) for key in wishes.owners)
    return min((at for at in times if at is not None), default=None)
