"""Values that the tests of the stand-in's decisions begin with."""

from datetime import UTC, datetime

from tests.servers.openkruise.manager_job import CompletionPolicy, Job, JobSpec, PullPolicy, Selector
from tests.servers.openkruise.manager_metadata import Metadata
from tests.servers.openkruise.manager_nodeimage import (
    Entry,
    EntryPolicy,
    Image,
    ImageStatus,
    NodeImage,
    NodeImageSpec,
    NodeImageStatus,
    Owner,
    TagStatus,
)
from tests.servers.openkruise.manager_pace import Pace


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PACE = Pace(now=NOW)
REPOSITORY = "registry.test/app"


def job(
    uid: str = "uid-j",
    *,
    image: str = f"{REPOSITORY}:v1",
    parallelism: int | str | None = None,
    completion: CompletionPolicy = CompletionPolicy(),  # noqa: B008 - a frozen value
    pull: PullPolicy | None = None,
    selector: Selector | None = None,
    policy: str = "",
) -> Job:
    """Return a job of namespace team, named after its uid."""
    metadata = Metadata(name=uid.removeprefix("uid-"), namespace="team", uid=uid)
    spec = JobSpec(
        image=image,
        parallelism=parallelism,
        completion_policy=completion,
        pull_policy=pull,
        selector=selector,
        image_pull_policy=policy,
    )
    return Job(metadata=metadata, spec=spec)


def owner(uid: str = "uid-j") -> Owner:
    """Return a job as an owner."""
    name = uid.removeprefix("uid-")
    return Owner(api_version="apps.kruise.io/v1beta1", kind="ImagePullJob", namespace="team", name=name, uid=uid)


def entry(tag: str = "v1", *, version: int = 0, owners: tuple[Owner, ...] = (), ttl: int | None = None) -> Entry:
    """Return a tag entry that was made now."""
    policy = EntryPolicy(timeout_seconds=600, backoff_limit=3, ttl_seconds_after_finished=ttl)
    return Entry(tag=tag, created_at=NOW, version=version, owner_references=owners or (owner(),), pull_policy=policy)


def status(tag: str = "v1", *, phase: str = "Succeeded", version: int = 0) -> TagStatus:
    """Return a tag status, completed now if it is an end."""
    is_ended = phase in {"Succeeded", "Failed"}
    return TagStatus(tag=tag, phase=phase, version=version, completion_time=NOW if is_ended else None)


def node_image(
    name: str = "node-a", *, entries: tuple[Entry, ...] = (), statuses: tuple[TagStatus, ...] = ()
) -> NodeImage:
    """Return a NodeImage with these of one repository."""
    spec = NodeImageSpec(images={REPOSITORY: Image(tags=entries)} if entries else {})
    told = {REPOSITORY: ImageStatus(tags=statuses)} if statuses else {}
    metadata = Metadata(name=name, uid=f"uid-{name}", resource_version="7", labels={"zone": "a"})
    return NodeImage(metadata=metadata, spec=spec, status=NodeImageStatus(image_statuses=told))
