"""One line of a watch, decoded: an object's change, a bookmark, or an error that ends the watch. Pure."""

from enum import StrEnum

import msgspec

from daemon.cluster.answers import error_of, status_of
from daemon.cluster.errors import ServerFailed
from daemon.cluster.metadata import UNREADABLE, Identity, identity_of, named_identity_of


class Sort(StrEnum):
    """What a line says, in Kubernetes' words; another word is for a newer client than this one."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a watch: who it is about, and the object as its JSON."""

    sort: str
    identity: Identity
    content: bytes


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Line)


def sighting_of(line: bytes, *, path: str) -> Sighting:
    """
    Decode a line as far as every kind has it; its object is left to who knows the kind.

    Raises:
        Expired: the version that was watched from is gone.
        ClusterError: another error of the server's, or the line is no watch's.
    """
    sort, content = _decoded(line, path=path)
    if sort == Sort.ERROR:
        status = status_of(content)
        raise error_of(f"watch {path}", code=status.code, status=status)
    identity = identity_of(content) if sort == Sort.BOOKMARK else named_identity_of(content)
    if not identity.resourceVersion:
        raise ServerFailed(f"watch {path}: the server sent an object without a resourceVersion")
    return Sighting(sort=sort, identity=identity, content=content)


def _decoded(line: bytes, *, path: str) -> tuple[str, bytes]:
    try:
        event = _DECODER.decode(line)
        return event.type, bytes(event.object)
    except UNREADABLE:
        # Not chained: the decoder's error may quote the object.
        problem = f"watch {path}: the server sent a line that is no watch event"
    raise ServerFailed(problem)
