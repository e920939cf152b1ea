"""On which nodes an entry stands for a job, whatever has become of the job: a finished one's entries live on. Pure."""

from collections.abc import Iterable

from daemon.api.nodeimage import TagEntry
from daemon.coordinator.seen import ImageKey, SeenNodeImage


Entries = dict[ImageKey, TagEntry]


class Owners:
    """The nodes by job, as the entries' owner references say."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def names(self, uid: str) -> frozenset[str]:
        """Return the nodes that have an entry of a job."""
        return frozenset(self._names.get(uid, ()))

    def note(self, name: str, *, before: SeenNodeImage | None, after: SeenNodeImage | None) -> None:
        """Take note of what a node's entries say now."""
        then = before.entries if before is not None else {}
        here = after.entries if after is not None else {}
        changed = [key for key in {*then, *here} if then.get(key) is not here.get(key)]
        come = _uids(here, changed)
        for uid in _uids(then, changed) - come:
            if uid not in _uids(here, here):
                self._take_away(uid, name=name)
        for uid in come:
            self._names.setdefault(uid, set()).add(name)

    def _take_away(self, uid: str, *, name: str) -> None:
        names = self._names.get(uid, set())
        names.discard(name)
        if not names:
            self._names.pop(uid, None)


def keys_of(uid: str, image: SeenNodeImage | None) -> set[ImageKey]:
    """Return the images whose entries stand for a job."""
    entries = image.entries if image is not None else {}
    return {key for key, entry in entries.items() if any(owner.uid == uid for owner in entry.owner_references)}


def _uids(entries: Entries, keys: Iterable[ImageKey]) -> set[str]:
    return {owner.uid for key in keys if key in entries for owner in entries[key].owner_references}
