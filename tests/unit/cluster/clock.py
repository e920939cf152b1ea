"""A clock that a test sets."""

from datetime import UTC, datetime, timedelta

from daemon.clock import Moment


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class SetClock:
    """Stands still until the test moves `seconds`."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> Moment:
        """Return this instant."""
        return Moment(seconds=self.seconds, at=EPOCH + timedelta(seconds=self.seconds))
