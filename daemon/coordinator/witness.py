"""
What happens in a coordinator, told to whoever shows it: logs, metrics, events, /state.

It hears the loop, the watches and the election, each in its own thread, and decides nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from daemon.clock import Clock, Moment
from daemon.cluster.errors import ClusterError
from daemon.cluster.metadata import Identity
from daemon.cluster.recorder import EventRecorder, Regarding
from daemon.coordinator.announcer import JobEvent, events_of, gate_opened_cold, regarding_job, regarding_node
from daemon.coordinator.desk import Told
from daemon.coordinator.gate import Opening
from daemon.coordinator.journal import Journal
from daemon.coordinator.lists import announcing
from daemon.coordinator.lists.announcing import regarding_list
from daemon.coordinator.lists.journal import ListJournal
from daemon.coordinator.lists.page import ListTold
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.loop import CoordinatorLoop
from daemon.coordinator.measures import Measures
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import Outcome, Request
from daemon.coordinator.seen import SeenNode
from daemon.coordinator.snapshot import snapshot_of
from daemon.coordinator.view import View
from daemon.coordinator.watchman import Watchman
from daemon.observe.coordinator_metrics import CoordinatorMetrics


SNAPSHOT_SECONDS: Final = 1.0


class Ears(msgspec.Struct, frozen=True, kw_only=True):
    """Everyone who is told."""

    journal: Journal
    lists: ListJournal
    metrics: CoordinatorMetrics
    view: View
    watchman: Watchman
    recorder: EventRecorder


class Witness:
    """
    Hears everything.

    Args:
        ears: who is told.
        identity: this coordinator's.
        leader: who was last seen to hold the Lease.
        gate_deadline_seconds: for the words of a gate that opened cold.
        clock: the time.
    """

    def __init__(
        self,
        ears: Ears,
        *,
        identity: str,
        leader: Callable[[], str],
        gate_deadline_seconds: float,
        clock: Clock,
    ) -> None:
        self._ears = ears
        self._measures = Measures(ears.metrics)
        self._identity = identity
        self._leader = leader
        self._gate_deadline_seconds = gate_deadline_seconds
        self._clock = clock
        self._syncs: Callable[[], Mapping[str, Moment]] = dict
        self._published_seconds = float("-inf")
        self._has_started = False

    def leadership_changed(self, is_leader: bool) -> None:  # noqa: FBT001 - it is what changed
        """The election was won or lost; in its thread, before a term begins and after it has ended."""
        self._ears.metrics.leads(is_leader=is_leader)
        self._ears.view.leads(is_leader=is_leader)
        if is_leader:
            self._ears.journal.leadership_won(identity=self._identity)
            return
        self._ears.watchman.term_ended()
        self._ears.journal.leadership_lost(identity=self._identity, leader=self._leader())

    def requested(self, verb: str, resource: str, code: str) -> None:
        """Hear of each request, as Telemetry tells it."""
        self._ears.metrics.api_requested(verb, resource, code)
        self._ears.watchman.requested(verb, resource, code)
        if resource == "leases":
            # Each turn of the election asks for its Lease, whatever comes of it.
            self._ears.view.lease_turned()

    def loop_began(
        self, paths: Paths, *, last_sync: Callable[[], Moment | None], syncs: Callable[[], Mapping[str, Moment]]
    ) -> None:
        """A loop begins, under these paths; its watches were last right then: all of them, and each."""
        self._syncs = syncs
        self._published_seconds = float("-inf")
        self._ears.view.loop_began(last_sync=last_sync)
        self._ears.journal.term_began(api_version=paths.api_version)

    def loop_ended(self) -> None:
        """The loop is over: with the term, or because our kinds are no longer served there."""
        self._ears.view.loop_ended()

    def started(self) -> None:
        """Everything is listed."""
        self._has_started = True

    def ended(self, outcome: Outcome) -> None:
        """A request is over."""
        self._measures.ended(outcome)

    def looked(self, loop: CoordinatorLoop) -> None:
        """The loop has gone round."""
        now = self._clock.now()
        self._ears.view.looked()
        self._ears.watchman.synced(self._syncs())
        if self._has_started:
            self._has_started = False
            self._ears.journal.synced(jobs=len(loop.fleet.jobs), nodes=len(loop.fleet.nodes))
        if now.seconds >= self._published_seconds + SNAPSHOT_SECONDS:
            self._published_seconds = now.seconds
            self._ears.view.published(snapshot_of(loop, now=now))

    def status_written(self, told: Told) -> None:
        """A job's status was written."""
        now_seconds = self._clock.now().seconds
        self._ears.journal.status_written(told.job, told.earlier, told.later, told.account, now_seconds=now_seconds)
        for event in events_of(told.job, told.earlier, told.later, told.account):
            self._record(regarding_job(told.job), event)

    def gate_opened(self, node: SeenNode, opening: Opening) -> None:
        """A node's startup taint is off."""
        self._ears.journal.gate_opened(node.name, reason=opening.reason, cold=opening.cold)
        self._ears.metrics.gate_opened(opening.reason)
        if opening.reason == "deadline":
            event = gate_opened_cold(opening.cold, deadline_seconds=self._gate_deadline_seconds)
            self._record(regarding_node(node), event)

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """The API server refuses what is to be written."""
        self._ears.journal.write_refused(request, error, now_seconds=self._clock.now().seconds)

    def job_made(self, seen: SeenList, *, job: str, image: str) -> None:
        """A list's job was made."""
        self._ears.lists.job_made(seen, job=job, image=image)
        self._record(regarding_list(seen), announcing.job_made(job=job, image=image))

    def job_deleted(self, seen: SeenList, *, job: str) -> None:
        """A list's job was deleted."""
        self._ears.lists.job_deleted(seen, job=job)
        self._record(regarding_list(seen), announcing.job_deleted(job=job))

    def job_refused(self, seen: SeenList, *, job: str, image: str, words: str) -> None:
        """A list's job can't be made."""
        self._ears.lists.job_refused(seen, job=job, image=image, words=words)
        self._record(regarding_list(seen), announcing.job_refused(job=job, image=image, words=words))

    def list_told(self, told: ListTold) -> None:
        """A list's status was written."""
        self._ears.lists.list_told(told)
        for event in announcing.list_events(told):
            self._record(regarding_list(told.seen), event)

    def secret_copied(self, source: str, *, copy: str) -> None:
        """The copy of a pull secret was made, or follows its source."""
        self._ears.journal.secret_copied(source, copy=copy)

    def secret_released(self, source: str, *, copy: str) -> None:
        """The copy of a pull secret is gone."""
        self._ears.journal.secret_released(source, copy=copy)

    def secret_troubled(self, source: str, *, state: str, words: str) -> None:
        """A pull secret can't be had."""
        self._ears.journal.secret_troubled(source, state=state, words=words)

    def secrets_unlisted(self, error: ClusterError) -> None:
        """The copies of pull secrets can't be listed."""
        self._ears.journal.secrets_unlisted(error)

    def passed_over(self, resource: str, identity: Identity, words: str) -> None:
        """An object can't be read."""
        name = f"{identity.namespace}/{identity.name}" if identity.namespace else identity.name
        self._ears.metrics.passed_over(resource)
        self._ears.journal.passed_over(resource, name=name, problem=words)

    def watch_failed(self, resource: str, error: ClusterError) -> None:
        """A list or watch failed and is tried again."""
        self._ears.watchman.watch_failed(resource, error)

    def _record(self, regarding: Regarding, event: JobEvent) -> None:
        self._ears.recorder.record(
            regarding, kind=event.kind, reason=event.reason, note=event.note, action=event.action
        )
