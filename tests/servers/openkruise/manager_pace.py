"""
Time as a stand-in's manager counts it: minutes may pass in a moment, without a wait and without a changed timestamp.

Pure: a Pace is one moment.
"""

from datetime import datetime

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A moment, and how many seconds the manager counts for one that has passed."""

    now: datetime
    speed: float = 1.0

    def elapsed_seconds(self, since: datetime) -> float:
        """Return how long ago something was, in the manager's seconds."""
        return (self.now - since).total_seconds() * self.speed


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The manager's constants, in its seconds."""

    response_seconds: float = 600
    creation_delay_seconds: float = 30
    always_extra_ttl_seconds: int = 300
    spread: float = 0.5
    """A number in [0, 1) in the place of its random one."""
