"""
What a coordinator sees of OpenKruise, told to whoever shows it: log, metrics, /state. In the lookout's thread.

What witness.py is to the loop, for what goes on whether this coordinator leads or not.
"""

from daemon.beside.verdict import Finding, Row
from daemon.cluster.errors import ClusterError
from daemon.coordinator.journal import Journal
from daemon.coordinator.view import View
from daemon.coordinator.watchman import Watchman
from daemon.observe.coordinator_metrics import CoordinatorMetrics


class Neighbours:
    """Hears a lookout; the arguments are who is told."""

    def __init__(self, *, journal: Journal, metrics: CoordinatorMetrics, view: View, watchman: Watchman) -> None:
        self._journal = journal
        self._metrics = metrics
        self._view = view
        self._watchman = watchman
        metrics.beside(Row.UNDECIDED.value, stands_aside=True)

    def found(self, finding: Finding) -> None:
        """A look has ended well."""
        self._watchman.beside_seen()
        self._view.found(finding)
        self._metrics.beside(finding.row.value, stands_aside=finding.stands_aside)

    def changed(self, finding: Finding) -> None:
        """Something else is so than before."""
        self._journal.beside_changed(finding)

    def missed(self, error: ClusterError) -> None:
        """A look failed."""
        self._watchman.beside_failed(error)
