"""The pull secrets of a repository on a node: those of the jobs that have an entry there, and of nobody else."""

from datetime import timedelta
from typing import Any

import msgspec

from daemon.api.nodeimage import SecretReference
from daemon.clock import Moment
from daemon.coordinator.decoding import job_of, node_image_of, node_of
from daemon.coordinator.drafting import draft
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.paths import Paths
from daemon.coordinator.repository_settings import secrets_of
from tests.unit.cluster.clock import EPOCH


Json = dict[str, Any]

TIME = "2026-01-01T00:00:00Z"
NOW = Moment(seconds=1000.0, at=EPOCH + timedelta(days=30))
REPOSITORY = "nginx"
THEIRS = {"namespace": "kruise-daemon-config", "name": "theirs", "mode": "batch"}


def reference(name: str) -> SecretReference:
    """Return a copy as a NodeImage names it."""
    return SecretReference(namespace="kruise-daemon-config", name=name, mode="batch")


def owner(uid: str, *, kind: str = "ImagePullJob") -> Json:
    """Return an owner of an entry."""
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": kind, "namespace": "team", "name": uid, "uid": uid}


class Desk:
    """One node, the jobs of a test, and what would be written to the node's NodeImage."""

    def __init__(self, entries: dict[str, list[Json]], *, named: list[Json] | None = None) -> None:
        self.fleet = Fleet(gate_taint="", gate_deadline_seconds=600)
        self.learning = Learning(self.fleet)
        metadata = {"name": "node", "uid": "n1", "resourceVersion": "1", "creationTimestamp": TIME}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.learning.node_seen(node_of(msgspec.json.encode({"metadata": metadata, "status": ready})), now=NOW)
        tags = [
            {"tag": tag, "version": 1, "createdAt": TIME, "ownerReferences": owners} for tag, owners in entries.items()
        ]
        done = [{"tag": tag, "version": 1, "phase": "Succeeded", "completionTime": TIME} for tag in entries]
        image = {"tags": tags, **({"pullSecrets": named} if named else {})}
        document = {
            "metadata": {"name": "node", "uid": "i1", "generation": 1, "resourceVersion": "1"},
            "spec": {"images": {REPOSITORY: image} if tags else {}},
            "status": {"imageStatuses": {REPOSITORY: {"tags": done}}, "prewarm": {"agent": {"version": "1"}}},
        }
        self.learning.image_seen(node_image_of(msgspec.json.encode(document)), now=NOW)

    def job(self, uid: str, *, tag: str, secrets: tuple[str, ...] = ("regcred",), version: int = 1) -> None:
        """Let a job be there."""
        metadata = {
            "name": uid,
            "namespace": "team",
            "uid": uid,
            "generation": version,
            "resourceVersion": str(version),
            "creationTimestamp": TIME,
        }
        spec = {
            "image": f"{REPOSITORY}:{tag}",
            "completionPolicy": {"type": "Always"},
            "pullSecrets": list(secrets),
            "parallelism": 5,
        }
        self.learning.job_seen(job_of(msgspec.json.encode({"metadata": metadata, "spec": spec})), now=NOW)

    def changed(self) -> list[list[str]]:
        """Return the pull secrets that the repository should get, [] where it has them."""
        record = self.fleet.nodes["node"]
        record.suspects.update(record.keys())
        found = secrets_of(self.fleet, record, entries={}, grants=frozenset())
        return [[secret.name for secret in secrets] for secrets in found.values()]

    def written(self) -> list[list[str]]:
        """Return the pull secrets that the next write gives the repository."""
        record = self.fleet.nodes["node"]
        found = draft(self.fleet, record, paths=Paths("v1beta1"), now=NOW)
        steps = msgspec.json.decode(found.write.body) if found is not None else []
        images = [step["value"] for step in steps if step["path"] == f"/spec/images/{REPOSITORY}" and "value" in step]
        images += [step["value"][REPOSITORY] for step in steps if step["path"] == "/spec/images"]
        return [[secret["name"] for secret in image.get("pullSecrets", [])] for image in images]


def test_the_first_entry_comes_with_the_job_s_secrets() -> None:
    """In one write."""
    desk = Desk({})
    desk.job("a", tag="v1")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("a", (reference("two"), reference("one")))

    assert [["one", "two"]] == desk.written()


def test_a_repository_has_the_secrets_of_all_jobs_there() -> None:
    """Whatever their tags are: which job may use which the copies say."""
    desk = Desk({"v1": [owner("a")], "v2": [owner("b")]})
    desk.job("a", tag="v1")
    desk.job("b", tag="v2")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("a", (reference("of-a"), reference("shared")))
    desk.fleet.set_secrets("b", (reference("shared"), reference("of-b")))

    assert [["of-a", "of-b", "shared"]] == desk.changed()


def test_the_secrets_of_a_job_that_is_gone_go() -> None:
    """Also those that OpenKruise has named; its entry goes along."""
    named = [{**THEIRS, "name": "of-a"}, {**THEIRS, "name": "of-b"}, THEIRS]
    desk = Desk({"v1": [owner("a")], "v2": [owner("b")]}, named=named)
    desk.job("a", tag="v1")
    desk.job("b", tag="v2")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("a", (reference("of-a"),))
    desk.fleet.set_secrets("b", (reference("of-b"),))

    desk.learning.job_gone("a")

    assert [["of-b"]] == desk.changed()


def test_a_job_s_edit_to_none_takes_its_secrets_away() -> None:
    """They are mutable, as everything of a job is."""
    desk = Desk({"v1": [owner("a")]}, named=[{**THEIRS, "name": "of-a"}])
    desk.job("a", tag="v1")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("a", (reference("of-a"),))
    before = desk.changed()

    desk.job("a", tag="v1", secrets=(), version=2)
    desk.fleet.set_secrets("a", ())

    assert ([], [[]]) == (before, desk.changed())


def test_nothing_is_taken_away_before_it_is_known() -> None:
    """A coordinator that has just begun to lead has looked at no secret yet."""
    desk = Desk({"v1": [owner("a")], "v2": [owner("b")]}, named=[THEIRS])
    desk.job("a", tag="v1")
    desk.job("b", tag="v2")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("b", (reference("of-b"),))

    assert [["of-b", "theirs"]] == desk.changed()


def test_what_is_named_for_an_entry_of_somebody_else_s_stays() -> None:
    """A person's entry needs the secret that the person named."""
    desk = Desk({"v1": [owner("a")], "v2": [owner("web", kind="Deployment")]}, named=[THEIRS])
    desk.job("a", tag="v1")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("a", (reference("of-a"),))

    assert [["of-a", "theirs"]] == desk.changed()


def test_a_mode_alone_is_no_difference() -> None:
    """OpenKruise's v1alpha1 drops it, and it would be written for ever."""
    desk = Desk({"v1": [owner("a")]}, named=[{"namespace": "kruise-daemon-config", "name": "of-a"}])
    desk.job("a", tag="v1")
    desk.fleet.start(NOW)
    desk.fleet.set_secrets("a", (reference("of-a"),))

    assert [] == desk.changed()
