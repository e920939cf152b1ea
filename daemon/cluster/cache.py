"""
What one list and watch last saw, and what each new sight of it changes.

An object is known by namespace and name; another uid under the same name is another object, so the old one is deleted
first. The same uid and resourceVersion again is no change. Pure but for the lock: readers are other threads.
"""

import threading
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from daemon.cluster.interface import Resource
from daemon.cluster.metadata import Identity, Key, identity_of


class Kind(StrEnum):
    """What happened to an object."""

    APPLIED = "applied"
    DELETED = "deleted"


class Change(msgspec.Struct, frozen=True):
    """One object that is there now, or is gone."""

    kind: Kind
    resource: Resource


class Cache:
    """The objects of one resource; one thread changes it, any may read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Key, tuple[Identity, Resource]] = {}

    def resources(self) -> tuple[Resource, ...]:
        """Return every object, in no order."""
        with self._lock:
            return tuple(resource for _, resource in self._objects.values())

    def get(self, name: str, *, namespace: str = "") -> Resource | None:
        """Return one object, None where it is not there."""
        with self._lock:
            entry = self._objects.get((namespace, name))
        return entry[1] if entry else None

    def replace(self, resources: Sequence[Resource]) -> list[Change]:
        """Take a complete list for what there is, and return what that changes."""
        entries = [(identity_of(resource), resource) for resource in resources]
        before = self._objects
        after = {identity.key: (identity, resource) for identity, resource in entries}
        changes = [Change(Kind.DELETED, gone) for key, (_, gone) in before.items() if key not in after]
        for identity, resource in after.values():
            changes += self._differences(identity, resource)
        with self._lock:
            self._objects = after
        return changes

    def apply(self, resource: Resource) -> list[Change]:
        """Take an object for new or changed, and return what that changes."""
        identity = identity_of(resource)
        changes = self._differences(identity, resource)
        with self._lock:
            self._objects[identity.key] = (identity, resource)
        return changes

    def delete(self, resource: Resource) -> list[Change]:
        """Take an object for gone; one that another has replaced already, or that was never seen, changes nothing."""
        identity = identity_of(resource)
        known = self._objects.get(identity.key)
        if known is None or known[0].uid != identity.uid:
            return []
        with self._lock:
            del self._objects[identity.key]
        return [Change(Kind.DELETED, resource)]

    def _differences(self, identity: Identity, resource: Resource) -> list[Change]:
        known = self._objects.get(identity.key)
        if known is None:
            return [Change(Kind.APPLIED, resource)]
        if known[0].uid != identity.uid:
            return [Change(Kind.DELETED, known[1]), Change(Kind.APPLIED, resource)]
        if known[0].resourceVersion != identity.resourceVersion:
            return [Change(Kind.APPLIED, resource)]
        return []
