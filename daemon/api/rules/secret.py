"""
The rules of a Secret that serves pullSecrets: its type, and the one field of that type.

No finding here holds a value, nor what YAML made of one: fields.py's own words would quote it.
"""

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.api.fields import Field
from daemon.api.findings import shown
from daemon.api.rules.metadata import read_metadata
from daemon.api.secret import PullSecret, SecretType


SECRET_VERSIONS: Final = ("v1",)

_KNOWN: Final = ("apiVersion", "data", "immutable", "kind", "metadata", "stringData", "type")
_FIELD: Final[Mapping[str, str]] = {
    SecretType.DOCKERCONFIGJSON: ".dockerconfigjson",
    SecretType.DOCKERCFG: ".dockercfg",
}


def read_secret(document: Field) -> PullSecret | None:
    """Read a pull secret; one of another type is a warning and None. It means something only if no error was found."""
    document.is_object(_KNOWN)
    metadata = read_metadata(document, is_namespaced=True)
    kind = document.child("type")
    secret_type = kind.string("Opaque") or "Opaque"
    if secret_type not in _FIELD:
        supported = " and ".join(_FIELD)
        kind.warn(f"type {shown(secret_type)}: passed over, for only {supported} can serve pullSecrets")
        return None
    name = _FIELD[secret_type]
    content = _content(document, name=name)
    return PullSecret(name=metadata.name, namespace=metadata.namespace, type=secret_type, data={name: content})


def _content(document: Field, *, name: str) -> bytes:
    """Return the field's bytes: stringData's before data's, as the API server merges them."""
    data, plain = document.child("data"), document.child("stringData")
    are_maps = [_is_map(data), _is_map(plain)]
    if not all(are_maps):
        return b""
    encoded, text = data.child(name), plain.child(name)
    if not (encoded.is_present or text.is_present):
        encoded.required(f"a secret of this type has it, or stringData[{name}]")
        return b""
    content = _decoded(encoded) if encoded.is_present else b""
    if text.is_present:
        content = _text(text).encode(errors="surrogatepass")
    if content:
        _check_json(text if text.is_present else encoded, content)
    return content


def _is_map(field: Field) -> bool:
    is_map = not field.is_present or field.value is None or isinstance(field.value, dict)
    if not is_map:
        field.error("Invalid value: must be of type object")
    return is_map


def _text(field: Field) -> str:
    if isinstance(field.value, str) and field.value:
        return field.value
    if isinstance(field.value, str):
        field.required()
    else:
        field.error("Invalid value: must be of type string: write it in quotes")
    return ""


def _decoded(field: Field) -> bytes:
    try:
        # Wrapped lines are fine: Go's decoder passes over them too.
        return base64.b64decode("".join(_text(field).splitlines()), validate=True)
    except ValueError:
        field.error("Invalid value: must be base64 (plain text belongs into stringData)")
        return b""


def _check_json(field: Field, content: bytes) -> None:
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict):
        field.error("Invalid value: must be a JSON object, as docker's config.json is")
