"""
What a coordinator keeps of the objects that it watches, and nothing more: 5,000 NodeImages must fit into memory.

Values only; decoding.py makes them from the API server's JSON. Strings and values that many nodes have in common are
one object in memory.
"""

from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from daemon.api.imagepulljob import ImagePullJob
from daemon.api.nodeimage import SandboxConfig, SecretReference, TagEntry, TagStatus


class ImageKey(NamedTuple):
    """One image as a NodeImage names it: the repository's key, and a tag or digest."""

    repository: str
    tag: str


class Taint(msgspec.Struct, frozen=True, kw_only=True):
    """A taint of a Node."""

    key: str
    value: str = ""
    effect: str = ""


class SeenNode(msgspec.Struct, frozen=True, kw_only=True):
    """
    A Node.

    Attributes:
        name: its name, which its NodeImage has too.
        uid: which one of that name.
        created_at: when it was made.
        version: its resourceVersion.
        labels: what selectors look at.
        is_ready: its condition Ready is True.
        leaving: what says that it goes soon, such as a taint's key; "" where nothing does.
        agentless: why no agent can run there, such as "a windows node"; "" where one can.
        taints: in the object's own order.
    """

    name: str
    uid: str
    created_at: datetime
    version: int = 0
    labels: dict[str, str] = {}
    is_ready: bool = True
    leaving: str = ""
    agentless: str = ""
    taints: tuple[Taint, ...] = ()


class SeenAgent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an agent says of itself; the times are text, since only their change means something here."""

    version: str = ""
    runtime: str = ""
    started_at: str = ""
    reported_at: str = ""


class RepositorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What all tags of a repository share on a node."""

    pull_secrets: tuple[SecretReference, ...] = ()
    sandbox_config: SandboxConfig = SandboxConfig()


PLAIN_SETTINGS: Final = RepositorySettings()


class SeenNodeImage(msgspec.Struct, frozen=True, kw_only=True):
    """
    A NodeImage.

    Attributes:
        name: the node's.
        uid: which one of that name.
        generation: of its spec.
        version: its resourceVersion.
        node_uid: the Node that it was made for; "" where it does not say.
        is_fake: it stands for a machine without a Node (OpenKruise's label).
        is_deleting: it has a deletionTimestamp.
        labels: kept whole where it is fake, since selectors look at them then.
        labels_hash: tells whether the labels are the Node's.
        entries: what is wanted.
        settings: of each repository.
        statuses: what the node says.
        agent: who says so; None where it is no agent of ours.
        has_images: there is a spec.images to put a repository into.
        has_spec: there is a spec to put images into.
        has_statuses: there is a status.imageStatuses.
    """

    name: str
    uid: str
    generation: int = 0
    version: int = 0
    node_uid: str = ""
    is_fake: bool = False
    is_deleting: bool = False
    labels: dict[str, str] | None = None
    labels_hash: int = 0
    entries: dict[ImageKey, TagEntry] = {}
    settings: dict[str, RepositorySettings] = {}
    statuses: dict[ImageKey, TagStatus] = {}
    agent: SeenAgent | None = None
    has_images: bool = True
    has_spec: bool = True
    has_statuses: bool = True

    def answer(self, key: ImageKey) -> TagStatus | None:
        """Return what the node says of an entry's version; None where it has said nothing of that yet."""
        entry, status = self.entries.get(key), self.statuses.get(key)
        return status if entry is not None and status is not None and status.version == entry.version else None


class SeenPod(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod, as far as podSelectors go; one that is not bound or has ended is not active."""

    namespace: str
    name: str
    uid: str
    labels: dict[str, str] = {}
    node_name: str = ""
    is_active: bool = False


class JobProgress(msgspec.Struct, frozen=True, kw_only=True):
    """
    A job's status, as far as a new coordinator has to go on from it.

    `raw` is the whole of it, as it was decoded.
    """

    observed_generation: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    last_refresh_time: datetime | None = None
    raw: dict[str, object] = {}


class SeenJob(msgspec.Struct, frozen=True, kw_only=True):
    """
    An ImagePullJob with its status; `list_uid` and `list_name` are those of the ImageListPullJob which controls it, ""
    for none.

    `problems` says what is wrong with its spec. `job` and `key` are None where it can't be used at all; where only its
    refresh can't, the job has none.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    version: int
    created_at: datetime
    api_version: str = "apps.kruise.io/v1beta1"
    is_deleting: bool = False
    job: ImagePullJob | None = None
    key: ImageKey | None = None
    problems: tuple[str, ...] = ()
    status: JobProgress = JobProgress()
    list_uid: str = ""
    list_name: str = ""
    finalizers: tuple[str, ...] = ()

    @property
    def list_key(self) -> str:
        """The list as ListBook knows it, "" for none: whoever says so controls no job of another namespace."""
        return f"{self.namespace}/{self.list_uid}" if self.list_uid else ""


def labels_hash(labels: dict[str, str]) -> int:
    """Return a number that is the same for the same labels, within one process."""
    return hash(frozenset(labels.items()))
