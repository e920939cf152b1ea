"""
Equal values become one value: what many objects say alike is kept in memory once.

A table is bounded and forgets what has not been asked for lately; a value that it forgot lives on where it is in use,
and the next equal one is merely a second copy. Several threads may use one table.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar


Value = TypeVar("Value")


class Shared(Generic[Value]):
    """
    A table of values that were seen lately.

    Args:
        limit: how many values make it begin anew; it holds at most twice as many.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit: Final = limit
        self._recent: dict[Hashable, Value] = {}
        self._before: dict[Hashable, Value] = {}

    def __len__(self) -> int:
        """Return how many values are held."""
        return len(self._recent.keys() | self._before.keys())

    def one(self, value: Value) -> Value:
        """Return the value that stands for all its equals; it must have a hash."""
        found = self._recent.get(value)
        return self._remember(value, value) if found is None else found

    def under(self, key: Hashable, value: Value) -> Value:
        """Return the value that was first seen under a key, which is this one where none was."""
        found = self._recent.get(key)
        return self._remember(key, value) if found is None else found

    def _remember(self, key: Hashable, value: Value) -> Value:
        if len(self._recent) >= self._limit:
            self._before, self._recent = self._recent, {}
        found = self._before.get(key, value)
        self._recent[found if key is value else key] = found
        return found


TEXTS: Final[Shared[str]] = Shared(limit=16_384)
MESSAGES: Final[Shared[str]] = Shared(limit=1_024)


def shared_labels(labels: dict[str, str]) -> dict[str, str]:
    """Return labels whose keys and values are those of other objects with the same."""
    one = TEXTS.one
    return {one(key): one(value) for key, value in labels.items()}
