"""What a document says of itself: what could not be read, by whom it may be, and that something is gone. Pure."""

from typing import Any, Final

from daemon.cluster.errors import Denied
from daemon.overview.reading import Collection


ROLE: Final = "prewarm-viewer"
"""The ClusterRole of daemonset.yaml that is enough for everything here but Nodes."""


def gone(collection: Collection[Any], what: str) -> str:
    """Say that an object is not there, or why it can't be read."""
    words = next(iter(collection.unreadable.values()), "")
    return f"{what}: {words}" if words else f"there is no {what}"


def denied(collection: Collection[Any] | None, *, what: str, lost: str = "") -> tuple[str, ...]:
    """Say what is missing because it may not be read."""
    if collection is None or collection.error is None:
        return ()
    if isinstance(collection.error, Denied):
        lets = "docs/status.md#rights has a role" if what == "Nodes" else f"the ClusterRole {ROLE} lets you"
        return (f"you may not list {what} ({lets})" + (f": {lost}" if lost else ""),)
    return (collection.error.message,)


def unreadable(collection: Collection[Any], *, what: str) -> tuple[str, ...]:
    """Name the objects that are left out."""
    return tuple(
        f"{what} {'/'.join(part for part in key if part)} is left out: {words}"
        for key, words in sorted(collection.unreadable.items())
    )
