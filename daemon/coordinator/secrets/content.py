"""
A Secret while a sender has it in its hands: what of it is copied, and a digest by which two states are told apart.

Nothing here shows what is in a Secret: not a repr, not an error, and the digest is keyed with what only this process
knows. No encoder takes these values, and none of them enters the loop.
"""

import hashlib
import os
from collections.abc import Mapping
from typing import Final

from daemon.api.objects import read_object
from daemon.api.rules.secret import read_secret
from daemon.api.secret import SecretType
from daemon.cluster.errors import ServerFailed
from daemon.cluster.metadata import UNREADABLE, decode_resource, metadata_of


FIELDS: Final[Mapping[str, str]] = {
    SecretType.DOCKERCONFIGJSON.value: ".dockerconfigjson",
    SecretType.DOCKERCFG.value: ".dockercfg",
}
"""The types that are copied, each with the one field that is."""


class Fingerprints:
    """Makes digests that mean nothing outside this process."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def __repr__(self) -> str:
        """Leave out the key."""
        return "Fingerprints()"

    def of(self, found: "FoundSecret") -> str:
        """Return a digest of what is copied of a Secret, and of its type."""
        content = f"{found.type}\0{found.content}".encode(errors="surrogatepass")
        return hashlib.blake2b(content, key=self._key, digest_size=16).hexdigest()


class FoundSecret:
    """
    A Secret as it was read.

    `content` is the one field that is copied, in base64 as it came; `problem` says why it can't serve a pull.
    """

    __slots__ = ("annotations", "content", "is_immutable", "problem", "type", "uid", "version")

    def __init__(self, resource: Mapping[str, object]) -> None:
        metadata = metadata_of(resource)
        self.uid = _text(metadata.get("uid"))
        self.version = _text(metadata.get("resourceVersion"))
        self.annotations = _texts(metadata.get("annotations"))
        self.type = _text(resource.get("type"))
        self.is_immutable = resource.get("immutable") is True
        self.content = _texts(resource.get("data")).get(FIELDS.get(self.type, ""), "")
        self.problem = _problem(resource)

    def __repr__(self) -> str:
        """Show nothing that is in it."""
        return f"FoundSecret({self.uid!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Show no more where rich prints it."""
        return [("uid", self.uid)]


def found_secret(content: bytes) -> FoundSecret:
    """
    Return a Secret from its JSON.

    Raises:
        ServerFailed: it is no object; not chained, since the decoder's error may quote it.
    """
    try:
        return FoundSecret(decode_resource(content))
    except UNREADABLE:
        problem = "the server sent a Secret that can't be read"
    raise ServerFailed(problem)


def _problem(resource: Mapping[str, object]) -> str:
    """Say why a Secret serves no pull, "" for one that does; no finding of these rules holds a value of its data."""
    parsed = read_object({"apiVersion": "v1", **resource, "kind": "Secret"}, kind="Secret", read=read_secret)
    if parsed.errors:
        return f"is unsound: {parsed.errors[0].text}"
    if parsed.value is None:
        return f"is of type {_text(resource.get('type')) or 'Opaque'}: only {' and '.join(FIELDS)} serve a pull"
    return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in items if isinstance(key, str) and isinstance(text, str)}
