"""The side that keeps copies, with an API server in memory and a clock that a test moves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError
from daemon.coordinator.decoding import job_of, node_image_of, node_of
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.requests import Outcome, Request
from daemon.coordinator.secrets.copies import Copies
from daemon.coordinator.secrets.names import REFERENCES, Source, copy_names
from daemon.coordinator.slots import SECRETS
from tests.unit.cluster.clock import EPOCH
from tests.unit.coordinator.secrets.api import PLACE, SecretsApi


Json = dict[str, Any]

TIME = "2026-01-01T00:00:00Z"
TEAM = "team-a"
SOURCE = Source(TEAM, "regcred")
GET = f"get {TEAM}/secrets/regcred"
NAME = copy_names(SOURCE)[0]


def _moment(seconds: float) -> Moment:
    return Moment(seconds=1000.0 + seconds, at=EPOCH + timedelta(seconds=seconds))


class Bench:
    """One node, an API server with Secrets, and the side that keeps copies; each request is answered as it is sent."""

    def __init__(self, api: SecretsApi | None = None) -> None:
        self.api = api or SecretsApi()
        self.fleet = Fleet(gate_taint="", gate_deadline_seconds=600)
        self.learning = Learning(self.fleet)
        self.copies = Copies(self.fleet, secret_namespace=PLACE, listener=self)
        self.told: list[str] = []
        self.may_send: Callable[[], bool] = lambda: True
        self.at = 0.0
        self._versions = 1
        metadata = {"name": "node", "uid": "n1", "resourceVersion": "1", "creationTimestamp": TIME}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.learning.node_seen(node_of(msgspec.json.encode({"metadata": metadata, "status": ready})), now=_moment(0))

    def start(self) -> None:
        """Have everything listed."""
        self.fleet.start(_moment(self.at))
        self.turn()

    def job(
        self, name: str, *secrets: str, namespace: str = TEAM, kind: str = "Always", generation: int = 1, **more: Json
    ) -> str:
        """Let a job be there, as it is now; its uid is its name."""
        self._versions += 1
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": name,
            "generation": generation,
            "resourceVersion": str(self._versions),
            "creationTimestamp": TIME,
            **more.get("metadata", {}),
        }
        spec = {"image": "nginx:1", "completionPolicy": {"type": kind}, "pullSecrets": list(secrets)}
        document = {"metadata": metadata, "spec": spec, "status": more.get("status", {})}
        self.learning.job_seen(job_of(msgspec.json.encode(document)), now=_moment(self.at))
        return name

    def says(self, phase: str, *, owner: str, reason: str = "", version: int = 1) -> None:
        """Let the node have an entry for a job, and say this of it."""
        self._versions += 1
        owners = [{"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "name": owner, "uid": owner}]
        entry = {"tag": "1", "version": version, "createdAt": TIME, "ownerReferences": owners}
        said = {"tag": "1", "version": version, "phase": phase, "reason": reason, "completionTime": TIME}
        document = {
            "metadata": {"name": "node", "uid": "i1", "generation": version, "resourceVersion": str(self._versions)},
            "spec": {"images": {"nginx": {"tags": [entry]}}},
            "status": {
                "imageStatuses": {"nginx": {"tags": [said]}},
                "prewarm": {"agent": {"version": "1", "reportedAt": TIME}},
            },
        }
        self.learning.image_seen(node_image_of(msgspec.json.encode(document)), now=_moment(self.at))

    def look(self) -> None:
        """Have the side look, and send nothing."""
        news, self.fleet.todo.news = frozenset(self.fleet.todo.news), set()
        self.copies.look(news, now=_moment(self.at))

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, and go round until there is nothing left to send."""
        self.at += seconds
        self.look()
        while (request := self.next()) is not None:
            self.answer(request)
            self.look()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, going round whenever the side says that time has brought something."""
        ends = self.at + seconds
        self.turn()
        while (due := self.copies.next_seconds()) is not None and due - 1000.0 <= ends:
            self.turn(max(0.0, due - 1000.0 - self.at))
        self.turn(ends - self.at)

    def next(self) -> Request | None:
        """Return the next request, in the loop's order."""
        now = _moment(self.at)
        return self.copies.read(now) or self.copies.next(now)

    def answer(self, request: Request) -> None:
        """Do an errand, and tell what it came to."""
        assert request.errand is not None
        try:
            answer = request.errand.run(self.api, may_send=self.may_send, timeout_seconds=4)
            outcome = Outcome(request=request, answer=answer)
        except ClusterError as error:
            outcome = Outcome(request=request, error=error)
        self.copies.take(outcome, now=_moment(self.at))

    def reads(self) -> int:
        """Count the reads of the source so far."""
        return self.api.asked.count(GET)

    def is_held(self, uid: str) -> bool:
        """Tell whether a job waits for its secrets."""
        return SECRETS in self.fleet.held_back.get(uid, set())

    def references(self) -> str:
        """Return the jobs that the copy is for; "" without one."""
        found = self.api.find(PLACE, NAME)
        return found["metadata"]["annotations"][REFERENCES] if found else ""

    def secret_copied(self, source: str, *, copy: str) -> None:
        """Hear that a copy was written."""
        self.told.append(f"copied {source} {copy}")

    def secret_released(self, source: str, *, copy: str) -> None:
        """Hear that one has gone."""
        self.told.append(f"released {source} {copy}")

    def secret_troubled(self, source: str, *, state: str, words: str) -> None:
        """Hear that a source can't be had."""
        del words
        self.told.append(f"{state} {source}")

    def secrets_unlisted(self, error: ClusterError) -> None:
        """Hear that copies can't be listed."""
        self.told.append(f"unlisted {error.message}")
