"""
What kubelets say of the images on their nodes: names and sizes, in the status of each Node.

Pure. A kubelet names its largest images, 50 as it comes (--node-status-max-images), under the runtime's full names.
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class NodeSizes(msgspec.Struct, frozen=True, kw_only=True):
    """The images of a node: the bytes of each, by its first name, and every other name it has."""

    name: str
    bytes_by_name: Mapping[str, int] = {}
    aliases: Mapping[str, str] = {}


class _Image(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    names: tuple[str, ...] | None = None
    size_bytes: int = 0


class _Metadata(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    images: tuple[_Image, ...] | None = None


class _Node(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Metadata
    status: _Status | None = None


_NODE: Final = msgspec.json.Decoder(_Node)


def sizes_of(content: bytes) -> NodeSizes:
    """
    Return a Node's images from its JSON.

    Raises:
        ValueError: it is no Node (msgspec.DecodeError is a ValueError).
    """
    found = _NODE.decode(content)
    sizes, aliases = {}, {}
    for image in (found.status.images if found.status is not None else None) or ():
        names = image.names or ()
        if names:
            sizes[names[0]] = image.size_bytes
            aliases.update(dict.fromkeys(names, names[0]))
    return NodeSizes(name=found.metadata.name, bytes_by_name=sizes, aliases=aliases)
