"""
Agents without a runtime, which say of each image what a test has them say: by an administrator's plain requests.

For what a coordinator makes of an answer, where a real agent would have to be made to give it. One thread watches the
NodeImages of all of them, so what is counted over several nodes is counted in the API server's own order.
"""

import datetime as dt
import hashlib
import http
import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Final, Self

import msgspec

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.objects import Json
from tests.servers.watched import Watched


ALL: Final = "/apis/apps.kruise.io/v1beta1/nodeimages"
ENDED: Final = frozenset({"Succeeded", "Failed"})


class Succeeds(msgspec.Struct, frozen=True):
    """The image is there, with this digest."""

    digest: str = "sha256:" + "1" * 64


class Fails(msgspec.Struct, frozen=True):
    """The pull has failed; what lay there before lies there still."""

    reason: str = "RegistryUnavailable"
    message: str = "said by a test"


class Pulls(msgspec.Struct, frozen=True):
    """The pull goes on, with so many bytes of so many."""

    done: int = 0
    total: int = 0


class SaysNothing(msgspec.Struct, frozen=True):
    """There is no answer to this entry."""


Answer = Succeeds | Fails | Pulls | SaysNothing


class Begun(msgspec.Struct, frozen=True):
    """An entry that a node began to act on."""

    image: str
    version: int
    policy: str


class ScriptedAgent:
    """
    One node's agent; it says `answer` of every image that nothing else is said of.

    Made by ScriptedAgents.
    """

    def __init__(
        self, apiserver: ApiServer, name: str, *, answer: Answer, answers: dict[str, Answer], is_ours: bool
    ) -> None:
        self.name = name
        self.begun: list[Begun] = []
        self._apiserver = apiserver
        self._is_ours = is_ours
        self._is_running = True
        self._started_at = _now()
        self._default: Answer = answer
        self._answers = answers
        self._lock = threading.RLock()
        self._digests: dict[str, str] = {}
        self._statuses: dict[str, dict[str, Json]] = {}
        self._seen: Json | None = None

    def says(self, answer: Answer, *, image: str = "") -> None:
        """Say this of an image (REPOSITORY:TAG), or of all others, from now on; what has ended stays as it was said."""
        with self._lock:
            if image:
                self._answers[image] = answer
            else:
                self._default = answer
            self._act()

    def stop(self) -> None:
        """Be silent, as an agent is that has died."""
        with self._lock:
            self._is_running = False

    def start(self) -> None:
        """Be there again, and answer what has come meanwhile."""
        with self._lock:
            self._is_running = True
            self._act()

    def forget(self, image: str) -> None:
        """Have an image (REPOSITORY:TAG) no more, as after a person's `crictl rmi`."""
        with self._lock:
            del self._digests[image]

    def report(self) -> None:
        """Say again what it said, with a new reportedAt, as an agent does each minute while it has something to do."""
        with self._lock:
            self._write()

    def begun_of(self, image: str) -> list[Begun]:
        """Return what it began for one image."""
        return [one for one in self.begun if one.image == image]

    def saw(self, node_image: Json | None) -> None:
        """Take note of the NodeImage as it is now, and answer; None: it is gone."""
        with self._lock:
            if node_image is None or self._is_another(node_image):
                self._statuses = {}
            self._seen = node_image
            self._act()

    def _is_another(self, node_image: Json) -> bool:
        return self._seen is not None and self._seen["metadata"]["uid"] != node_image["metadata"]["uid"]

    def _act(self) -> None:
        if self._seen is None or not self._is_running:
            return
        wanted = {
            repository: {entry["tag"]: self._answered(repository, entry) for entry in image["tags"]}
            for repository, image in (self._seen["spec"].get("images") or {}).items()
        }
        statuses = {key: {tag: said for tag, said in tags.items() if said} for key, tags in wanted.items()}
        if statuses != self._statuses:
            gone = set(self._statuses) - set(statuses)
            self._statuses = statuses
            self._write(gone=gone)

    def _answered(self, repository: str, entry: Json) -> Json | None:
        version = entry.get("version", 0)
        earlier = self._statuses.get(repository, {}).get(entry["tag"])
        is_same = earlier is not None and earlier["version"] == version
        if earlier is not None and is_same and earlier["phase"] in ENDED:
            return earlier
        image = f"{repository}:{entry['tag']}"
        if entry.get("prewarm", {}).get("suspended"):
            return self._status(entry, "Waiting", reason="Suspended", image=image, repository=repository)
        begun = Begun(image, version, entry.get("imagePullPolicy", ""))
        if begun.version not in {one.version for one in self.begun_of(image)}:
            self.begun.append(begun)
        return self._said(self._answers.get(image, self._default), entry, image=image, repository=repository) or earlier

    def _said(self, answer: Answer, entry: Json, *, image: str, repository: str) -> Json | None:
        match answer:
            case Succeeds(digest):
                changed = self._digests.get(image) != digest
                self._digests[image] = digest
                said = self._status(entry, "Succeeded", image=image, repository=repository)
                return {**said, "changed": changed, "digest": digest, "completionTime": _now(), "progress": 100}
            case Fails(reason, message):
                said = self._status(entry, "Failed", reason=reason, image=image, repository=repository)
                return {**said, "message": message, "completionTime": _now(), "attempt": 1}
            case Pulls(done, total):
                said = self._status(entry, "Pulling", image=image, repository=repository)
                return {**said, "bytes": {"done": done, "total": total}, "attempt": 1}
        return None

    def _status(self, entry: Json, phase: str, *, image: str, repository: str, reason: str = "") -> Json:
        digest = self._digests.get(image)
        return {
            "tag": entry["tag"],
            "version": entry.get("version", 0),
            "phase": phase,
            "startTime": _now(),
            **({"reason": reason} if reason else {}),
            **({"imageID": f"{repository}@{_image_id(digest)}"} if digest else {}),
        }

    def _write(self, *, gone: Collection[str] = ()) -> None:
        said = {key: {"tags": list(tags.values())} for key, tags in self._statuses.items() if tags}
        phases = [status["phase"] for tags in self._statuses.values() for status in tags.values()]
        counters = {
            "desired": len(phases),
            "succeeded": phases.count("Succeeded"),
            "failed": phases.count("Failed"),
            "pulling": phases.count("Pulling"),
            "waiting": phases.count("Waiting"),
        }
        ours = {"prewarm": {"agent": {"version": "test", "startedAt": self._started_at, "reportedAt": _now()}}}
        status = {**counters, **(ours if self._is_ours else {}), "imageStatuses": {**dict.fromkeys(gone), **said}}
        try:
            self._apiserver.request("PATCH", f"{ALL}/{self.name}/status", {"status": status})
        except ApiFailed as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise


class ScriptedAgents:
    """All scripted agents of one API server, and a witness of what stands granted over all NodeImages."""

    def __init__(self, apiserver: ApiServer) -> None:
        self._apiserver = apiserver
        self._agents: dict[str, ScriptedAgent] = {}
        self._objects: dict[str, Json] = {}
        self._open: dict[str, set[str]] = defaultdict(set)
        self._most: dict[str, int] = defaultdict(int)
        self._lock = threading.RLock()
        self._watched = Watched(apiserver, ALL, self._heard)

    def __enter__(self) -> Self:
        self._watched.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watched.__exit__(kind, error, trace)

    def serve(
        self,
        name: str,
        answer: Answer | None = None,
        *,
        of_images: Mapping[str, Answer] | None = None,
        is_ours: bool = True,
    ) -> ScriptedAgent:
        """
        Put an agent on a node, which says `answer` (that it is there) of all images but those in `of_images`.

        One that is not `is_ours` says nothing of itself, as OpenKruise's kruise-daemon.
        """
        answers = dict(of_images or {})
        agent = ScriptedAgent(self._apiserver, name, answer=answer or Succeeds(), answers=answers, is_ours=is_ours)
        with self._lock:
            self._agents[name] = agent
            seen = self._objects.get(name)
        if seen is not None:
            agent.saw(seen)
        return agent

    def most_granted(self, uid: str) -> int:
        """Return how many nodes had, at any one moment, an entry of this owner that had not ended or been suspended."""
        with self._lock:
            return self._most[uid]

    def granted(self, uid: str) -> set[str]:
        """Return the nodes that have such an entry now."""
        with self._lock:
            return set(self._open[uid])

    def _heard(self, what: str, node_image: Json) -> None:
        name, is_there = node_image["metadata"]["name"], what != "DELETED"
        with self._lock:
            if is_there:
                self._objects[name] = node_image
            else:
                self._objects.pop(name, None)
            self._count(name, _open_owners(node_image) if is_there else set())
            agent = self._agents.get(name)
        if agent is not None:
            agent.saw(node_image if is_there else None)

    def _count(self, name: str, owners: set[str]) -> None:
        for uid in {*owners, *self._open}:
            (self._open[uid].add if uid in owners else self._open[uid].discard)(name)
            self._most[uid] = max(self._most[uid], len(self._open[uid]))


def _open_owners(node_image: Json) -> set[str]:
    """Return the uids of owners for whom something on this node is granted and has not ended."""
    statuses: Mapping[str, Json] = (node_image.get("status") or {}).get("imageStatuses") or {}
    found: set[str] = set()
    for repository, image in (node_image["spec"].get("images") or {}).items():
        said = {status["tag"]: status for status in statuses.get(repository, {}).get("tags", [])}
        for entry in image["tags"]:
            status, ours = said.get(entry["tag"], {}), entry.get("prewarm", {})
            is_answered = status.get("version", 0) == entry.get("version", 0) and status.get("phase") in ENDED
            if not is_answered and not ours.get("suspended"):
                ended = {one["uid"] for one in ours.get("ended", [])}
                found |= {owner["uid"] for owner in entry.get("ownerReferences", [])} - ended
    return found


def _image_id(digest: str) -> str:
    return f"sha256:{hashlib.sha256(digest.encode()).hexdigest()}"


def _now() -> str:
    return f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
