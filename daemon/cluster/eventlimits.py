"""
Which events are worth their place: not the same one again for a while, and not a flood about one thing.

Pure: times come in as arguments. What is remembered is bounded, so that a busy node does not grow; what has been
forgotten is at worst sent once more.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

import msgspec


REPEAT_SECONDS: Final = 600.0
BURST: Final = 25
REFILL_SECONDS: Final = 10.0
REMEMBERED: Final = 1024

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bucket(msgspec.Struct, frozen=True):
    """How many events of a kind may go now, as of when."""

    tokens: float
    at_seconds: float


class EventLimits:
    """
    Decides over each event by what went before; not thread-safe.

    The same words about the same object for the same reason go once in ten minutes: they are dropped rather than
    counted in a series, which would need the right to change events. Different words of one object and reason share a
    bucket of 25, to which one comes back each ten seconds.
    """

    def __init__(self) -> None:
        self._sent: _Recent[tuple[str, str, str], float] = _Recent()
        self._buckets: _Recent[tuple[str, str], Bucket] = _Recent()

    def allows(self, uid: str, reason: str, note: str, *, now_seconds: float) -> bool:
        """Tell whether to send this event now; if so, it counts as sent."""
        last = self._sent.get((uid, reason, note))
        if last is not None and now_seconds - last < REPEAT_SECONDS:
            return False
        bucket = self._filled(uid, reason, now_seconds=now_seconds)
        is_allowed = bucket.tokens >= 1
        if is_allowed:
            bucket = Bucket(tokens=bucket.tokens - 1, at_seconds=now_seconds)
            self._sent.put((uid, reason, note), now_seconds)
        self._buckets.put((uid, reason), bucket)
        return is_allowed

    def _filled(self, uid: str, reason: str, *, now_seconds: float) -> Bucket:
        before = self._buckets.get((uid, reason))
        if before is None:
            return Bucket(tokens=float(BURST), at_seconds=now_seconds)
        earned = max(0.0, now_seconds - before.at_seconds) / REFILL_SECONDS
        return Bucket(tokens=min(float(BURST), before.tokens + earned), at_seconds=now_seconds)


class _Recent(Generic[Key, Value]):
    """A bounded memory: of too much, what was put longest ago is forgotten."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > REMEMBERED:
            self._entries.popitem(last=False)
