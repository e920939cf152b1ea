"""
A coordinator's threads beside its terms: the election, who looks for OpenKruise, and what sends events. By itself or
in an agent's process.

The end has an order: the term (nothing new is sent, what is on its way is waited for), the Lease, then the rest.
"""

from typing import Final

from daemon.coordinator.assembly import Assembly
from daemon.ending import Ending, start_thread


# A term takes six seconds to end, the Lease two requests of four.
ELECTION_END_SECONDS: Final = 16.0
EVENTS_END_SECONDS: Final = 2.0
LOOKOUT_END_SECONDS: Final = 2.0


class Running:
    """A coordinator that takes part in the election."""

    def __init__(self, assembly: Assembly, *, ending: Ending) -> None:
        self._assembly = assembly
        self._events = start_thread("coordinator-events", assembly.recorder.run, ending=ending)
        self._lookout = start_thread("lookout", assembly.lookout.run, ending=ending)
        self._election = start_thread("election", assembly.election.run, ending=ending)

    def stop(self) -> None:
        """End each part in order, none for longer than its time."""
        self._assembly.election.stop()
        self._election.join(timeout=ELECTION_END_SECONDS)
        self._assembly.lookout.stop()
        self._assembly.lookout_api.close()
        self._lookout.join(timeout=LOOKOUT_END_SECONDS)
        self._assembly.recorder.stop()
        self._events.join(timeout=EVENTS_END_SECONDS)
        self._assembly.api.close()
