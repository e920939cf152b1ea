"""
Docker's config format as entries: pull secrets of both types, and a config.json of docker's own.

One malformed entry costs itself alone, and one malformed document costs no other. (The kubelet gives up all of them.)
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

from daemon.api.credential import Credential
from daemon.api.secret import PullSecret, SecretType
from daemon.credentials.keyring import Entry, Pattern, parse_key
from daemon.credentials.problem import CredentialProblem


_FIELD = {SecretType.DOCKERCONFIGJSON: ".dockerconfigjson", SecretType.DOCKERCFG: ".dockercfg"}


class DockerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a document gave: its entries, and what is wrong with the rest of it."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[CredentialProblem, ...] = ()


class _Malformed(Exception):
    """What is wrong, in words without any value."""


def parse_secret(secret: PullSecret) -> DockerConfig:
    """Read the entries of a pull secret; what can't be read is a problem that names the secret and the field."""
    try:
        kind = SecretType(secret.type)
    except ValueError:
        return _problem(secret.source, f"its type must be {' or '.join(SecretType)} for a pull secret")
    field = _FIELD[kind]
    try:
        document = _object(_field_bytes(secret.data, field), what=field)
        auths = _member(document, "auths", what=field) if kind is SecretType.DOCKERCONFIGJSON else document
    except _Malformed as wrong:
        return _problem(secret.source, str(wrong))
    return _parse_auths(auths, source=secret.source, what=field)


def parse_config_file(content: bytes, *, source: str) -> DockerConfig:
    """Read the entries of a docker config.json; one without "auths" (a credential store's) simply has none."""
    try:
        document = _object(content, what="the file")
        auths = _member(document, "auths", what="the file") if "auths" in document else {}
    except _Malformed as wrong:
        return _problem(source, str(wrong))
    return _parse_auths(auths, source=source, what="auths")


def _problem(source: str, message: str) -> DockerConfig:
    return DockerConfig(problems=(CredentialProblem(source=source, message=message),))


def _field_bytes(data: Mapping[str, str | bytes], field: str) -> bytes:
    value = data.get(field)
    if not value:
        raise _Malformed(f"has no data under {field}")
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise _Malformed(f"{field} is not base64") from None


def _object(content: bytes, *, what: str) -> dict[str, object]:
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _Malformed(f"{what} is not valid JSON") from None
    if not isinstance(document, dict):
        raise _Malformed(f"{what} must be a JSON object")
    return document


def _member(document: dict[str, object], name: str, *, what: str) -> dict[str, object]:
    member = document.get(name)
    if not isinstance(member, dict):
        raise _Malformed(f'{what} must have an object "{name}"')
    return member


def _parse_auths(auths: dict[str, object], *, source: str, what: str) -> DockerConfig:
    entries: list[Entry] = []
    problems: list[CredentialProblem] = []
    for number, (key, value) in enumerate(auths.items(), start=1):
        pattern = parse_key(key)
        where = f"{what}: entry {number}" if pattern is None else f'{what}: entry {number} ("{pattern.host}")'
        try:
            entries.append(_entry(pattern, value, source=source))
        except _Malformed as wrong:
            problems.append(CredentialProblem(source=source, message=f"{where} {wrong}"))
    return DockerConfig(entries=tuple(entries), problems=tuple(problems))


def _entry(pattern: Pattern | None, value: object, *, source: str) -> Entry:
    if pattern is None:
        # Not shown: a malformed key may hold a password (https://user:password@host).
        raise _Malformed("has a key that is not a host with an optional port and path")
    if not isinstance(value, dict):
        raise _Malformed("must be an object")
    # The kubelet's decoder does not mind the case of field names.
    fields = {name.lower(): field for name, field in value.items()}
    username, password = _text(fields, "username"), _text(fields, "password")
    if auth := _text(fields, "auth"):
        username, password = decode_auth(auth)
    identity_token = _text(fields, "identitytoken")
    if not (username or password or identity_token):
        raise _Malformed("has neither auth, nor username and password, nor identitytoken")
    return Entry(
        pattern=pattern,
        credential=Credential(username=username, password=password, identity_token=identity_token, source=source),
    )


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Malformed(f"has a {name} that is not text")
    return value


def decode_auth(auth: str) -> tuple[str, str]:
    """
    Split base64 of "user:password", of which only the user may not hold a colon.

    Padding may be missing, and blanks may be around or in it, as tools wrap lines. NULs at the password's end go, as
    in docker's own reading.
    """
    compact = "".join(auth.split()).rstrip("=")
    try:
        text = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _Malformed("has an auth that is not base64 of user:password") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise _Malformed("has an auth without a colon between user and password")
    return username, password.rstrip("\0")
