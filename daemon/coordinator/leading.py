"""From an election to a term: whoever wins the Lease gets a new term, and whoever loses it has ended it first."""

from collections.abc import Callable

from daemon.coordinator.term import Term


class Leading:
    """
    Begins and ends terms, in the election's thread.

    Args:
        new_term: makes a term that has not begun.
        changed: hears whether this coordinator leads now.
    """

    def __init__(self, *, new_term: Callable[[], Term], changed: Callable[[bool], None]) -> None:
        self._new_term = new_term
        self._changed = changed
        self._term: Term | None = None

    def won(self) -> None:
        """Begin a term."""
        self._changed(True)  # noqa: FBT003 - it is what changed
        self._term = self._new_term()
        self._term.start()

    def lost(self) -> None:
        """End the term; nothing of it is sent when this returns."""
        term, self._term = self._term, None
        if term is not None:
            term.stop()
        self._changed(False)  # noqa: FBT003 - likewise
