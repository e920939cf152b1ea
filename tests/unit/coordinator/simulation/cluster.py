"""
A whole cluster in virtual time, and what people do to it: nodes come and go, jobs are made, edited and deleted.

`Cluster` only does; what must hold meanwhile is checks.py's.
"""

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from daemon.api.times import format_time, parse_time
from tests.unit.coordinator.simulation.agents import Key, Pull, Pulls, VirtualAgent
from tests.unit.coordinator.simulation.apiserver import IMAGES, JOBS, LISTS, NODES, PODS, Change, VirtualApi, said
from tests.unit.coordinator.simulation.coordinator import VirtualCoordinator
from tests.unit.coordinator.simulation.documents import Json, merge_patched
from tests.unit.coordinator.simulation.timeline import START, Timeline
from tests.unit.coordinator.simulation.weather import CALM, Weather


NAMESPACE: Final = "team"
IMAGE: Final = "registry.example.com/team/app:v1"
# A Lease's: whoever comes after a dead leader comes later than its requests.
TAKEOVER_SECONDS: Final = 15.0


def steady(seconds: float = 5.0, *, reason: str = "") -> Pulls:
    """Let every pull go the same way."""
    return lambda _node, _key, _at: Pull(seconds, reason)


class Cluster:
    """
    An API server, machines, and coordinators one after the other.

    Args:
        seed: where chance comes from.
        nodes: how many Ready nodes with agents there are, n00 and so on.
        pulls: how pulls go.
        weather: how the coordinators' requests and watches fare.
        collects: a garbage collector deletes NodeImages whose Node is gone.
        rate: writes a second of a coordinator.
        start: the date.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        nodes: int = 0,
        pulls: Pulls | None = None,
        weather: Weather = CALM,
        collects: bool = False,
        rate: float = 100.0,
        start: datetime = START,
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - the same seed gives the same run
        self.timeline = Timeline(start)
        self.api = VirtualApi(self.timeline)
        self.agents: dict[str, VirtualAgent] = {}
        self.weather = weather
        self.pulls = pulls or steady()
        self.rate = rate
        self.leader: VirtualCoordinator | None = None
        self.leaders: list[VirtualCoordinator] = []
        self.leadings: list[Callable[[], None]] = []
        self._collects = collects
        self.api.watches.append(self._hear)
        for number in range(nodes):
            self.join(f"n{number:02}")

    # Time

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.timeline.run(seconds)

    def until(self, is_so: Callable[[], bool], *, seconds: float = 3600.0) -> None:
        """Let time pass until something is so."""
        self.timeline.run_until(is_so, seconds=seconds)

    @property
    def at(self) -> datetime:
        """The date."""
        return self.timeline.at

    # Leaders

    def lead(self) -> VirtualCoordinator:
        """Have a new coordinator lead; one that led before is killed, and its requests have arrived by then."""
        if self.leader is not None:
            self.leader.kill()
            self.run(TAKEOVER_SECONDS)
        self.leader = VirtualCoordinator(
            self.api,
            timeline=self.timeline,
            weather=self.weather,
            chance=random.Random(self.chance.random()),  # noqa: S311
            rate=self.rate,
        )
        self.leaders.append(self.leader)
        self.leader.start()
        for hear in self.leadings:
            hear()
        return self.leader

    def kill(self) -> None:
        """Kill the coordinator that leads."""
        if self.leader is not None:
            self.leader.kill()
            self.leader = None

    # Nodes

    def join(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        is_ready: bool = True,
        taints: tuple[Json, ...] = (),
        has_agent: bool = True,
        has_prewarm: bool = True,
    ) -> None:
        """Let a new machine join."""
        if has_agent:
            self.agents[name] = VirtualAgent(
                name,
                api=self.api,
                timeline=self.timeline,
                pulls=self._pull,
                has_prewarm=has_prewarm,
            )
        self.api.create(
            NODES,
            {
                "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", **(labels or {})}},
                "spec": {"taints": list(taints)},
                "status": {"conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}]},
            },
        )

    def part(self, name: str) -> None:
        """Let a machine go for good."""
        agent = self.agents.pop(name, None)
        if agent is not None:
            agent.is_silent = True
        self.api.delete(NODES, name)

    def turn(self, name: str, *, is_ready: bool) -> None:
        """Have a node say that it is Ready, or not."""
        status = {"conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}]}
        self.api.change(NODES, name, lambda found: {**found, "status": status}, is_status=True)

    def edit_node(self, name: str, patch: Json) -> None:
        """Change a Node by a merge patch."""
        self.api.change(NODES, name, lambda found: merge_patched(found, patch))

    # Jobs

    def job(self, name: str, *, kind: str = "Always", image: str = IMAGE, **spec: Any) -> str:  # noqa: ANN401 - JSON
        """Make a job, and return its uid."""
        completion = {"type": kind, **spec.pop("completionPolicy", {})}
        made = self.api.create(
            JOBS,
            {
                "apiVersion": "apps.kruise.io/v1beta1",
                "kind": "ImagePullJob",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"image": image, "completionPolicy": completion, **spec},
            },
        )
        uid: str = made["metadata"]["uid"]
        return uid

    def edit(self, name: str, **spec: Any) -> None:  # noqa: ANN401 - JSON
        """Change a job's spec by a merge patch."""
        self.api.change(JOBS, f"{NAMESPACE}/{name}", lambda found: merge_patched(found, {"spec": spec}))

    def delete(self, name: str) -> None:
        """Delete a job."""
        self.api.delete(JOBS, f"{NAMESPACE}/{name}")

    def status(self, name: str) -> Json:
        """Return a job's status."""
        return said(self.api.read(JOBS, f"{NAMESPACE}/{name}"), "status") or {}

    def has_ended(self, name: str) -> bool:
        """Tell whether a job has ended, as its spec is now."""
        return "completionTime" in self._newest_status(name)

    def is_ready(self, name: str) -> bool:
        """Tell whether a job says that every node is warm, as its spec is now."""
        return condition(self._newest_status(name), "Ready").get("status") == "True"

    def _newest_status(self, name: str) -> Json:
        """Return a job's status where it is about its newest spec, {} where it is not."""
        found = self.api.find(JOBS, f"{NAMESPACE}/{name}") or {}
        status: Json = found.get("status") or {}
        return status if status and status["observedGeneration"] == found["metadata"]["generation"] else {}

    # Lists

    def make_list(self, name: str, *images: str, kind: str = "Always", labels: Json | None = None, **spec: Any) -> str:  # noqa: ANN401 - JSON
        """Make a list, and return its uid."""
        completion = {"type": kind, **spec.pop("completionPolicy", {})}
        made = self.api.create(
            LISTS,
            {
                "apiVersion": "apps.kruise.io/v1beta1",
                "kind": "ImageListPullJob",
                "metadata": {"name": name, "namespace": NAMESPACE, **({"labels": labels} if labels else {})},
                "spec": {"images": [*images], "completionPolicy": completion, **spec},
            },
        )
        uid: str = made["metadata"]["uid"]
        return uid

    def edit_list(self, name: str, **spec: Any) -> None:  # noqa: ANN401 - JSON
        """Change a list's spec by a merge patch."""
        self.api.change(LISTS, f"{NAMESPACE}/{name}", lambda found: merge_patched(found, {"spec": spec}))

    def delete_list(self, name: str) -> None:
        """Delete a list; no garbage collector looks after its jobs."""
        self.api.delete(LISTS, f"{NAMESPACE}/{name}")

    def list_status(self, name: str) -> Json:
        """Return a list's status."""
        return said(self.api.read(LISTS, f"{NAMESPACE}/{name}"), "status") or {}

    def children(self, uid: str) -> dict[str, Json]:
        """Return the jobs that a list controls, by their image."""
        jobs = [
            job
            for job in self.api.objects(JOBS)
            if uid in {one["uid"] for one in said(job, "metadata", "ownerReferences") or ()}
        ]
        found = {job["spec"]["image"]: job for job in jobs}
        assert len(found) == len(jobs), f"several jobs of one image: {[job['metadata']['name'] for job in jobs]}"
        return found

    # Pods

    def pod(self, name: str, *, node: str, labels: Mapping[str, str]) -> None:
        """Let a Pod run on a node."""
        self.api.create(
            PODS,
            {
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(labels)},
                "spec": {"nodeName": node},
                "status": {"phase": "Running"},
            },
        )

    # NodeImages

    def entry(self, node: str, *, image: str = IMAGE) -> Json | None:
        """Return what a node should have of an image; None where it should not."""
        found = self.api.find(IMAGES, node)
        key = key_of(image)
        entries = (said(found, "spec", "images", key[0], "tags") or ()) if found else ()
        return next((entry for entry in entries if entry["tag"] == key[1]), None)

    def answer(self, node: str, *, image: str = IMAGE) -> Json | None:
        """Return what a node says of the version that it should have; None where it says nothing."""
        entry, key = self.entry(node, image=image), key_of(image)
        statuses = said(self.api.find(IMAGES, node) or {}, "status", "imageStatuses", key[0], "tags") or ()
        return next(
            (one for one in statuses if entry and one["tag"] == key[1] and one["version"] == entry["version"]), None
        )

    def pulls_of(self, node: str, *, image: str = IMAGE) -> int:
        """Count how often a node has asked the registry for an image."""
        return sum(1 for key, _, _ in self.agents[node].pulled if key == key_of(image))

    def _pull(self, node: str, key: Key, at: datetime) -> Pull:
        """Let a pull go as pulls go at that time."""
        return self.pulls(node, key, at)

    def _hear(self, change: Change) -> None:
        name = change.document["metadata"]["name"]
        if change.resource == IMAGES and name in self.agents:
            self.agents[name].hear()
        if change.resource == NODES and change.is_gone and self._collects:
            self.timeline.after(self.chance.uniform(0.01, 2.0), lambda: self._collect(change.document))

    def _collect(self, node: Json) -> None:
        found = self.api.find(IMAGES, node["metadata"]["name"])
        owners = said(found, "metadata", "ownerReferences") or () if found else ()
        if any(owner["uid"] == node["metadata"]["uid"] for owner in owners):
            self.api.delete(IMAGES, node["metadata"]["name"])


def condition(status: Json, kind: str) -> Json:
    """Return the condition of a type, {} where there is none."""
    return next((one for one in status.get("conditions", ()) if one["type"] == kind), {})


def counted(status: Json) -> tuple[int, int, int, int]:
    """Return how many nodes are warm, stale, cold and skipped."""
    nodes = said(status, "prewarm", "nodes") or {}
    return nodes.get("warm", 0), nodes.get("stale", 0), nodes.get("cold", 0), nodes.get("skipped", 0)


def time_in(status: Json, *path: str) -> datetime | None:
    """Return a time in a status."""
    text = said(status, *path)
    return parse_time(text) if text else None


def time_text(at: datetime) -> str:
    """Write a time into a spec."""
    return format_time(at)


def key_of(image: str) -> Key:
    """Return an image's repository and tag."""
    repository, _, tag = image.rpartition(":")
    return repository, tag
