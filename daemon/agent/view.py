"""
What an agent shows of itself over HTTP: health, readiness, metrics, state; an Observer of the node's loop.

It keeps the newest state of the node and asks the others when somebody looks. What is shown, and how, is observe/'s and
state.py's.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from daemon import __version__
from daemon.agent.state import About, state_json
from daemon.agent.watching import NodeImageWatch
from daemon.agent.watchman import Watchman
from daemon.api.quantity import bytes_to_keep_free
from daemon.clock import Clock, Moment
from daemon.config import AgentSettings
from daemon.node.loop import LONGEST_WAIT_SECONDS
from daemon.node.task import NodeState
from daemon.observe.answer import JSON, Answer
from daemon.observe.asked import Asked
from daemon.observe.health import NOT_READY, UNHEALTHY, Check, Pulse, health
from daemon.observe.metrics import CONTENT_TYPE, AgentMetrics, Space
from daemon.runtime.interface import ImageRuntime


# What a person would look for in /state; addresses of files on the node are among them, secrets are not.
_SHOWN_SETTINGS: Final = (
    "runtime_endpoint",
    "max_concurrent_pulls",
    "min_free",
    "secret_namespace",
    "has_owner_events",
    "plugin_config",
)


class View:
    """
    Shows one agent.

    Args:
        settings: how it was started.
        runtime: whose disk is measured.
        started_at: since when it runs.
        clock: the time.
        monotonic: the time by which the loop's pulse is judged; see Pulse.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        runtime: ImageRuntime,
        started_at: datetime,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self._clock = clock
        self._state = NodeState()
        self._pulse = Pulse(period_seconds=LONGEST_WAIT_SECONDS, monotonic=monotonic)
        self.space = Asked(self._measure_space)
        self.started_at = started_at

    def changed(self, _before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Take note of the newest state, and that the loop goes round."""
        del now
        self._state = after
        self._pulse.beat()

    def _measure_space(self) -> Space:
        """
        Measure the filesystem that holds images, which asks the runtime.

        Raises:
            CriError: it cannot be measured.
        """
        filesystem = self._runtime.filesystem()
        return Space(
            free_bytes=filesystem.free_bytes,
            size_bytes=filesystem.total_bytes,
            floor_bytes=bytes_to_keep_free(self._settings.min_free, total_bytes=filesystem.total_bytes),
        )

    def routes(
        self, *, watch: NodeImageWatch, watchman: Watchman, metrics: AgentMetrics, beside: Mapping[str, Check]
    ) -> Mapping[str, Callable[[], Answer]]:
        """Return what answers each path; `beside` has to be alive too."""
        ready = {"api": lambda: watchman.problem(watch.last_sync), "runtime": self._runtime_problem}
        return {
            "/healthz": lambda: health({"loop": self._pulse.check, **beside}, failed_status=UNHEALTHY),
            "/readyz": lambda: health(ready, failed_status=NOT_READY),
            "/metrics": lambda: _metrics(metrics, last_sync=watch.last_sync),
            "/state": lambda: self._state_answer(watch=watch, watchman=watchman),
        }

    def _runtime_problem(self) -> str:
        state = self._state
        if not state.is_runtime_up:
            return f"RuntimeUnavailable: {state.runtime_problem}"
        return "" if state.runtime else "not asked yet"

    def _state_answer(self, *, watch: NodeImageWatch, watchman: Watchman) -> Answer:
        last_sync = watch.last_sync
        settings = msgspec.structs.asdict(self._settings)
        about = About(
            node=self._settings.node_name,
            version=__version__,
            started_at=self.started_at,
            runtime_endpoint=self._runtime.endpoint,
            is_synced=last_sync is not None,
            last_contact_at=last_sync.at if last_sync else None,
            api_problem=watchman.problem(last_sync),
            other_daemon=watchman.other_daemon(),
            space=self.space.value(),
            settings={name: settings[name] for name in _SHOWN_SETTINGS},
        )
        return Answer(body=state_json(self._state, about=about, now=self._clock.now()), content_type=JSON)


def _metrics(metrics: AgentMetrics, *, last_sync: Moment | None) -> Answer:
    if last_sync is not None:
        metrics.synced(last_sync.at)
    return Answer(body=metrics.text(), content_type=CONTENT_TYPE)
