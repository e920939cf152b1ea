"""
Which objects one list and watch last saw, and what each new sight changes.

An object is known by namespace and name; another uid under the same name is another object, so the old one is deleted
first. The same uid and resourceVersion again is no change. What the objects hold is kept by who listens, if anyone.
Pure but for the lock: readers are other threads.
"""

import threading
from collections.abc import Set as AbstractSet
from enum import StrEnum

import msgspec

from daemon.cluster.metadata import Identity, Key


class Kind(StrEnum):
    """What happened to an object."""

    APPLIED = "applied"
    DELETED = "deleted"


class Change(msgspec.Struct, frozen=True):
    """One object that is there now, or is gone."""

    kind: Kind
    identity: Identity


class Known:
    """The objects of one resource, without their content; one thread changes it, any may read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._identities: dict[Key, Identity] = {}

    def identities(self) -> tuple[Identity, ...]:
        """Return every object, in no order."""
        with self._lock:
            return tuple(self._identities.values())

    def apply(self, identity: Identity) -> list[Change]:
        """Take an object for new or changed, and return what that changes."""
        before = self._identities.get(identity.key)
        if before is not None and before.uid == identity.uid and before.resourceVersion == identity.resourceVersion:
            return []
        with self._lock:
            self._identities[identity.key] = identity
        applied = Change(Kind.APPLIED, identity)
        if before is None or before.uid == identity.uid:
            return [applied]
        return [Change(Kind.DELETED, before), applied]

    def delete(self, identity: Identity) -> list[Change]:
        """Take an object for gone; one that another has replaced already, or that was never seen, changes nothing."""
        before = self._identities.get(identity.key)
        if before is None or before.uid != identity.uid:
            return []
        with self._lock:
            del self._identities[identity.key]
        return [Change(Kind.DELETED, identity)]

    def retain(self, keys: AbstractSet[Key]) -> list[Change]:
        """Take every other object for gone, as after a complete list, and return what that changes."""
        gone = [identity for key, identity in self._identities.items() if key not in keys]
        with self._lock:
            for identity in gone:
                del self._identities[identity.key]
        return [Change(Kind.DELETED, identity) for identity in gone]
