"""
A pull secret as a value that shows nothing of itself.

What its data means is credentials/'s; reading one from a manifest is rules/secret.py's.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class SecretType(StrEnum):
    """The types of Kubernetes secrets that hold a docker config."""

    DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
    DOCKERCFG = "kubernetes.io/dockercfg"


class PullSecret(msgspec.Struct, frozen=True, kw_only=True):
    """
    A Kubernetes secret; its repr shows no data.

    `data` holds bytes, or text in base64 as the API server sends it. Never pass one to an encoder: msgspec writes every
    field of a Struct and can't be told otherwise.
    """

    name: str
    namespace: str = ""
    type: str
    data: Mapping[str, str | bytes] = {}

    @property
    def source(self) -> str:
        """How the secret is named to a person."""
        return f"secret {self.namespace}/{self.name}" if self.namespace else f"secret {self.name}"

    def __repr__(self) -> str:
        """Name the secret and nothing in it."""
        return f"PullSecret({self.source!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Name the secret where rich prints it, which otherwise asks msgspec for every field."""
        return [("source", self.source)]
