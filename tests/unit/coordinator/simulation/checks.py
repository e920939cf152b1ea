"""
What has to hold at every moment of a simulation, seen from outside: by what stands in the API server.

An observer hears each change before any coordinator does. It knows nothing of how the coordinator counts.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from daemon.api.quantity import nodes_at_once
from daemon.api.times import parse_time
from daemon.coordinator.decoding import LEAVING_TAINTS
from tests.unit.coordinator.simulation.apiserver import IMAGES, JOBS, NODES, Change, said
from tests.unit.coordinator.simulation.cluster import Cluster, key_of
from tests.unit.coordinator.simulation.documents import Json


# How long a coordinator may take to hear of something that changes what it may do.
HEARS_SECONDS: Final = 5.0
_ENDS: Final = ("Succeeded", "Failed")


class Observer:
    """
    Watches a cluster, and fails at the moment at which something is not as it has to be.

    `most` is how many grants of each job were open at once.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.most: dict[str, int] = {}
        self._cluster = cluster
        self._open: dict[str, dict[str, str]] = {}
        self._turns: set[tuple[str, str, int, str]] = set()
        self._ended: set[tuple[str, str, int, str]] = set()
        self._limits: dict[str, list[tuple[float, int]]] = {}
        self._counted_since: dict[tuple[str, ...], float] = {}
        self._old = {node["metadata"]["name"] for node in cluster.api.objects(NODES)}
        cluster.api.watches.insert(0, self._hear)
        cluster.leadings.append(self._forget)

    def _hear(self, change: Change) -> None:
        self._note_counted()
        if change.resource in {JOBS, NODES}:
            self._note_limits()
        if change.resource == JOBS and not change.is_gone:
            self._count(change.document)
        if change.resource == IMAGES:
            self._look(change)

    # The ceiling

    def _look(self, change: Change) -> None:
        name, uid = change.document["metadata"]["name"], change.document["metadata"]["uid"]
        known = set(self._turns)
        before = {job for job, nodes in self._open.items() if name in nodes}
        here = {} if change.is_gone else dict(self._grants(change.document, uid=uid))
        for job in before - here.keys():
            del self._open[job][name]
        for job, image in here.items():
            self._open.setdefault(job, {})[name] = image
        # Who was suspended or away and is back, or goes on in another's version, may lift the sum; a new turn may not.
        for *_, job in self._turns - known:
            if job in here and job not in before:
                self._granted(job)

    def _forget(self) -> None:
        """Forget what had ended, as a new leader does, which takes an image that is pulled again for a grant."""
        self._ended = set()
        for image in self._cluster.api.objects(IMAGES):
            name, uid = image["metadata"]["name"], image["metadata"]["uid"]
            for job, wanted in self._grants(image, uid=uid):
                self._open.setdefault(job, {})[name] = wanted

    def _grants(self, image: Json, *, uid: str) -> Iterator[tuple[str, str]]:
        """Yield the jobs that have a grant on a node which has not ended, with the image that it is for."""
        for repository, wanted in (said(image, "spec", "images") or {}).items():
            statuses = said(image, "status", "imageStatuses", repository, "tags") or ()
            for entry in wanted["tags"]:
                status: Json = next((one for one in statuses if one["tag"] == entry["tag"]), {})
                has_ended = status.get("version") == entry["version"] and status.get("phase") in _ENDS
                has_ended = has_ended and status.get("reason") != "AgentSilent"
                ended = {one["uid"] for one in said(entry, "prewarm", "ended") or ()}
                for owner in entry.get("ownerReferences", ()):
                    turn = (uid, f"{repository}:{entry['tag']}", entry["version"], owner["uid"])
                    self._turns.add(turn)
                    if has_ended or owner["uid"] in ended:
                        self._ended.add(turn)
                    elif turn not in self._ended and not said(entry, "prewarm", "suspended"):
                        yield owner["uid"], f"{turn[1]} on {_node_uid(image)}"

    def _granted(self, uid: str) -> None:
        job = next((one for one in self._cluster.api.objects(JOBS) if one["metadata"]["uid"] == uid), None)
        if job is None:
            return
        now = self._cluster.timeline.seconds
        # What a job asked for before an edit is taken back as soon as that is heard.
        # What a machine was granted that is gone is no grant of the one that came in its place.
        there = {node["metadata"]["name"]: node["metadata"]["uid"] for node in self._cluster.api.objects(NODES)}
        image = job["spec"]["image"]
        wanted = [node for node, what in self._open[uid].items() if what == f"{image} on {there.get(node)}"]
        known = {(pair[0], pair[1]) for pair, since in self._counted_since.items() if since <= now - HEARS_SECONDS}
        counted = {node for node in wanted if (uid, node) in known}
        # The last limit that is old, and each that somebody may not have heard of yet.
        since = [at for at, _ in self._limits[uid] if at <= now - HEARS_SECONDS]
        limit = max(limit for at, limit in self._limits[uid] if at >= max(since, default=0.0))
        self.most[uid] = max(self.most.get(uid, 0), len(counted))
        assert len(counted) <= limit, f"{job['metadata']['name']}: {sorted(counted)} have grants, {limit} may"

    def _note_limits(self) -> None:
        for job in self._cluster.api.objects(JOBS):
            limits = self._limits.setdefault(job["metadata"]["uid"], [])
            limit = self._limit(job)
            if not limits or limits[-1][1] != limit:
                limits.append((self._cluster.timeline.seconds, limit))

    def _note_counted(self) -> None:
        """Note since when which node counts for which job: it is for it, and it answers."""
        now = self._cluster.timeline.seconds
        nodes = [node for node in self._cluster.api.objects(NODES) if self._answers(node)]
        # What a selector and labels say is part of it: for a while both may be known in part.
        pairs = [
            (job["metadata"]["uid"], node["metadata"]["name"], str(job["spec"].get("selector")), str(node["metadata"]))
            for job in self._cluster.api.objects(JOBS)
            for node in nodes
            if _selects(job, node)
        ]
        self._counted_since = {
            pair: self._counted_since.get(pair, now - HEARS_SECONDS if pair[1] in self._old else now) for pair in pairs
        }
        self._old = set()

    def _answers(self, node: Json) -> bool:
        agent = self._cluster.agents.get(node["metadata"]["name"])
        is_ready = any(one["status"] == "True" for one in node["status"]["conditions"])
        is_leaving = any(taint["key"] in LEAVING_TAINTS for taint in said(node, "spec", "taints") or ())
        is_leaving = is_leaving or "deletionTimestamp" in node["metadata"]
        return agent is not None and not agent.is_silent and is_ready and not is_leaving

    def _limit(self, job: Json) -> int:
        parallelism = job["spec"].get("parallelism", 1)
        if isinstance(parallelism, int):
            return parallelism
        return nodes_at_once(parallelism, nodes=len(list(self._cluster.api.objects(NODES))))

    # The counts

    def _count(self, job: Json) -> None:
        status = job.get("status") or {}
        nodes, ours = said(status, "prewarm", "nodes"), said(status, "prewarm")
        if not nodes or not ours:
            return
        selected = int(ours["summary"].partition("/")[2])
        name = job["metadata"]["name"]
        assert selected == sum(nodes.values()), f"{name}: {nodes} are not {selected}"
        desired = selected - nodes["skipped"]
        counts = {"waiting": ours["waiting"], **{one: status[one] for one in ("active", "succeeded", "failed")}}
        assert desired == status["desired"] == sum(counts.values()), f"{name}: {counts} are not {desired}"


def _node_uid(image: Json) -> str:
    owners = said(image, "metadata", "ownerReferences") or [{}]
    return str(owners[0].get("uid"))


def _selects(job: Json, node: Json) -> bool:
    selector, labels = job["spec"].get("selector") or {}, node["metadata"].get("labels", {})
    if "names" in selector:
        return node["metadata"]["name"] in selector["names"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def check_tallies(cluster: Cluster) -> None:
    """Count the standings that the leader has by hand, and compare with what it counted step by step."""
    leader = cluster.leader
    assert leader is not None
    fleet = leader.fleet
    for job in fleet.jobs.values():
        standings = {name: fleet.nodes[name].standings[job.uid] for name in job.names}
        with_job = {name for name, record in fleet.nodes.items() if job.uid in record.standings}
        assert job.names == with_job, f"{job.seen.name}: {job.names ^ with_job}"
        account = job.tally.account(limit=0)
        assert len(standings) == account.selected == account.warm + account.stale + account.cold + account.skipped
        assert sum(one.holds_slot for one in standings.values()) == job.tally.holding
        assert sum(one.is_candidate for one in standings.values()) == job.tally.candidates
        assert account.desired == account.open + account.succeeded + account.failed


def writes_of(cluster: Cluster) -> list[str]:
    """Return what the coordinator that leads has written, as verb and path."""
    assert cluster.leader is not None
    return [f"{one.write.verb} {one.write.path}" for one in cluster.leader.sent_requests if one.write is not None]


def check_quiet(cluster: Cluster, *, seconds: float = 30.0) -> None:
    """Check that nothing is written when nothing changes: by who leads, told everything again, or by a successor."""
    leader = cluster.leader
    assert leader is not None
    cluster.run(seconds)
    before = len(writes_of(cluster))
    leader.tell_all()
    cluster.run(seconds)
    assert [] == writes_of(cluster)[before:]
    cluster.lead()
    cluster.run(seconds)
    assert [] == writes_of(cluster)


def granted_at(cluster: Cluster, node: str, **image: str) -> datetime:
    """Return when a node's entry was granted last."""
    entry = cluster.entry(node, **image)
    assert entry is not None
    return parse_time(entry["createdAt"])


def key_text(image: str) -> str:
    """Return an image as the observer names it."""
    return ":".join(key_of(image))
