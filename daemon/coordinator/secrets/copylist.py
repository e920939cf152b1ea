"""
Lists the copies that there are: names and annotations, page by page; what is in a Secret is passed over undecoded.

When they are listed, and what a list tells, is listing.py's.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from daemon.cluster.errors import ServerFailed
from daemon.cluster.interface import RawApi
from daemon.cluster.metadata import UNREADABLE
from daemon.coordinator.secrets.names import KnownCopy, references_of, secrets_in, source_of


PAGE_SECRETS: Final = 100
"""A page has what is in so many Secrets, each up to a mebibyte; almost all have a kilobyte."""


class ListCopies(msgspec.Struct, frozen=True, kw_only=True):
    """List the copies that there are, in the one namespace where Secrets may be listed."""

    place: str

    def run(self, api: RawApi, *, may_send: Callable[[], bool], timeout_seconds: float) -> tuple[KnownCopy, ...]:
        """Return them; what is no copy is passed over."""
        del may_send
        found: list[KnownCopy] = []
        query = {"limit": str(PAGE_SECRETS)}
        while True:
            page = _page(api.fetch(secrets_in(self.place), query=query, timeout_seconds=timeout_seconds))
            found += [copy for item in page.items or () if (copy := _known(item)) is not None]
            if not page.metadata.following:
                return tuple(found)
            query["continue"] = page.metadata.following


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    annotations: dict[str, str] | None = None


class _Item(msgspec.Struct, frozen=True):
    """A Secret without what is in it."""

    metadata: _Metadata


class _PageMetadata(msgspec.Struct, frozen=True):
    following: str | None = msgspec.field(default=None, name="continue")


class _Page(msgspec.Struct, frozen=True):
    items: list[_Item] | None
    metadata: _PageMetadata = _PageMetadata()


_PAGE: Final = msgspec.json.Decoder(_Page)


def _page(content: bytes) -> _Page:
    try:
        return _PAGE.decode(content)
    except UNREADABLE:
        problem = "list secrets: the server answered a list that can't be read"
    raise ServerFailed(problem)


def _known(item: _Item) -> KnownCopy | None:
    annotations = item.metadata.annotations or {}
    source = source_of(annotations)
    return KnownCopy(item.metadata.name, source, references_of(annotations)) if source is not None else None
