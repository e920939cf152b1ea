"""A JSON Patch (RFC 6902) applied to a plain document as an API server does it: all of it, or none."""

import copy
from collections.abc import Sequence
from typing import Any

import msgspec

from daemon.cluster.interface import Operation


Json = dict[str, Any]


class PatchRefused(Exception):
    """The API server would answer 422: a test differs, or a place is not there."""


def patched(document: Json, operations: Sequence[Operation]) -> Json:
    """
    Return a copy of a document with every operation applied, each in the form in which it is sent.

    Raises:
        PatchRefused: one of them can't be.
    """
    found = copy.deepcopy(document)
    for step in msgspec.json.decode(msgspec.json.encode(operations)):
        _apply(found, step)
    return found


def _apply(document: Json, step: Json) -> None:
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in step["path"].removeprefix("/").split("/"))
    place: Any = document
    for part in parents:
        place = _member(place, part)
    match step["op"]:
        case "test":
            if _member(place, last) != step["value"]:
                raise PatchRefused(f"{step['path']} is {_member(place, last)!r} and not {step['value']!r}")
        case "add" if isinstance(place, list):
            place.insert(len(place) if last == "-" else int(last), step["value"])
        case "add":
            place[last] = step["value"]
        case "remove":
            _member(place, last)
            del place[int(last) if isinstance(place, list) else last]
        case other:
            raise NotImplementedError(other)


def _member(place: Any, part: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return place[int(part)] if isinstance(place, list) else place[part]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise PatchRefused(f"there is no {part!r}") from error
