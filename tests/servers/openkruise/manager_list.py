"""
An ImageListPullJob as OpenKruise's manager knows it; see manager_objects.py for why it has types of its own.

Its template is a job's spec without the image. Counters are written when they are 0, too.
"""

import json
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from tests.servers.openkruise.manager_job import CompletionPolicy, JobSpec, PullPolicy, Selector
from tests.servers.openkruise.manager_metadata import Metadata
from tests.servers.openkruise.manager_nodeimage import SandboxConfig


HASH_LABEL: Final = "controller-revision-hash"

_OFFSET: Final = 2166136261
_PRIME: Final = 16777619


class ListSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A list's: its images, and what each of their jobs is like."""

    images: tuple[str, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    selector: Selector | None = None
    parallelism: int | str | None = None
    pull_policy: PullPolicy | None = None
    completion_policy: CompletionPolicy | UnsetType = UNSET
    sandbox_config: SandboxConfig | None = None
    image_pull_policy: str = ""


class FailedImage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One of an image that some node does not have."""

    image_pull_job: str = ""
    name: str = ""
    message: str = ""


class ListStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A list's."""

    start_time: datetime | UnsetType = UNSET
    completion_time: datetime | UnsetType = UNSET
    desired: int = 0
    active: int = 0
    completed: int = 0
    succeeded: int = 0
    failed_image_statuses: tuple[FailedImage, ...] | UnsetType = UNSET


class ListJob(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An ImageListPullJob without its apiVersion and kind."""

    metadata: Metadata = Metadata()
    spec: ListSpec = ListSpec()
    status: ListStatus = ListStatus()

    @property
    def completion(self) -> CompletionPolicy:
        """When it ends."""
        return self.spec.completion_policy or CompletionPolicy()


def child_spec(found: ListJob, *, image: str) -> JobSpec:
    """Return the spec of the job of one image: the template as it is, its time to live too."""
    template = {name: getattr(found.spec, name) for name in found.spec.__struct_fields__ if name != "images"}
    return JobSpec(image=image, **template)


def template_hash(found: ListJob) -> str:
    """Return what the label says: 32 bits of everything but the images, by FNV-1a."""
    template = msgspec.to_builtins(msgspec.structs.replace(found.spec, images=()))
    value = _OFFSET
    for byte in json.dumps(template, sort_keys=True).encode():
        value = (value ^ byte) * _PRIME % 2**32
    return str(value)
