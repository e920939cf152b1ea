"""
One term of leadership: its loop, its watches and its senders, made anew each time that this coordinator comes to lead.

A new one begins with nothing, so what it knows was listed after it had the Lease. Each part has a thread; a part that
dies of something unforeseen is told to whoever started the term.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol

from daemon.clock import Clock
from daemon.cluster.backoff import asked_seconds, backoff_seconds
from daemon.cluster.discovery import served_versions, wanted_version
from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import RawApi, Telemetry, WatchApi
from daemon.config import CoordinatorSettings
from daemon.coordinator.budget import Budget
from daemon.coordinator.finalizer import Finalizers
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.lists.lists import Lists
from daemon.coordinator.loop import CoordinatorLoop
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import About, Outcome, Request
from daemon.coordinator.secrets.copies import Copies
from daemon.coordinator.sending import SENDERS, Senders
from daemon.coordinator.sides import Sides
from daemon.coordinator.watching import Watches
from daemon.coordinator.witness import Witness


DISCOVERY_TIMEOUT_SECONDS: Final = 10.0
# A request on its way ends in four seconds; then nothing more is sent.
END_SECONDS: Final = 6.0

_JOBS: Final = "imagepulljobs"
_LISTS: Final = "imagelistpulljobs"


class CoordinatorApi(WatchApi, RawApi, Protocol):
    """The API server as a coordinator asks it."""


class Term:
    """
    Leads from `start` to `stop`.

    Args:
        api: the API server, whose connections are the term's to close.
        settings: how this coordinator was started.
        budget: how many writes it allows itself, whatever the term.
        may_send: tells whether it leads.
        witness: hears what happens.
        telemetry: where requests and watches are counted.
        died: hears that a part has died, by its thread's name, in that thread.
        clock: the time.
    """

    def __init__(
        self,
        api: CoordinatorApi,
        *,
        settings: CoordinatorSettings,
        budget: Budget,
        may_send: Callable[[], bool],
        witness: Witness,
        telemetry: Telemetry,
        died: Callable[[str, BaseException], None],
        clock: Clock,
    ) -> None:
        self._api = api
        self._settings = settings
        self._budget = budget
        self._witness = witness
        self._telemetry = telemetry
        self._died = died
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._loop: CoordinatorLoop | None = None
        self._watches: Watches | None = None
        self._senders = Senders(api, may_send=may_send, done=self._post)
        self._lead: threading.Thread | None = None

    def start(self) -> None:
        """Begin; it does not wait for anything."""
        for number in range(SENDERS):
            self._spawn(f"send-{number}", self._senders.run)
        self._lead = self._spawn("loop", self._run)

    def stop(self) -> None:
        """Send nothing new, wait for what is on its way, and end every part."""
        with self._lock:
            self._stopping.set()
            loop, watches = self._loop, self._watches
        if loop is not None:
            loop.stop()
        if watches is not None:
            watches.stop()
        if self._lead is not None:
            self._lead.join(timeout=END_SECONDS)
        self._senders.stop()
        self._api.close()

    def _run(self) -> None:
        """Lead under one version of our kinds after another, as the server serves them."""
        failures = 0
        while (paths := self._paths()) is not None:
            began_seconds = self._clock.now().seconds
            self._lead_under(paths)
            is_steady = self._clock.now().seconds - began_seconds >= DISCOVERY_TIMEOUT_SECONDS
            failures = 0 if is_steady else failures + 1
            self._stopping.wait(backoff_seconds(failures) if failures else 0.0)

    def _lead_under(self, paths: Paths) -> None:
        fleet = Fleet(gate_taint=self._settings.gate_taint, gate_deadline_seconds=self._settings.gate_deadline_seconds)
        loop = CoordinatorLoop(
            fleet,
            paths=paths,
            budget=self._budget,
            send=self._send,
            follow_pods=self._follow_pods,
            listener=self._witness,
            clock=self._clock,
            make_sides=self._sides,
        )
        watches = Watches(
            self._api,
            paths=paths,
            post=loop.post,
            spawn=self._spawn,
            listener=self._witness,
            gone=loop.stop,
            telemetry=self._telemetry,
            clock=self._clock,
        )
        with self._lock:
            if self._stopping.is_set():
                return
            self._loop, self._watches = loop, watches
        self._witness.loop_began(paths, last_sync=lambda: watches.last_sync, syncs=lambda: watches.syncs)
        watches.start()
        loop.run()
        watches.stop()
        self._witness.loop_ended()

    def _sides(self, loop: CoordinatorLoop) -> Sides:
        """Make what is seen to beside jobs and their nodes."""
        copies = Copies(
            loop.fleet,
            secret_namespace=self._settings.secret_namespace,
            listener=self._witness,
        )
        lists = Lists(loop.fleet, desk=loop.desk, paths=loop.paths, listener=self._witness)
        finalizers = Finalizers(loop.fleet, paths=loop.paths, listener=self._witness)
        # Secrets first: a job waits for them whether or not a list waits for the job.
        return {
            frozenset({About.SECRET}): copies,
            frozenset({About.LIST, About.CHILD}): lists,
            frozenset({About.FINALIZER}): finalizers,
        }

    def _paths(self) -> Paths | None:
        """Ask which version of our kinds is served until there is one; None once stopped."""
        failures = 0
        while not self._stopping.is_set():
            try:
                served = served_versions(self._api, (_JOBS, _LISTS), timeout_seconds=DISCOVERY_TIMEOUT_SECONDS)
                version = wanted_version(served, _JOBS)
                return Paths(version, has_lists=served.get(_LISTS) == version)
            except ClusterError as error:
                failures += 1
                self._witness.watch_failed(_JOBS, error)
                self._stopping.wait(asked_seconds(error) + backoff_seconds(failures))
        return None

    def _send(self, request: Request) -> None:
        self._senders.send(request)

    def _post(self, outcome: Outcome) -> None:
        if self._loop is not None:
            self._loop.post(outcome)

    def _follow_pods(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        return self._watches.follow_pods(namespaces) if self._watches is not None else ()

    def _spawn(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def root() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - a thread's root: nothing may be lost silently
                self._died(name, error)

        thread = threading.Thread(target=root, name=name, daemon=True)
        thread.start()
        return thread
