"""
Values as the API server takes them: camelCase, times with Z, nothing that is absent.

The way back is manifest.py's `parse_object`, or objects.py's for one kind. A NodeImage's status carries the tag
statuses alone: its counters and conditions are the report's.
"""

import functools
from datetime import datetime

import msgspec

from daemon.api.imagepulljob import ImageListPullJob, ImagePullJob
from daemon.api.nodeimage import NodeImage
from daemon.api.objects import Resource
from daemon.api.times import format_time


# Absent and empty mean the same for these, and a schema without them would warn of them.
_DROPPED_WHEN_EMPTY = ("prewarm", "pullSecrets", "sandboxConfig", "ownerReferences")


def resource_to_wire(resource: Resource, *, api_version: str = "") -> dict[str, object]:
    """
    Return a whole object, ready for JSON or YAML.

    Args:
        resource: a job, a list or a NodeImage.
        api_version: such as apps.kruise.io/v1beta1; a NodeImage has none of its own, a job keeps its own when "".

    """
    own = "" if isinstance(resource, NodeImage) else resource.api_version
    return {
        "apiVersion": api_version or own or "apps.kruise.io/v1beta1",
        "kind": type(resource).__name__,
        "metadata": _metadata(resource),
        **_content(resource),
    }


def to_wire(value: msgspec.Struct) -> dict[str, object]:
    """Return a part of an object, such as an ImageSpec or a TagStatus, as it stands in there."""
    plain = _plain(value)
    return plain if isinstance(plain, dict) else {}


def _metadata(resource: Resource) -> dict[str, object]:
    namespace = "" if isinstance(resource, NodeImage) else resource.namespace
    fields: dict[str, object] = {
        "name": resource.name,
        "namespace": namespace,
        "uid": resource.uid,
        "generation": resource.generation,
    }
    return {name: value for name, value in fields.items() if value}


def _content(resource: Resource) -> dict[str, object]:
    match resource:
        case ImagePullJob():
            return {"spec": {"image": resource.image, **to_wire(resource.template)}}
        case ImageListPullJob():
            return {"spec": {"images": list(resource.images), **to_wire(resource.template)}}
        case NodeImage():
            spec = {"images": {repository: to_wire(image) for repository, image in resource.images.items()}}
            statuses = {
                repository: {"tags": [to_wire(status) for status in tags]}
                for repository, tags in resource.statuses.items()
            }
            return {"spec": spec, "status": {"imageStatuses": statuses}} if statuses else {"spec": spec}


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _members(value)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, str) else value


def _members(value: msgspec.Struct) -> dict[str, object]:
    found: dict[str, object] = {}
    omits_defaults = type(value).__struct_config__.omit_defaults
    for field in _fields(type(value)):
        inner = getattr(value, field.name)
        if omits_defaults and inner == _default(field):
            continue
        plain = _plain(inner)
        if not _is_absent(field.encode_name, plain):
            found[field.encode_name] = plain
    return found


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _is_absent(name: str, value: object) -> bool:
    return value is None or (name in _DROPPED_WHEN_EMPTY and not value)
