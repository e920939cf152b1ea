"""
A coordinator in virtual time: its loop is the product's, its senders and watches are turned by the timeline.

A request takes a while to come to the API server and its answer to come back; what a watch tells comes after a while
too, in order for one object and in any order for several. It can be killed at any moment: what it sent still arrives.
"""

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec

from daemon.cluster.errors import ClusterError
from daemon.coordinator.announcer import JobEvent, events_of
from daemon.coordinator.budget import Budget
from daemon.coordinator.decoding import job_of, node_image_of, node_of, pod_of
from daemon.coordinator.desk import Told
from daemon.coordinator.events import Gone, Listed, Seen
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening
from daemon.coordinator.lists.announcing import job_deleted, job_made, job_refused, list_events
from daemon.coordinator.lists.decoding import list_of
from daemon.coordinator.lists.lists import Lists
from daemon.coordinator.lists.page import ListTold
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.loop import LONGEST_WAIT_SECONDS, CoordinatorLoop, Message
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import About, Outcome, Request
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage, SeenPod
from daemon.coordinator.sending import Senders
from daemon.coordinator.sides import Sides
from tests.unit.coordinator.simulation.apiserver import (
    IMAGES,
    JOBS,
    LISTS,
    NODES,
    PODS,
    Change,
    VirtualApi,
    identity_of,
)
from tests.unit.coordinator.simulation.documents import Json
from tests.unit.coordinator.simulation.timeline import Timeline
from tests.unit.coordinator.simulation.weather import CALM, Weather, Weathered


GATE: Final = "startup-taint.cluster-autoscaler.kubernetes.io/prewarm"
_DECODERS: Final[Mapping[str, Callable[[bytes], SeenJob | SeenNodeImage | SeenNode | SeenPod | SeenList]]] = {
    JOBS: job_of,
    LISTS: list_of,
    IMAGES: node_image_of,
    NODES: node_of,
    PODS: pod_of,
}


class VirtualCoordinator:
    """
    One term of a leader.

    Args:
        api: the API server.
        timeline: its clock.
        weather: how requests and watches fare.
        chance: where chance comes from.
        rate: writes a second.
    """

    def __init__(
        self,
        api: VirtualApi,
        *,
        timeline: Timeline,
        weather: Weather = CALM,
        chance: random.Random,
        rate: float = 100.0,
    ) -> None:
        self.fleet = Fleet(gate_taint=GATE, gate_deadline_seconds=600.0)
        self.budget = Budget(rate=rate, clock=timeline)
        self.loop = CoordinatorLoop(
            self.fleet,
            paths=Paths("v1beta1"),
            budget=self.budget,
            send=self._send,
            follow_pods=self._follow_pods,
            listener=self,
            clock=timeline,
            make_sides=self._sides,
        )
        self.weather = weather
        self.is_dead = False
        self.is_frozen = False
        self.keeps = False
        self.heard: list[Seen] = []
        self.turns = 0
        self.sent_requests: list[Request] = []
        self.refusals: list[tuple[str, str]] = []
        self.told: list[tuple[str, JobEvent]] = []
        self.opened: list[tuple[str, Opening]] = []
        self.watchers: list[Callable[[], None]] = []
        self._api = api
        self._timeline = timeline
        self._chance = chance
        weathered = Weathered(api, fault=self._draw_fault)
        self._senders = Senders(weathered, may_send=lambda: True, done=lambda _outcome: None)
        self._namespaces: frozenset[str] = frozenset()
        self._told_at: dict[tuple[str, str], float] = {}
        self._wakes_at: float | None = None
        self._is_cut = False

    def start(self) -> None:
        """List everything, and watch."""
        self._api.watches.append(self._hear)
        for resource in (JOBS, LISTS, IMAGES, NODES):
            documents = list(self._api.objects(resource))
            self._chance.shuffle(documents)
            for document in documents:
                self._post(Seen(_decoded(resource, document)))
            self._timeline.after(self._draw(self.weather.lag), partial(self._post, Listed(resource)))

    def tell_stale(self) -> None:
        """Tell the loop in any order of everything that was ever told, of objects that are still there."""
        there = {identity_of(document) for resource in _DECODERS for document in self._api.objects(resource)}
        stale = [
            one for one in self.heard if (getattr(one.value, "namespace", ""), one.value.name, one.value.uid) in there
        ]
        self._chance.shuffle(stale)
        for message in stale:
            self._post(message)

    def tell_all(self) -> None:
        """Tell the loop of every object again, as a watch that lists anew does."""
        for resource in (JOBS, LISTS, IMAGES, NODES):
            for document in self._api.objects(resource):
                self._post(Seen(_decoded(resource, document)))

    def kill(self) -> None:
        """End at once, as by SIGKILL: what is on its way arrives, and nobody hears of it."""
        self.is_dead = True
        self._api.watches.remove(self._hear)

    def thaw(self) -> None:
        """Go on after having been frozen, with everything that was told meanwhile."""
        self.is_frozen = False
        self._turn()

    def _draw_fault(self) -> str:
        """Choose what befalls a write."""
        drawn = self._chance.random()
        for fault in ("refused", "conflicting", "unsent", "lost"):
            drawn -= getattr(self.weather, fault)
            if drawn < 0:
                return fault
        return ""

    def _sides(self, loop: CoordinatorLoop) -> Sides:
        lists = Lists(loop.fleet, desk=loop.desk, paths=loop.paths, listener=self)
        return {frozenset({About.LIST, About.CHILD}): lists}

    # The loop's turns

    def _turn(self) -> None:
        """Go once round the loop, as `run` does, and come again when it would."""
        if self.is_dead or self.is_frozen:
            return
        self.turns += 1
        loop = self.loop
        while not loop._inbox.empty():
            loop._take_all(wait_seconds=0.0)
        loop._act(self._timeline.now())
        for watcher in self.watchers:
            watcher()
        self._wakes_at = None
        left = self._seconds_left()
        if left is not None:
            self._turn_in(left)

    def _turn_in(self, seconds: float) -> None:
        at = self._timeline.seconds + seconds
        if self._wakes_at is None or at < self._wakes_at:
            self._wakes_at = at
            self._timeline.after(seconds, lambda: self._turn() if self._wakes_at == at else None)

    def _seconds_left(self) -> float | None:
        """Return when the loop has to be turned again; nothing happens in the turns that it makes without a reason."""
        left = self.loop._seconds_left()
        if left < LONGEST_WAIT_SECONDS or not self.fleet.is_started:
            return max(left, 0.001) if self.fleet.is_started else None
        now = self._timeline.now()
        waits = [self.loop._paused_until - now.seconds] if self.loop._paused_until > now.seconds else []
        if (wake := self.loop._passing.next_wake()) is not None:
            waits.append((wake - now.at) / timedelta(seconds=1))
        if (due := self.loop.desk.next_seconds()) is not None:
            waits.append(due - now.seconds)
        reads = (self.loop._outcomes.next_read_seconds(), self.loop.agenda.next_read_seconds())
        waits += [at - now.seconds for at in reads if at is not None]
        dues = (side.next_seconds() for side in self.loop._sides)
        waits += [due - now.seconds for due in dues if due is not None]
        return max(0.001, min(waits)) if waits else None

    def _post(self, message: Message) -> None:
        self.loop.post(message)
        self._turn_in(0.0)

    # Requests

    def _send(self, request: Request) -> None:
        self.sent_requests.append(request)
        self._timeline.after(self._draw(self.weather.latency), lambda: self._arrive(request))

    def _arrive(self, request: Request) -> None:
        outcome = self._senders._outcome(request)
        self._timeline.after(self._draw(self.weather.latency), lambda: self._answer(outcome))

    def _answer(self, outcome: Outcome) -> None:
        if not self.is_dead:
            self._post(outcome)

    # Watches

    def _hear(self, change: Change) -> None:
        if change.resource == PODS and identity_of(change.document)[0] not in self._namespaces:
            return
        namespace, name, uid = identity_of(change.document)
        message: Message
        if change.is_gone:
            message = Gone(change.resource, namespace, name, uid)
        else:
            message = Seen(_decoded(change.resource, change.document))
            if self.keeps:
                self.heard.append(message)
        # Of one object in order, of several in any.
        object_id = (change.resource, f"{namespace}/{name}")
        at = max(self._timeline.seconds + self._draw(self.weather.lag), self._told_at.get(object_id, 0.0) + 1e-6)
        self._told_at[object_id] = at
        self._tell(message, at)
        if not change.is_gone and self._chance.random() < self.weather.repeated:
            self._told_at[object_id] = at + 0.5
            self._tell(message, at + 0.5)

    def _tell(self, message: Message, at: float) -> None:
        self._timeline.after(at - self._timeline.seconds, lambda: None if self.is_dead else self._post(message))

    def _follow_pods(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        dropped = tuple(self._namespaces - namespaces)
        for namespace in namespaces - self._namespaces:
            self._timeline.after(self._draw(self.weather.lag), partial(self._list_pods, namespace))
        self._namespaces = namespaces
        return dropped

    def _list_pods(self, namespace: str) -> None:
        for document in self._api.objects(PODS):
            if identity_of(document)[0] == namespace:
                self._post(Seen(pod_of(msgspec.json.encode(document))))
        self._post(Listed(PODS, namespace))

    def _draw(self, span: tuple[float, float]) -> float:
        return self._chance.uniform(*span)

    # What the loop tells

    def started(self) -> None:
        """Everything is listed."""

    def ended(self, outcome: Outcome) -> None:
        """A request is over."""

    def looked(self, loop: CoordinatorLoop) -> None:
        """The loop has gone round."""

    def status_written(self, told: Told) -> None:
        """Keep the events that a job's status is worth."""
        for event in events_of(told.job, told.earlier, told.later, told.account):
            self.told.append((told.job.name, event))

    def job_made(self, seen: SeenList, *, job: str, image: str) -> None:
        """Keep the event of a list's new job."""
        self.told.append((seen.name, job_made(job=job, image=image)))

    def job_deleted(self, seen: SeenList, *, job: str) -> None:
        """Keep the event of a job that is a list's no more."""
        self.told.append((seen.name, job_deleted(job=job)))

    def job_refused(self, seen: SeenList, *, job: str, image: str, words: str) -> None:
        """Keep the event of a job that can't be made."""
        self.told.append((seen.name, job_refused(job=job, image=image, words=words)))

    def list_told(self, told: ListTold) -> None:
        """Keep the events that a list's status is worth."""
        self.told += [(told.seen.name, event) for event in list_events(told)]

    def gate_opened(self, node: SeenNode, opening: Opening) -> None:
        """Keep which gates were opened."""
        self.opened.append((node.name, opening))

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """Keep which writes were given up for a while."""
        self.refusals.append((request.subject, error.message))


def _decoded(resource: str, document: Json) -> SeenJob | SeenNodeImage | SeenNode | SeenPod | SeenList:
    return _DECODERS[resource](msgspec.json.encode(document))
