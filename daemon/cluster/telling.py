"""
Tells a listener what each sight of an object changes: decoded once a state, passed over where it can't be read.

When to look is reflector.py's; what is kept of an object, beyond who it is, the listener's.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from daemon.cluster.interface import Listener
from daemon.cluster.known import Change, Kind, Known
from daemon.cluster.metadata import UNREADABLE, Identity, Key, unreadable_words


Value = TypeVar("Value")


class Telling(Generic[Value]):
    """
    Compares what is seen with what is known, and tells the difference; for the reflector's thread.

    Args:
        known: which objects there are.
        listener: hears what changes.
        decode: makes of an object's JSON what the listener gets, or raises msgspec.MsgspecError or ValueError.
    """

    def __init__(self, known: Known, *, listener: Listener[Value], decode: Callable[[bytes], Value]) -> None:
        self._known = known
        self._listener = listener
        self._decode = decode

    def seen(self, identity: Identity, content: bytes) -> None:
        """Take an object, as its JSON, for new or changed."""
        changes = self._known.apply(identity)
        self._tell_gone(changes)
        if any(change.kind is Kind.APPLIED for change in changes):
            self._tell(identity, content)

    def gone(self, identity: Identity) -> None:
        """Take an object for gone."""
        self._tell_gone(self._known.delete(identity))

    def listed(self, keys: AbstractSet[Key]) -> None:
        """Take that there are these objects and no others, all of them seen before."""
        self._tell_gone(self._known.retain(keys))
        self._listener.listed(self._known.identities())

    def _tell(self, identity: Identity, content: bytes) -> None:
        try:
            value = self._decode(content)
        except UNREADABLE as error:
            words = unreadable_words(error)
        else:
            self._listener.applied(identity, value)
            return
        self._listener.passed_over(identity, words)

    def _tell_gone(self, changes: list[Change]) -> None:
        for change in changes:
            if change.kind is Kind.DELETED:
                self._listener.deleted(change.identity)
