"""
What `prewarm status` knows, as values: the documents of --output json and yaml, from which the pages are made too.

Their fields are documented in docs/status.md, and only ever added to. Absent is null; times are UTC.
"""

from datetime import datetime

import msgspec

from daemon.overview.surveys import AgentCount, ImageLine, NodeLine, RegistryLine


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The selected nodes of a job, each in one of four groups."""

    selected: int = 0
    warm: int = 0
    stale: int = 0
    cold: int = 0
    skipped: int = 0


class Bytes(msgspec.Struct, frozen=True, kw_only=True):
    """Compressed bytes of pulls that run: here now, and in all."""

    done: int = 0
    total: int = 0


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of an object."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    since: datetime | None = None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What lies on so many nodes."""

    digest: str
    nodes: int = 0


class ReasonGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes with one reason: how many, the first of them by name, one's words, and when the next is tried again."""

    reason: str
    count: int = 0
    nodes: tuple[str, ...] = ()
    message: str = ""
    retry_at: datetime | None = None


class FailedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a list that failed somewhere."""

    image: str = ""
    job: str = ""
    message: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """
    A job or a list, as its object tells it.

    `nodes`, `pulling` and `waiting` are null where no coordinator of ours has written them (OpenKruise's CRDs do not
    keep them). `desired`, `active`, `succeeded` and `failed` count nodes, of a list images; `completed` is a list's
    alone. `list` and `list_uid` are the list that a job belongs to. `is_observed`: the status is about the spec as it
    is now. `window_ends_at`: until then nodes may begin in the refresh that runs.
    """

    kind: str
    namespace: str
    name: str
    uid: str = ""
    image: str = ""
    images: tuple[str, ...] = ()
    list: str = ""
    list_uid: str = ""
    created_at: datetime | None = None
    completion: str = ""
    image_pull_policy: str = ""
    parallelism: int | str | None = None
    list_parallelism: int | str | None = None
    schedule: str = ""
    time_zone: str = ""
    priority: int = 0
    is_gating: bool = False
    is_suspended: bool = False
    is_observed: bool = False
    is_deleting: bool = False
    summary: str = ""
    nodes: Counts | None = None
    pulling: int | None = None
    waiting: int | None = None
    desired: int | None = None
    active: int | None = None
    completed: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    bytes: Bytes | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    eta: datetime | None = None
    last_refresh_at: datetime | None = None
    next_refresh_at: datetime | None = None
    window_ends_at: datetime | None = None
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    digests: tuple[Digest, ...] = ()
    failures: tuple[ReasonGroup, ...] = ()
    skipped: tuple[ReasonGroup, ...] = ()
    failed_images: tuple[FailedImage, ...] = ()


class JobNode(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where one node stands for one job.

    `group` is warm, stale, cold or skipped; `state` Waiting, Granted, Pulling, Succeeded or Failed; `since` when the
    pull or the grant began, or when it ended; `reported_at` when the node's agent last reported.
    """

    node: str
    group: str
    state: str
    reason: str = ""
    message: str = ""
    attempt: int = 0
    percent: int | None = None
    bytes: Bytes | None = None
    stage: str = ""
    since: datetime | None = None
    retry_at: datetime | None = None
    digest: str = ""
    reported_at: datetime | None = None


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """
    One image of one node: what is wanted (by whom), and what the node says of it.

    `phase` is "" while the node has not answered this version. `is_wanted` false: only the node still speaks of it.
    """

    image: str
    phase: str = ""
    reason: str = ""
    message: str = ""
    attempt: int = 0
    attempts_allowed: int = 0
    percent: int | None = None
    bytes: Bytes | None = None
    stage: str = ""
    version: int = 0
    granted_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    owners: tuple[str, ...] = ()
    priority: int = 0
    is_wanted: bool = True
    is_suspended: bool = False
    is_changed: bool | None = None
    digest: str = ""
    image_id: str = ""


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """Who reports for a node."""

    version: str = ""
    runtime: str = ""
    started_at: datetime | None = None
    reported_at: datetime | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node: its agent, its images, and why jobs leave it out, if they do."""

    name: str
    created_at: datetime | None = None
    agent: Agent | None = None
    skip_reason: str = ""
    skip_message: str = ""
    conditions: tuple[Condition, ...] = ()
    entries: tuple[NodeEntry, ...] = ()


class JobsDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Jobs"):
    """Every job of a namespace, or of all; `notes` say what could not be told."""

    time: datetime
    namespace: str | None = None
    jobs: tuple[Job, ...] = ()
    notes: tuple[str, ...] = ()


class JobDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Job"):
    """One job with its nodes."""

    time: datetime
    job: Job
    nodes: tuple[JobNode, ...] = ()
    notes: tuple[str, ...] = ()


class ListDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="List"):
    """One list with the jobs of its images."""

    time: datetime
    job: Job
    jobs: tuple[Job, ...] = ()
    notes: tuple[str, ...] = ()


class NodeDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Node"):
    """One node with its images."""

    time: datetime
    node: Node
    notes: tuple[str, ...] = ()


class NodesDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Nodes"):
    """Every node, and which agents there are."""

    time: datetime
    agents: tuple[AgentCount, ...] = ()
    nodes: tuple[NodeLine, ...] = ()
    notes: tuple[str, ...] = ()


class ImagesDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Images"):
    """Every image that is wanted somewhere, and the registries that they are from."""

    time: datetime
    registries: tuple[RegistryLine, ...] = ()
    images: tuple[ImageLine, ...] = ()
    notes: tuple[str, ...] = ()


Document = JobsDocument | JobDocument | ListDocument | NodeDocument | NodesDocument | ImagesDocument
