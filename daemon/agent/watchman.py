"""
What the agent knows of its API server, in words: for its log, its readiness, its metrics and /state.

Hears from the watch and from the status writer, each in its own thread. When a failure is logged is
observe/troubles.py's.
"""

from collections.abc import Sequence
from typing import Final

from daemon.clock import Clock, Moment
from daemon.cluster.errors import ClusterError
from daemon.observe.logs import Logger
from daemon.observe.metrics import AgentMetrics
from daemon.observe.troubles import Troubles


WATCH: Final = "watch"
STATUS: Final = "status"
EVENTS: Final = "events"


class Watchman:
    """
    Listens to the watch and the writer of one agent; thread-safe.

    Args:
        log: where changes are told.
        metrics: where all is counted.
        clock: the time.
    """

    def __init__(self, log: Logger, *, metrics: AgentMetrics, clock: Clock) -> None:
        self._log = log
        self._metrics = metrics
        self._other_daemon = ""
        self._troubles = Troubles(log, clock=clock)

    def problem(self, last_sync: Moment | None) -> str:
        """Say what is wrong between us and the API server now, "" for nothing; the watch was right at `last_sync`."""
        watch, status = self._troubles.of(WATCH).get(""), self._troubles.of(STATUS).get("")
        if last_sync is None:
            return watch.words if watch else "not synced yet"
        if watch is not None and watch.seconds > last_sync.seconds:
            return watch.words
        return status.words if status else ""

    def node_image_found(self, *, uid: str, images: int) -> None:
        """The NodeImage is there, new or under another uid."""
        self._log.info("node_image_found", uid=uid, images=images)

    def node_image_missing(self) -> None:
        """There is no NodeImage of this node: nothing is wanted, and there is no status that could not be written."""
        self._troubles.forget(STATUS)
        self._log.warning("node_image_missing", message="nothing is wanted of this node until its NodeImage is there")

    def entries_passed_over(self, problems: Sequence[str]) -> None:
        """Some entries are unsound; the rest is served."""
        self._log.warning("entries_passed_over", problems=list(problems))

    def watch_failed(self, error: ClusterError) -> None:
        """A list or watch failed and is tried again."""
        self._failed(WATCH, error)

    def watch_heard(self) -> None:
        """A watch is open: it works, also where it has nothing to tell."""
        self._troubles.over(WATCH)

    def status_written(self) -> None:
        """The API server has the newest status."""
        self._metrics.status_written("written")
        self._troubles.over(STATUS)

    def status_failed(self, error: ClusterError) -> None:
        """A write did not get through."""
        self._metrics.status_written("failed")
        self._failed(STATUS, error)

    def status_refused(self, error: ClusterError) -> None:
        """The API server refuses what the agent says."""
        self._metrics.status_written("refused")
        self._failed(STATUS, error)

    def other_daemon(self) -> str:
        """Return what is to be said of another daemon that writes the status too, "" for none."""
        return self._other_daemon

    def other_daemon_noticed(self, words: str) -> None:
        """Another writes the status too."""
        self._other_daemon = words
        self._metrics.other_daemon_seen(is_there=True)
        self._log.warning("other_daemon_noticed", message=words)

    def other_daemon_gone(self) -> None:
        """Nobody else has written the status for a quarter of an hour."""
        self._other_daemon = ""
        self._metrics.other_daemon_seen(is_there=False)
        self._log.info("other_daemon_gone")

    def event_failed(self, error: ClusterError) -> None:
        """An event was not taken; events are best effort."""
        self._failed(EVENTS, error)

    def _failed(self, name: str, error: ClusterError) -> None:
        self._troubles.failed(name, error=type(error).__name__, message=error.message)
