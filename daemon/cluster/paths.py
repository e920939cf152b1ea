"""What a request's path names, for counters and messages: bounded words, whatever the path is. Pure."""

from enum import StrEnum

import msgspec


DISCOVERY = "discovery"


class Verb(StrEnum):
    """What is done to a resource, as RBAC calls it."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    PATCH = "patch"
    UPDATE = "update"
    DELETE = "delete"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with its subresource ("nodeimages/status"), and the name of the object where one is named."""

    resource: str
    name: str = ""


def reading_verb(path: str) -> Verb:
    """Return what reading a path is called: a collection is listed, anything else is got."""
    target = target_of(path)
    return Verb.GET if target.name or target.resource == DISCOVERY else Verb.LIST


def target_of(path: str) -> Target:
    """Return what a path below /api/v1 or /apis/GROUP/VERSION names; "discovery" for what is above."""
    parts = [part for part in path.split("/") if part]
    rest = parts[2:] if parts[:1] == ["api"] else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":  # noqa: PLR2004 - namespaces/NAME/RESOURCE
        rest = rest[2:]
    if not rest:
        return Target(resource=DISCOVERY)
    return Target(resource="/".join([rest[0], *rest[2:]]), name=rest[1] if len(rest) > 1 else "")
