"""JSON documents as an API server changes them: patches make a new document and leave the old one as it was."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.cluster.errors import Invalid


Json = dict[str, Any]


def json_patched(document: Json, operations: Sequence[Json]) -> Json:
    """
    Apply a JSON Patch of the kinds that are used: test, add, replace and remove.

    Raises:
        Invalid: a test failed, or there is nothing at a path.
    """
    for operation in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        if operation["op"] == "test":
            if _find(document, parts) != operation["value"]:
                raise Invalid(f"test of {operation['path']} failed", code=422)
        else:
            document = _changed(document, parts, operation)
    return document


def merge_patched(document: Json, patch: Mapping[str, Any]) -> Json:
    """Apply a merge patch (RFC 7386)."""
    found = dict(document)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, Mapping):
            before = found.get(name)
            found[name] = merge_patched(before if isinstance(before, dict) else {}, value)
        else:
            found[name] = value
    return found


def _find(document: Any, parts: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    for part in parts:
        if isinstance(document, list):
            document = document[int(part)] if int(part) < len(document) else None
        else:
            document = (document or {}).get(part)
    return document


def _changed(document: Any, parts: Sequence[str], operation: Json) -> Any:  # noqa: ANN401 - JSON
    if not parts:
        return operation["value"]
    part, rest = parts[0], parts[1:]
    key: Any = int(part) if isinstance(document, list) else part
    found = list(document) if isinstance(document, list) else dict(document)
    has_it = key < len(found) if isinstance(found, list) else key in found
    if not has_it and (rest or operation["op"] != "add"):
        raise Invalid(f"nothing at {operation['path']}", code=422)
    if rest:
        found[key] = _changed(found[key], rest, operation)
    elif operation["op"] == "remove":
        del found[key]
    else:
        found[key] = operation["value"]
    return found
