"""One line of a watch, decoded: an object's change, a bookmark, or an error that ends the watch. Pure."""

from enum import StrEnum

import msgspec

from daemon.cluster.answers import error_of, status_of
from daemon.cluster.errors import ServerFailed
from daemon.cluster.interface import Resource
from daemon.cluster.metadata import metadata_of, slim


class Sort(StrEnum):
    """What a line says, in Kubernetes' words; another word is for a newer client than this one."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a watch; `version` is where to go on after it."""

    sort: str
    resource: Resource
    version: str


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Line)
_OBJECTS = msgspec.json.Decoder(dict[str, object])


def sighting_of(line: bytes, *, path: str) -> Sighting:
    """
    Decode a line.

    Raises:
        Expired: the version that was watched from is gone.
        ClusterError: another error of the server's, or the line is no watch's.
    """
    decoded = _decoded(line)
    if decoded is None:
        # Not chained: the decoder's error may quote the object.
        raise ServerFailed(f"watch {path}: the server sent a line that is no watch event")
    sort, content, resource = decoded
    if sort == Sort.ERROR:
        status = status_of(content)
        raise error_of(f"watch {path}", code=status.code, status=status)
    version = metadata_of(resource).get("resourceVersion")
    if not isinstance(version, str) or not version:
        raise ServerFailed(f"watch {path}: the server sent an object without a resourceVersion")
    return Sighting(sort=sort, resource=slim(resource), version=version)


def _decoded(line: bytes) -> tuple[str, bytes, Resource] | None:
    try:
        event = _DECODER.decode(line)
        content = bytes(event.object)
        return event.type, content, _OBJECTS.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
