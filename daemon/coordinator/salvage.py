"""
A value made of what is sound in plain values: one odd field must not hide an object from the coordinator.

It is the slow way, for what a typed decoder refuses.
"""

import types
import typing
from contextlib import suppress
from typing import TypeVar

import msgspec


Value = TypeVar("Value", bound=msgspec.Struct)

_UNIONS = (typing.Union, types.UnionType)


def salvage(raw: object, kind: type[Value]) -> Value:
    """
    Make a Struct of the members that can be read; the others keep their defaults.

    Raises:
        ValueError: a member without a default is absent or can't be read.
    """
    with suppress(msgspec.ValidationError):
        return msgspec.convert(raw, kind)
    members = raw if isinstance(raw, dict) else {}
    found = {}
    for field in msgspec.structs.fields(kind):
        value = _sound(members.get(field.encode_name, msgspec.UNSET), field.type)
        if value is not msgspec.UNSET:
            found[field.name] = value
        elif field.required:
            raise ValueError(f"an object without a usable {field.encode_name}")
    return kind(**found)


def _sound(raw: object, wanted: object) -> object:
    """Return what can be read of one value, UNSET where that is nothing."""
    if raw is msgspec.UNSET:
        return raw
    with suppress(msgspec.ValidationError):
        return msgspec.convert(raw, wanted)
    for option in typing.get_args(wanted) if typing.get_origin(wanted) in _UNIONS else (wanted,):
        value = _parts(raw, option)
        if value is not msgspec.UNSET:
            return value
    return msgspec.UNSET


def _parts(raw: object, wanted: object) -> object:
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if isinstance(raw, list) and origin is tuple:
        items = (_sound(item, inner[0]) for item in raw)
        return tuple(item for item in items if item is not msgspec.UNSET)
    if isinstance(raw, dict) and origin is dict:
        members = {key: _sound(item, inner[1]) for key, item in raw.items()}
        return {key: item for key, item in members.items() if item is not msgspec.UNSET}
    if isinstance(raw, dict) and isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        with suppress(ValueError):
            return salvage(raw, wanted)
    return msgspec.UNSET
