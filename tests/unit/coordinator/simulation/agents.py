"""
An agent on a machine without a runtime: it answers each entry after a time, as the real agent's statuses do.

It echoes the version, says in every phase what lies on the node, reports each minute while a task is open, an end at
once when nothing else is open, and everything else a second after it is so.
"""

import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.times import format_time
from daemon.cluster.errors import NotFound
from tests.unit.coordinator.simulation.apiserver import IMAGES, VirtualApi, said
from tests.unit.coordinator.simulation.documents import Json
from tests.unit.coordinator.simulation.timeline import Timeline


SOON_SECONDS: Final = 1.0
ALIVE_SECONDS: Final = 60.0
# What an agent needs to hear of a change, and to find an image that is there.
HEARS_SECONDS: Final = 0.02
FINDS_SECONDS: Final = 0.05
_ENDS: Final = ("Succeeded", "Failed")

Key = tuple[str, str]


class Pull(msgspec.Struct, frozen=True):
    """How a pull goes: how long it takes, and why it fails, "" where it does not."""

    seconds: float
    reason: str = ""


Pulls = Callable[[str, Key, datetime], Pull]
"""How a pull of an image goes on a node that begins it now."""


class Task:
    """One version of one entry."""

    def __init__(self, *, version: int, phase: str, began_at: datetime) -> None:
        self.version = version
        self.phase = phase
        self.began_at = began_at
        self.ended_at: datetime | None = None
        self.reason = ""
        self.is_running = False
        self.has_asked = False

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.phase not in _ENDS


class VirtualAgent:
    """
    The agent of one machine, which keeps its images when its Node or NodeImage is made anew.

    `is_silent` freezes it; `has_prewarm` False makes it answer as OpenKruise's daemon, without our fields. `pulls`
    counts the pulls that asked the registry, by image.
    """

    def __init__(
        self, name: str, *, api: VirtualApi, timeline: Timeline, pulls: Pulls, has_prewarm: bool = True
    ) -> None:
        self.name = name
        self.images: dict[Key, str] = {}
        self.pulled: list[tuple[Key, int, datetime]] = []
        self.digest = "1"
        self.is_silent = False
        self._api = api
        self._timeline = timeline
        self._pulls = pulls
        self._has_prewarm = has_prewarm
        self._started_at = timeline.at
        self._uid = ""
        self._generation = 0
        self._tasks: dict[Key, Task] = {}
        self._said_seconds = float("-inf")
        self._reports_at: float | None = None
        self._hears = False

    def hear(self) -> None:
        """Have the agent look at its NodeImage soon."""
        if not self._hears:
            self._hears = True
            self._timeline.after(HEARS_SECONDS, self._look)

    def wake(self) -> None:
        """Go on after a silence."""
        self.is_silent = False
        self._reports_at = None
        self.hear()
        self._report_in(SOON_SECONDS)

    def evict(self, key: Key) -> None:
        """Take an image off the node, as a kubelet does: it is pulled again under its standing entry."""
        if self.is_silent or self.images.pop(key, None) is None:
            return
        task = self._tasks.get(key)
        if task is not None and not task.is_open:
            task.phase, task.ended_at = "Waiting", None
            self._begin(key, task, must_ask=True)
            self._report_in(SOON_SECONDS)

    def _look(self) -> None:
        self._hears = False
        found = self._api.find(IMAGES, self.name)
        if self.is_silent or found is None:
            return
        if found["metadata"]["uid"] != self._uid:
            self._uid, self._tasks = found["metadata"]["uid"], {}
            self._report_in(SOON_SECONDS)
        self._generation = found["metadata"]["generation"]
        images = said(found, "spec", "images") or {}
        wanted = {(repository, entry["tag"]): entry for repository, image in images.items() for entry in image["tags"]}
        for key in self._tasks.keys() - wanted.keys():
            del self._tasks[key]
            self._report_in(SOON_SECONDS)
        for key, entry in wanted.items():
            self._want(key, entry, found=found)

    def _want(self, key: Key, entry: Json, *, found: Json) -> None:
        task = self._tasks.get(key)
        is_suspended = bool(said(entry, "prewarm", "suspended"))
        if task is None or task.version != entry["version"]:
            task = self._tasks[key] = self._task_of(key, entry, found=found)
        if not task.is_open:
            return
        if is_suspended:
            is_news = task.is_running or task.reason != "Suspended"
            task.is_running, task.phase, task.reason = False, "Waiting", "Suspended"
            if is_news:
                self._report_in(SOON_SECONDS)
        elif not task.is_running:
            task.reason = ""
            self._begin(key, task, must_ask=entry.get("imagePullPolicy") == "Always")

    def _task_of(self, key: Key, entry: Json, *, found: Json) -> Task:
        """Go on from what was said of this version before, or begin it."""
        task = Task(version=entry["version"], phase="Waiting", began_at=self._timeline.at)
        for status in said(found, "status", "imageStatuses", key[0], "tags") or ():
            is_it = status["tag"] == key[1] and status.get("version") == task.version
            if is_it and status["phase"] in _ENDS and status.get("reason") != "AgentSilent":
                task.phase, task.reason, task.ended_at = status["phase"], status.get("reason", ""), self._timeline.at
        return task

    def _begin(self, key: Key, task: Task, *, must_ask: bool) -> None:
        task.is_running, task.phase = True, "Waiting"
        asks = must_ask or key not in self.images
        pull = self._pulls(self.name, key, self._timeline.at) if asks else Pull(FINDS_SECONDS)
        if asks:
            self.pulled.append((key, task.version, self._timeline.at))
            task.phase = "Pulling"
        began_at = task.began_at = self._timeline.at
        self._timeline.after(pull.seconds, lambda: self._end(key, task, began_at, pull))
        if pull.seconds > SOON_SECONDS:
            self._report_in(SOON_SECONDS)

    def _end(self, key: Key, task: Task, began_at: datetime, pull: Pull) -> None:
        if self._tasks.get(key) is not task or not task.is_running or task.began_at != began_at:
            return
        if self.is_silent:
            # What a frozen machine had under way ends once it is awake.
            self._timeline.after(ALIVE_SECONDS, lambda: self._end(key, task, began_at, pull))
            return
        task.is_running, task.ended_at = False, self._timeline.at
        task.phase, task.reason = ("Failed", pull.reason) if pull.reason else ("Succeeded", "")
        if not pull.reason:
            self.images[key] = self.digest
        is_last = not any(other.is_open for other in self._tasks.values())
        self._report_in(0.0 if is_last else SOON_SECONDS)

    def _report_in(self, seconds: float) -> None:
        at = self._timeline.seconds + seconds
        if self._reports_at is None or at < self._reports_at:
            self._reports_at = at
            self._timeline.after(seconds, lambda: self._report(at))

    def _report(self, at: float) -> None:
        if self._reports_at != at:
            return
        self._reports_at = None
        if self.is_silent or not self._uid:
            return
        try:
            self._api.change(IMAGES, self.name, self._document, is_status=True)
        except NotFound:
            self._uid = ""
            return
        if any(task.is_open for task in self._tasks.values()):
            self._report_in(ALIVE_SECONDS)

    def _document(self, found: Json) -> Json:
        """Return the NodeImage with what this agent says; another's is left alone."""
        if found["metadata"]["uid"] != self._uid:
            return found
        statuses: dict[str, Json] = {}
        for (repository, tag), task in sorted(self._tasks.items()):
            statuses.setdefault(repository, {"tags": []})["tags"].append(self._status((repository, tag), task))
        phases = [task.phase for task in self._tasks.values()]
        counts = {phase.lower(): phases.count(phase) for phase in ("Succeeded", "Failed", "Pulling", "Waiting")}
        status: Json = {"desired": len(phases), **counts, "imageStatuses": statuses}
        if self._has_prewarm:
            status["observedGeneration"] = self._generation
            status["prewarm"] = {"agent": self._words()}
        return {**found, "status": status}

    def _words(self) -> Json:
        started_at, reported_at = format_time(self._started_at), format_time(self._timeline.at)
        return {"version": "1.0", "runtime": "none://1", "startedAt": started_at, "reportedAt": reported_at}

    def _status(self, key: Key, task: Task) -> Json:
        status: Json = {"tag": key[1], "phase": task.phase, "version": task.version}
        status["startTime"] = format_time(task.began_at)
        if task.ended_at is not None:
            status["completionTime"] = format_time(task.ended_at)
        digest = self.images.get(key)
        if digest is not None and (self._has_prewarm or task.phase == "Succeeded"):
            status["imageID"] = f"{key[0]}@sha256:{zlib.crc32((key[0] + digest).encode()):064x}"
        if self._has_prewarm and task.reason:
            status["reason"] = task.reason
        if task.reason:
            status["message"] = f"it was {task.reason}"
        return status
