"""
What an object says of itself in its metadata, whatever its kind is, and why one can't be read. Pure.

Objects come as JSON and are decoded by who knows their kind; here only who they are is read.
"""

import re
from collections.abc import Mapping

import msgspec

from daemon.cluster.errors import ServerFailed


Key = tuple[str, str]

# What a decoder raises for bytes that are not what it expects.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

_PLACE = re.compile(r" - at `([^`]*)`\Z")


class Identity(msgspec.Struct, frozen=True):
    """The part of metadata that tells objects and their states apart."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815 - Kubernetes' name

    @property
    def key(self) -> Key:
        """Where it is kept: namespace and name."""
        return (self.namespace, self.name)


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody wrote into an object, as its managedFields have it; `time` is RFC 3339 in UTC."""

    manager: str = ""
    subresource: str = ""
    time: str = ""


class _Object(msgspec.Struct, frozen=True):
    metadata: Identity


_OBJECT = msgspec.json.Decoder(_Object)
_RESOURCE = msgspec.json.Decoder(dict[str, object])


def metadata_of(resource: Mapping[str, object]) -> dict[str, object]:
    """Return an object's metadata; empty where it has none."""
    metadata = resource.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def identity_of(content: bytes) -> Identity:
    """
    Return who the object in this JSON is; without a name where it is a bookmark.

    Raises:
        ServerFailed: it is no object.
    """
    try:
        return _OBJECT.decode(content).metadata
    except UNREADABLE:
        # Not chained: the decoder's error may quote the object.
        problem = "the server sent an object without a usable metadata"
    raise ServerFailed(problem)


def named_identity_of(content: bytes) -> Identity:
    """
    Return who the object in this JSON is.

    Raises:
        ServerFailed: it has no name, so it is no object.
    """
    identity = identity_of(content)
    if not identity.name:
        raise ServerFailed("the server sent an object without a name")
    return identity


def decode_resource(content: bytes) -> dict[str, object]:
    """
    Decode a whole object, but for who manages which field: often the largest part of it, and of no use here.

    Raises:
        msgspec.MsgspecError, ValueError, RecursionError: it is no JSON object.
    """
    resource = _RESOURCE.decode(content)
    metadata_of(resource).pop("managedFields", None)
    return resource


def writings_of(resource: Mapping[str, object]) -> tuple[Writing, ...]:
    """Return who wrote an object that `decode_with_writings` decoded; empty where that is not told."""
    found = metadata_of(resource).get("managedFields")
    return tuple(each for each in found if isinstance(each, Writing)) if isinstance(found, list) else ()


def decode_with_writings(content: bytes) -> dict[str, object]:
    """
    Decode a whole object as `decode_resource` does, and keep who wrote it when, but not which fields.

    Raises:
        msgspec.MsgspecError, ValueError, RecursionError: it is no JSON object.
    """
    resource = _RESOURCE.decode(content)
    metadata = metadata_of(resource)
    found = metadata.pop("managedFields", None)
    if isinstance(found, list):
        metadata["managedFields"] = [_writing(each) for each in found if isinstance(each, dict)]
    return resource


def _writing(entry: dict[str, object]) -> Writing:
    return Writing(**{name: str(entry[name]) for name in Writing.__struct_fields__ if name in entry})


def unreadable_words(error: Exception) -> str:
    """Say what is wrong with an object that a decoder refused, without a word of what is in it."""
    said = str(error) if isinstance(error, msgspec.MsgspecError) else ""
    if said.startswith(("Expected ", "Object missing ")):  # what was expected is ours, and what came is named by type
        return f"the object can't be read: {said}"
    place = _PLACE.search(said)
    return f"the object can't be read at `{place[1]}`" if place else "the object can't be read"
