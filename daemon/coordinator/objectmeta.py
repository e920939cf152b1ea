"""The part of an object's metadata that a coordinator looks at, whatever the object's kind."""

from datetime import UTC, datetime
from typing import Final

import msgspec


_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Owner(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of metadata.ownerReferences."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool | None = None


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who an object is, and which state of it this is."""

    name: str
    uid: str
    namespace: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] | None = None
    finalizers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what is no stored object."""
        if not self.name or not self.uid:
            raise ValueError("an object without a name or uid")

    @property
    def version(self) -> int:
        """The resourceVersion as a number, 0 where it is none."""
        text = self.resource_version
        return int(text) if text.isascii() and text.isdecimal() else 0

    @property
    def created_at(self) -> datetime:
        """When it was made, long ago where it does not say."""
        at = self.creation_timestamp
        if at is None:
            return _UNKNOWN
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)

    @property
    def is_deleting(self) -> bool:
        """Whether somebody has deleted it and it is not gone yet."""
        return self.deletion_timestamp is not None
