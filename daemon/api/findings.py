"""
What is found wrong in a manifest, and how it is put into words: paths and values as kubectl writes them.

Every value in a message goes through here, so that none of them can act on a terminal or fill a screen.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec


FieldPath = tuple[str | int, ...]

_LARGEST_SHOWN: Final = 10 * 2**63
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_SHOWN: Final = 200
_TYPE_NAMES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One error or warning of a manifest: where, and the whole line that a person reads."""

    path: FieldPath
    text: str
    is_warning: bool = False


class Findings:
    """
    Everything found in one manifest, in the order of reading.

    Args:
        scalars: what was written for values that YAML did not read as text, by path, so that an error can say what
            to put into quotes.
        below: the path in `scalars` at which the manifest begins.

    """

    def __init__(self, scalars: Mapping[FieldPath, str] | None = None, *, below: FieldPath = ()) -> None:
        self._found: list[Finding] = []
        self._errors = 0
        self._scalars: Mapping[FieldPath, str] = scalars or {}
        self._below = below

    def __len__(self) -> int:
        """Count the errors, so that a reader can tell whether a part of it had any."""
        return self._errors

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        self._errors += not finding.is_warning
        self._found.append(finding)

    def all(self) -> tuple[Finding, ...]:
        """Return errors and warnings."""
        return tuple(self._found)

    def written(self, path: FieldPath) -> str:
        """Return what stands in the text for a value that is not text, "" where unknown."""
        return self._scalars.get((*self._below, *path), "")


def path_text(path: FieldPath) -> str:
    """Write a path as kubectl does; a map's key that is no plain name stands in brackets."""
    text = ""
    for step in path:
        if isinstance(step, str) and _PLAIN_NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{printable(str(step))}]"
    return text


def shown(value: object) -> str:
    """Write a value into a message: text in quotes, long text shortened, nothing a terminal would act on."""
    if isinstance(value, str):
        shortened = value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "..."
        return printable(json.dumps(shortened, ensure_ascii=False))
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A hostile integer can have more digits than Python agrees to write.
        return str(value) if abs(value) <= _LARGEST_SHOWN else "a number that is too large"
    return f'"{type_name(value)}"'


def printable(text: str) -> str:
    """Escape what is no printable character, and shorten what is too long for a line."""
    kept = text[: 2 * _LONGEST_SHOWN]
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in kept)


def type_name(value: object) -> str:
    """Name a plain value's type as JSON does."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)
