"""
Sends events (events.k8s.io/v1) from a thread of its own, as well as it can.

An event tells a person what a status already holds. So recording never blocks and never fails its caller, and an event
that is one too many, or that the API server does not take, is dropped and counted. When one is too many is
eventlimits.py's.
"""

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.nap import sleep_using_event

from daemon.clock import Clock, SystemClock
from daemon.cluster.backoff import asked_seconds, backoff_seconds
from daemon.cluster.errors import ClusterError, Conflict, ServerFailed, Throttled, Unreachable
from daemon.cluster.eventlimits import EventLimits
from daemon.cluster.interface import Api, Resource


QUEUED: Final = 256
ATTEMPTS: Final = 4
TIMEOUT_SECONDS: Final = 10.0
FLUSH_SECONDS: Final = 1.5
NOTE_BYTES: Final = 1024
# The API's own limits: a name's 253 with our suffix, and the fields that say who and what.
NAME_LENGTH: Final = 220
WORD_LENGTH: Final = 128

_CUT: Final = "..."
_WORTH_ANOTHER: Final = (Unreachable, Throttled, ServerFailed)


class Regarding(msgspec.Struct, frozen=True, kw_only=True):
    """The object that an event is about; without a namespace where it is cluster-wide, as a Node or a NodeImage is."""

    api_version: str
    kind: str
    name: str
    uid: str
    namespace: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell; `kind` is the event's type, Normal or Warning."""

    regarding: Regarding
    kind: str
    reason: str
    note: str
    action: str
    at: datetime


class EventRecorder:
    """
    Records events; `run` belongs in a thread of its own, `record` and `stop` are for any thread.

    Args:
        api: where they go.
        controller: who reports, a qualified name such as prewarm.internal/agent.
        instance: which one of those, such as the Pod's name.
        dropped: hears of each event that is not sent, for a counter.
        failed: hears why the API server did not take one, in run's thread.
        clock: the time.
        admit: asked before each request: 0 lets it go now, and has taken its place; else how many seconds to wait
            before it is asked again. A stop waits for no place: what has none is dropped.
    """

    def __init__(
        self,
        api: Api,
        *,
        controller: str,
        instance: str,
        dropped: Callable[[], None] = lambda: None,
        failed: Callable[[ClusterError], None] = lambda _error: None,
        clock: Clock | None = None,
        admit: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._api = api
        self._controller = controller
        self._instance = instance
        self._dropped = dropped
        self._failed = failed
        self._clock = clock or SystemClock()
        self._admit = admit
        self._limits = EventLimits()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._deadline = float("inf")

    def record(self, regarding: Regarding, *, kind: str, reason: str, note: str, action: str) -> None:
        """Have an event of type `kind` (Normal, Warning) sent soon, or dropped."""
        now = self._clock.now()
        with self._lock:
            is_wanted = self._queue.qsize() < QUEUED and self._limits.allows(
                regarding.uid or regarding.name, reason, note, now_seconds=now.seconds
            )
        if is_wanted and not self._stopping.is_set():
            self._queue.put(Event(regarding=regarding, kind=kind, reason=reason, note=note, action=action, at=now.at))
        else:
            self._dropped()

    def run(self) -> None:
        """Send what is recorded, until stopped."""
        while (event := self._queue.get()) is not None:
            try:
                self._send(event)
            except ClusterError as error:
                self._dropped()
                self._failed(error)

    def stop(self, *, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Take no more; `run` sends what is queued for so long, and returns. Closing the api ends what hangs then."""
        self._deadline = time.monotonic() + timeout_seconds
        self._stopping.set()
        self._queue.put(None)

    def _send(self, event: Event) -> None:
        """Send an event, again after a pause where that may help; a stop ends the pauses."""
        attempts = Retrying(
            retry=retry_if_exception_type(_WORTH_ANOTHER),
            stop=self._is_enough,
            wait=_pause_seconds,
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        )
        # An owner's namespace is whatever a NodeImage says: one segment of the path, and never more.
        namespace = quote(namespace_of(event.regarding), safe="")
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        # Made once, with its name: an attempt whose answer was lost may have stored it.
        attempts(self._create, path, resource_of(event, controller=self._controller, instance=self._instance))

    def _create(self, path: str, resource: Resource) -> None:
        while (wait_seconds := self._admit()) > 0:
            if self._stopping.wait(wait_seconds):
                raise Unreachable("create events: other requests come first, and no time is left")
        left_seconds = self._deadline - time.monotonic()
        if left_seconds <= 0:
            raise Unreachable("create events: no time is left")
        # Nobody else takes this name, so what has it is this event.
        with contextlib.suppress(Conflict):
            self._api.create(path, resource, timeout_seconds=min(TIMEOUT_SECONDS, left_seconds))

    def _is_enough(self, state: RetryCallState) -> bool:
        return self._stopping.is_set() or stop_after_attempt(ATTEMPTS)(state)


def namespace_of(regarding: Regarding) -> str:
    """Return where an event about this object lies: the API keeps those of cluster-wide objects in `default`."""
    return regarding.namespace or "default"


def resource_of(event: Event, *, controller: str, instance: str) -> Resource:
    """Return the event as the API takes it, under a name that no other has."""
    about = event.regarding
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "namespace": namespace_of(about),
            "name": f"{about.name[:NAME_LENGTH].rstrip('-.')}.{secrets.token_hex(8)}",
        },
        "eventTime": event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": event.kind,
        "reason": event.reason[:WORD_LENGTH],
        "action": event.action[:WORD_LENGTH],
        "note": cut(event.note, most_bytes=NOTE_BYTES),
        "reportingController": controller[:WORD_LENGTH],
        "reportingInstance": instance[:WORD_LENGTH],
        "regarding": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }


def cut(text: str, *, most_bytes: int) -> str:
    """Return text of at most so many bytes of UTF-8, cut between two characters, with what is no text replaced."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= most_bytes:
        return encoded.decode()
    return encoded[: most_bytes - len(_CUT)].decode(errors="ignore") + _CUT


def _pause_seconds(state: RetryCallState) -> float:
    """Return the wait before the next attempt: jitter, on top of what the server asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    return backoff_seconds(state.attempt_number) + (asked_seconds(error) if isinstance(error, ClusterError) else 0.0)
