"""
What stood granted at every moment of a test, counted apart from the product: by a watch of every NodeImage.

An entry is granted to an owner while its version has no answer, and the owner had not ended before that version. What
the API server told in order is compared state by state, so that a version which rises when or as it should not is seen
even if it stood for a moment only.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import msgspec

from tests.servers.apiserver import ApiServer
from tests.servers.objects import Json
from tests.servers.watched import Watched


NODE_IMAGES: Final = "/apis/apps.kruise.io/v1beta1/nodeimages"
CATCH_UP_SECONDS: Final = 60.0
_ENDED: Final = frozenset({"Succeeded", "Failed"})

Image = tuple[str, str]


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A version of an entry that was first seen for an owner."""

    uid: str
    node: str
    image: Image
    version: int


class Ledger:
    """
    Counts from entering to leaving; thread-safe.

    `faults` says in words what the protocol does not allow and was seen all the same.
    """

    def __init__(self, apiserver: ApiServer) -> None:
        self.grants: list[Grant] = []
        self.faults: list[str] = []
        self._apiserver = apiserver
        self._seen: dict[str, Json] = {}
        self._told: dict[str, int] = {}
        self._open: dict[str, set[str]] = defaultdict(set)
        self._most: dict[str, int] = defaultdict(int)
        self._changed = threading.Condition()
        self._watched = Watched(apiserver, NODE_IMAGES, self._heard)

    def __enter__(self) -> Self:
        self._watched.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watched.__exit__(kind, error, trace)

    def most_open(self, uid: str) -> int:
        """Return how many nodes had a grant for this owner at the moment when they were most."""
        self._catch_up()
        with self._changed:
            return self._most[uid]

    def open(self, uid: str) -> set[str]:
        """Return the nodes that have a grant for this owner now."""
        with self._changed:
            return set(self._open[uid])

    def granted(self, uid: str) -> list[str]:
        """Return the node of each grant of this owner, as often as it had one, sorted."""
        self._catch_up()
        with self._changed:
            return sorted(grant.node for grant in self.grants if grant.uid == uid)

    def versions(self, image: Image) -> dict[str, list[int]]:
        """Return every version that an image had on each node, in order."""
        found: dict[str, list[int]] = defaultdict(list)
        self._catch_up()
        with self._changed:
            for grant in self.grants:
                if grant.image == image and grant.version not in found[grant.node]:
                    found[grant.node].append(grant.version)
        return dict(found)

    def until_agents(self, count: int, *, timeout_seconds: float = 60.0) -> None:
        """
        Wait until the agents of so many nodes have reported.

        Raises:
            TimeoutError: they have not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._agents() >= count, timeout=timeout_seconds):
                raise TimeoutError(f"{self._agents()} of {count} agents within {timeout_seconds:g} s")

    def until_granted(self, count: int, *, timeout_seconds: float = 60.0) -> None:
        """
        Wait until there were so many grants in all, of whatever owner.

        Raises:
            TimeoutError: there were not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.grants) >= count, timeout=timeout_seconds):
                raise TimeoutError(f"{len(self.grants)} of {count} grants within {timeout_seconds:g} s")

    def _catch_up(self) -> None:
        """Wait until the watch has told all that stands in the API server now: a job's status may be told earlier."""
        listed = self._apiserver.request("GET", NODE_IMAGES)["items"]
        now = {one["metadata"]["name"]: int(one["metadata"]["resourceVersion"]) for one in listed}
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_heard(now), timeout=CATCH_UP_SECONDS):
                raise TimeoutError(f"the watch has not told within {CATCH_UP_SECONDS:g} s what stands there")

    def _has_heard(self, versions: Mapping[str, int]) -> bool:
        return all(self._told.get(name, 0) >= version for name, version in versions.items())

    def _agents(self) -> int:
        return sum("agent" in (found.get("status") or {}).get("prewarm", {}) for found in self._seen.values())

    def _heard(self, what: str, found: Json) -> None:
        name = found["metadata"]["name"]
        with self._changed:
            self._told[name] = int(found["metadata"]["resourceVersion"])
            before = self._seen.pop(name, None)
            if what != "DELETED":
                self._seen[name] = found
                # After a gap what stands there is told as new, whatever was between.
                is_next = what == "MODIFIED" or (before is None and found["metadata"]["generation"] == 1)
                self._compare(name, before or {}, found, is_next=is_next)
            self._count(name, _open_owners(found) if what != "DELETED" else set())
            self._changed.notify_all()

    def _count(self, name: str, owners: set[str]) -> None:
        for uid in {*owners, *self._open}:
            (self._open[uid].add if uid in owners else self._open[uid].discard)(name)
            self._most[uid] = max(self._most[uid], len(self._open[uid]))

    def _compare(self, name: str, before: Json, after: Json, *, is_next: bool) -> None:
        was, said = _entries(before), _statuses(before)
        for image, entry in _entries(after).items():
            earlier, status = was.get(image, {}), said.get(image, {})
            if is_next and _owners(entry):
                self._check(f"{name} {':'.join(image)}", earlier, entry, before=before, said=status)
            self._note(name, image, earlier=earlier, entry=entry)

    def _check(self, what: str, earlier: Json, entry: Json, *, before: Json, said: Json) -> None:
        """Compare one entry with what it was: its version stays, or is one above everything that was there."""
        generation = before.get("metadata", {}).get("generation", 0)
        old, new = earlier.get("version", 0), entry["version"]
        least = max(generation, old, said.get("version", 0))
        if new == old and entry.get("createdAt") != earlier.get("createdAt"):
            self.faults.append(f"{what}: createdAt has changed, and version {new} has not")
        if new != old and new != 1 + least:
            self.faults.append(f"{what}: version {new} after {old}, and not {1 + least}")
        ended = {one["uid"] for one in entry.get("prewarm", {}).get("ended", [])}
        if strangers := ended - _owners(entry):
            self.faults.append(f"{what}: {strangers} have ended, and own nothing")

    def _note(self, name: str, image: Image, *, earlier: Json, entry: Json) -> None:
        ended = {one["uid"] for one in entry.get("prewarm", {}).get("ended", [])}
        is_raised = entry.get("version", 0) != earlier.get("version", 0)
        for uid in _owners(entry) - ended:
            if is_raised or uid not in _owners(earlier):
                self.grants.append(Grant(uid=uid, node=name, image=image, version=entry.get("version", 0)))


def _open_owners(found: Json) -> set[str]:
    """Return the owners for whom something on this node is granted and has not ended."""
    said, owners = _statuses(found), set[str]()
    for image, entry in _entries(found).items():
        status, ours = said.get(image, {}), entry.get("prewarm", {})
        is_answered = status.get("version", 0) == entry.get("version", 0) and status.get("phase") in _ENDED
        if not is_answered and not ours.get("suspended"):
            owners |= _owners(entry) - {one["uid"] for one in ours.get("ended", [])}
    return owners


def _owners(entry: Json) -> set[str]:
    return {owner["uid"] for owner in entry.get("ownerReferences", []) if owner["kind"] == "ImagePullJob"}


def _entries(found: Json) -> dict[Image, Json]:
    return _by_image(found.get("spec", {}).get("images") or {})


def _statuses(found: Json) -> dict[Image, Json]:
    return _by_image((found.get("status") or {}).get("imageStatuses") or {})


def _by_image(images: Mapping[str, Json]) -> dict[Image, Json]:
    return {(repository, tag["tag"]): tag for repository, image in images.items() for tag in image.get("tags", [])}
