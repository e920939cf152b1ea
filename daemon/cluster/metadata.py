"""What an object says of itself in its metadata, whatever its kind is. Pure."""

from collections.abc import Mapping

import msgspec

from daemon.cluster.errors import ServerFailed
from daemon.cluster.interface import Resource


Key = tuple[str, str]


class Identity(msgspec.Struct, frozen=True):
    """The part of metadata that tells objects and their states apart."""

    name: str
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815 - Kubernetes' name

    @property
    def key(self) -> Key:
        """Where the cache keeps it."""
        return (self.namespace, self.name)


def metadata_of(resource: Mapping[str, object]) -> dict[str, object]:
    """Return an object's metadata; empty where it has none."""
    metadata = resource.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def identity_of(resource: Resource) -> Identity:
    """
    Return who an object is.

    Raises:
        ServerFailed: it has no name, so it is no object.
    """
    try:
        return msgspec.convert(metadata_of(resource), Identity)
    except msgspec.ValidationError as error:
        raise ServerFailed(f"the server sent an object without a usable metadata: {error}") from error


def slim(resource: Resource) -> Resource:
    """Drop who manages which field, in place: often the largest part of an object, and of no use here."""
    metadata_of(resource).pop("managedFields", None)
    return resource
