"""
The credential as a value: what the credentials layer finds and the runtime layer hands to a pull.

It lies here because those two may not import each other.
"""

from typing import Any

import msgspec


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """
    A user name and password or an identity token; shown anywhere, it names its source and nothing else.

    `source` is where it comes from: a secret's namespace/name, a file, a plugin. Never pass one to an encoder:
    msgspec writes every field of a Struct and can't be told otherwise.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    source: str = ""

    def __repr__(self) -> str:
        """Name the source (a secret's namespace/name, a file, a plugin) and nothing else."""
        return f"Credential(source={self.source!r})"

    def __str__(self) -> str:
        """Name the source, as repr does."""
        return repr(self)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name the source where rich prints it, which otherwise asks msgspec for every field."""
        return [("source", self.source)]

    def __structlog__(self) -> str:
        """Name the source where structlog renders it as JSON."""
        return repr(self)
