"""
What a hollow agent reads of a NodeImage: one line of a watch, decoded no further than it needs. Pure.

An agent on a node is told of its own NodeImage alone; here one process is told of all of them, twice for each write of
its own. So a change that has left the spec alone is known by its generation, before the rest is decoded.
"""

from typing import Final, NamedTuple

import msgspec

from daemon.api.nodeimage import TagStatus
from daemon.cluster.errors import ServerFailed


class ImageKey(NamedTuple):
    """An image of a node."""

    repository: str
    tag: str


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """Which object it is, and of which version."""

    name: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""


class Additions(msgspec.Struct, frozen=True):
    """What of a tag entry's `prewarm` an agent acts on here."""

    suspended: bool = False


class Entry(msgspec.Struct, frozen=True):
    """One wanted tag."""

    tag: str
    version: int = 0
    prewarm: Additions = Additions()


class Image(msgspec.Struct, frozen=True):
    """The wanted tags of a repository."""

    tags: tuple[Entry, ...] = ()


class Spec(msgspec.Struct, frozen=True):
    """Everything wanted."""

    images: dict[str, Image] | None = None


class TagStatuses(msgspec.Struct, frozen=True):
    """What is said of the tags of a repository."""

    tags: tuple[TagStatus, ...] = ()


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What is said so far; absent maps are told from empty ones, because a JSON Patch has to make them."""

    image_statuses: dict[str, TagStatuses] | None = None
    prewarm: dict[str, object] | None = None


class SeenNodeImage(msgspec.Struct, frozen=True):
    """A NodeImage as the API server has it."""

    metadata: Metadata
    spec: Spec = Spec()
    status: Status | None = None

    @property
    def wanted(self) -> dict[ImageKey, Entry]:
        """The wanted tags of all repositories."""
        images = self.spec.images or {}
        return {ImageKey(repository, entry.tag): entry for repository, image in images.items() for entry in image.tags}

    @property
    def statuses(self) -> dict[ImageKey, TagStatus]:
        """What is said of each tag."""
        images = (self.status.image_statuses if self.status else None) or {}
        return {ImageKey(repository, one.tag): one for repository, image in images.items() for one in image.tags}


class _Head(msgspec.Struct, frozen=True):
    metadata: Metadata


_HEAD: Final = msgspec.json.Decoder(_Head)
_WHOLE: Final = msgspec.json.Decoder(SeenNodeImage)


def metadata_of(content: bytes | msgspec.Raw) -> Metadata:
    """
    Read who an object is, and nothing else of it.

    Raises:
        ServerFailed: it is no object.
    """
    try:
        return _HEAD.decode(content).metadata
    except msgspec.MsgspecError as error:
        raise ServerFailed(f"an object that is none: {error}") from error


def node_image_of(content: bytes | msgspec.Raw) -> SeenNodeImage:
    """
    Read a NodeImage.

    Raises:
        ServerFailed: it is none.
    """
    try:
        return _WHOLE.decode(content)
    except msgspec.MsgspecError as error:
        raise ServerFailed(f"a NodeImage that is none: {error}") from error
