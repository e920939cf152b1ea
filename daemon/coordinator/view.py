"""
What a coordinator shows of itself over HTTP: health, readiness, metrics, state.

It keeps the newest snapshot that the loop has published, and is asked from the server's threads. How a snapshot is made
is snapshot.py's, what it looks like statejson.py's, what is wrong with the API server watchman.py's.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from daemon import __version__
from daemon.beside.verdict import Finding
from daemon.clock import Clock, Moment
from daemon.config import CoordinatorSettings
from daemon.coordinator.loop import LONGEST_WAIT_SECONDS
from daemon.coordinator.measures import figures_of
from daemon.coordinator.snapshot import CoordinatorState
from daemon.coordinator.statejson import About, state_json
from daemon.coordinator.watchman import Watchman
from daemon.observe.answer import JSON, Answer
from daemon.observe.coordinator_metrics import CoordinatorMetrics, Figures
from daemon.observe.health import NOT_READY, UNHEALTHY, Check, Pulse, health
from daemon.observe.metrics import CONTENT_TYPE


# Between two turns of an election lie its pause and three requests that all time out.
LEASE_PERIOD_SECONDS: Final = 20.0
# What a person would look for in /state.
_SHOWN_SETTINGS: Final = ("lease_namespace", "write_rate", "gate_taint", "gate_deadline_seconds")


class View:
    """
    Shows one coordinator.

    Args:
        settings: how it was started.
        leader: who was last seen to hold the Lease, "" for nobody.
        watchman: knows what is wrong with the API server.
        clock: the time.
        monotonic: the time by which the pulses are judged; see Pulse.
    """

    def __init__(
        self,
        settings: CoordinatorSettings,
        *,
        leader: Callable[[], str],
        watchman: Watchman,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._leader = leader
        self._watchman = watchman
        self._clock = clock
        self._monotonic = monotonic
        self._started_at = clock.now().at
        self._lease_pulse = self._pulse(LEASE_PERIOD_SECONDS)
        self._loop_pulse: Pulse | None = None
        self._leading_since: datetime | None = None
        self._last_sync: Callable[[], Moment | None] = _never
        self._state: CoordinatorState | None = None
        self._beside: Finding | None = None

    def leads(self, *, is_leader: bool) -> None:
        """Take note that this coordinator came to lead, or ceased to."""
        self._leading_since = self._clock.now().at if is_leader else None
        self.loop_ended()

    def loop_began(self, *, last_sync: Callable[[], Moment | None]) -> None:
        """Take note that a loop goes round from now on; `last_sync` tells when its watches were last right."""
        self._state, self._last_sync = None, last_sync
        self._loop_pulse = self._pulse(LONGEST_WAIT_SECONDS)

    def loop_ended(self) -> None:
        """Take note that no loop goes round, and that what was known is of no use any more."""
        self._loop_pulse, self._state, self._last_sync = None, None, _never

    def looked(self) -> None:
        """Take note that the loop has gone round."""
        if self._loop_pulse is not None:
            self._loop_pulse.beat()

    def published(self, state: CoordinatorState) -> None:
        """Take the newest snapshot."""
        self._state = state

    def lease_turned(self) -> None:
        """Take note that the election has gone round."""
        self._lease_pulse.beat()

    def found(self, finding: Finding) -> None:
        """Take the newest that is known of who else serves jobs."""
        self._beside = finding

    def figures(self) -> Figures | None:
        """Return the newest figures, None where this coordinator does not lead."""
        if self._leading_since is None:
            return None
        return figures_of(self._state or CoordinatorState(), last_sync=self._last_sync())

    @property
    def alive(self) -> Mapping[str, Check]:
        """Return what has to go round: the election, and while it leads the loop."""
        return {"lease": self._lease_pulse.check, "loop": self._loop_problem}

    def routes(self, metrics: CoordinatorMetrics) -> Mapping[str, Callable[[], Answer]]:
        """Return what answers each path."""
        return {
            "/healthz": lambda: health(self.alive, failed_status=UNHEALTHY),
            "/readyz": lambda: health({"api": self._api_problem}, failed_status=NOT_READY),
            "/metrics": lambda: Answer(body=metrics.text(), content_type=CONTENT_TYPE),
            "/state": self._answer,
        }

    def _loop_problem(self) -> str:
        pulse = self._loop_pulse
        return pulse.check() if pulse is not None else ""

    def _api_problem(self) -> str:
        """Say why it can't work, "" where it can; one that stands by needs nothing but the Lease."""
        return self._watchman.problem(is_leading=self._leading_since is not None, last_sync=self._last_sync())

    def _answer(self) -> Answer:
        last_sync = self._last_sync()
        settings = msgspec.structs.asdict(self._settings)
        about = About(
            identity=self._settings.identity,
            version=__version__,
            started_at=self._started_at,
            leader=self._leader(),
            leading_since=self._leading_since,
            last_contact_at=last_sync.at if last_sync else None,
            api_problem=self._api_problem(),
            beside=self._beside,
            settings={name: settings[name] for name in _SHOWN_SETTINGS},
        )
        return Answer(body=state_json(self._state, about=about, now=self._clock.now()), content_type=JSON)

    def _pulse(self, period_seconds: float) -> Pulse:
        return Pulse(period_seconds=period_seconds, monotonic=self._monotonic)


def _never() -> Moment | None:
    return None
