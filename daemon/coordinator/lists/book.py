"""
Which lists there are, which jobs are theirs, and on how many nodes the jobs of a list pull at once.

Pure, and O(1) a change: the fleet tells each node that comes to hold a slot for a job, or holds it no more. What a list
makes of its images is lists.py's. `spec.prewarm.listParallelism` counts nodes: one that pulls three images of a list is
one.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from daemon.api.quantity import nodes_at_once
from daemon.coordinator.lists.seen import SeenList


class ListRecord:
    """One list: what was seen of it, its jobs by uid, and how many of them hold a slot on which node."""

    def __init__(self) -> None:
        self.seen: SeenList | None = None
        self.jobs: set[str] = set()
        self.holding: Counter[str] = Counter()
        self.places: dict[str, int] = {}

    def take(self, seen: SeenList) -> None:
        """Take over what its object says."""
        self.seen = seen
        images = seen.wish.images if seen.wish is not None else ()
        self.places = {image: place for place, image in enumerate(images)}

    def limit(self, *, desired: int) -> int | None:
        """Return on how many nodes it may pull at once, of those that count; None: as many as its jobs may."""
        asked = self.seen.wish.template.prewarm.list_parallelism if self.seen and self.seen.wish else None
        return None if asked is None else nodes_at_once(asked, nodes=desired)


class ListBook:
    """
    The lists by their key, namespace/uid; a list whose jobs were seen before it stands here too, with nothing seen.

    The namespace is in it since anyone may write any uid into a job of their own.
    """

    def __init__(self) -> None:
        self.records: dict[str, ListRecord] = {}

    def seen(self, value: SeenList) -> bool:
        """Take a list for new or changed; False where what is known is newer."""
        record = self._record(value.key)
        if record.seen is not None and value.version <= record.seen.version:
            return False
        record.take(value)
        return True

    def gone(self, key: str) -> None:
        """Take a list for gone; its jobs may still be there."""
        record = self.records.get(key)
        if record is not None:
            record.seen = None
            self._tidy(key)

    def add(self, key: str, *, job: str) -> None:
        """Note that a job is a list's."""
        if key:
            self._record(key).jobs.add(job)

    def remove(self, key: str, *, job: str) -> None:
        """Note that a job is no more, or no more the list's."""
        if key in self.records:
            self.records[key].jobs.discard(job)
            self._tidy(key)

    def held(self, key: str, *, node: str, step: int) -> bool:
        """Count that a list's job holds a slot on a node, or no more; True where the list is short of nodes no more."""
        if not key:
            return False
        holding = self._record(key).holding
        holding[node] += step
        if holding[node] > 0:
            return False
        del holding[node]
        return True

    def may_hold(self, key: str, *, node: str, desired: int) -> bool:
        """Tell whether a list's job may have a grant on a node: one that pulls for the list already, or one more."""
        record = self.records.get(key)
        limit = record.limit(desired=desired) if record is not None else None
        if record is None or limit is None:
            return True
        return limit > 0 and (node in record.holding or len(record.holding) < limit)

    def is_full(self, key: str, *, desired: int) -> bool:
        """Tell whether no more nodes may begin to pull for a list."""
        record = self.records.get(key)
        limit = record.limit(desired=desired) if record is not None else None
        return record is not None and limit is not None and len(record.holding) >= limit

    def holding(self, key: str) -> Iterable[str]:
        """Return the nodes that pull for a list."""
        return tuple(self.records[key].holding) if key in self.records else ()

    def jobs(self, key: str) -> frozenset[str]:
        """Return the jobs of a list, by uid."""
        return frozenset(self.records[key].jobs) if key in self.records else frozenset()

    def place(self, key: str, *, image: str) -> tuple[datetime, int] | None:
        """Return when a list was made and where an image stands in it; None where the list is not known."""
        record = self.records.get(key)
        if record is None or record.seen is None:
            return None
        return record.seen.created_at, record.places.get(image, len(record.places))

    def _record(self, key: str) -> ListRecord:
        record = self.records.get(key)
        if record is None:
            record = self.records[key] = ListRecord()
        return record

    def _tidy(self, key: str) -> None:
        record = self.records[key]
        if record.seen is None and not record.jobs and not record.holding:
            del self.records[key]
