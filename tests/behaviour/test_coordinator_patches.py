"""A coordinator's patches on a real API server: our CRDs and those shaped like OpenKruise's take what it writes."""

import http
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest

from daemon.api.imagepulljob import CompletionPolicy, CompletionType, ImagePullJob, JobPrewarm, JobTemplate
from daemon.api.nodeimage import ImagePullPolicy, Phase, SandboxConfig, TagEntry
from daemon.api.wire import to_wire
from daemon.cluster.interface import Operation
from daemon.coordinator.decoding_nodeimage import node_image_of
from daemon.coordinator.entry import Claim, next_entry
from daemon.coordinator.nodepatch import new_node_image, silent_status_patch, spec_patch
from daemon.coordinator.seen import ImageKey, SeenNode, SeenNodeImage
from daemon.coordinator.silence import NO_RESPONSE
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.openkruise.crds import crds as theirs


Json = dict[str, Any]

REPOSITORY: Final = "registry.example.com:5000/team/app"
KEY: Final = ImageKey(REPOSITORY, "v1")
DIGEST: Final = ImageKey(REPOSITORY, f"sha256:{'a' * 64}")
SANDBOX: Final = SandboxConfig(labels={"a": "b"}, annotations={"c/d": "e"})
NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Which CRDs are there, in which version they are spoken to, and whether they know our fields."""

    version: str
    is_ours: bool


KINDS: Final = {
    "ours-v1beta1": Installed(version="v1beta1", is_ours=True),
    "ours-v1alpha1": Installed(version="v1alpha1", is_ours=True),
    "1.6": Installed(version="v1alpha1", is_ours=False),
    "1.9": Installed(version="v1beta1", is_ours=False),
}


@pytest.fixture(scope="module", params=KINDS)
def installed(apiserver: ApiServer, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """The server with one set of CRDs."""
    name = str(request.param)
    found = crds.ours() if KINDS[name].is_ours else theirs(name)
    crds.install(apiserver, found)
    yield KINDS[name]
    crds.remove(apiserver, found)


class OnServer:
    """One node's NodeImage as a coordinator reads and patches it."""

    def __init__(self, apiserver: ApiServer, name: str, *, version: str) -> None:
        self._apiserver = apiserver
        self.path = f"/apis/apps.kruise.io/{version}/nodeimages/{name}"
        self.foreign = NodeImageOnServer(apiserver, name, version=version)

    def seen(self) -> SeenNodeImage:
        """Read it."""
        return node_image_of(msgspec.json.encode(self._apiserver.request("GET", self.path)))

    def patch(self, steps: Sequence[Operation], *, subresource: str = "") -> SeenNodeImage:
        """Patch it, and return what the answer says."""
        answer = self._apiserver.request("PATCH", f"{self.path}{subresource}", _plain(steps))
        return node_image_of(msgspec.json.encode(answer))

    def refuses(self, steps: Sequence[Operation], *, subresource: str = "") -> bool:
        """Tell whether a patch is refused by its tests."""
        try:
            self.patch(steps, subresource=subresource)
        except ApiFailed as error:
            if error.status != http.HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            return True
        return False

    def report(self, phase: str, *, version: int) -> None:
        """Let the node's agent say something, as it patches."""
        tags = [{"tag": KEY.tag, "phase": phase, "version": version, "imageID": "sha256:1"}]
        status = {"desired": 1, "imageStatuses": {REPOSITORY: {"tags": tags}}}
        self.foreign.patch_status({"op": "add", "path": "/status", "value": status})


@pytest.fixture
def node(apiserver: ApiServer, installed: Installed, names: Names) -> OnServer:
    """A node whose NodeImage is there and empty."""
    found = OnServer(apiserver, names("node"), version=installed.version)
    found.foreign.create()
    return found


def _plain(value: object) -> Any:  # noqa: ANN401  JSON
    return msgspec.json.decode(msgspec.json.encode(value))


def _job(uid: str, **prewarm: Any) -> ImagePullJob:  # noqa: ANN401  JobPrewarm's members
    template = JobTemplate(
        completion_policy=CompletionPolicy(type=CompletionType.NEVER),
        image_pull_policy=ImagePullPolicy.ALWAYS,
        prewarm=JobPrewarm(**prewarm),
    )
    return ImagePullJob(
        api_version="apps.kruise.io/v1beta1", name=f"job-{uid}", uid=uid, image=f"{REPOSITORY}:v1", template=template
    )


def _wish(seen: SeenNodeImage, *claims: Claim) -> TagEntry:
    found = next_entry(
        seen.entries.get(KEY),
        status=seen.statuses.get(KEY),
        claims=claims,
        generation=seen.generation,
        now=NOW,
        node=seen.name,
    )
    assert found is not None
    return found


def _granted(uid: str, **prewarm: Any) -> Claim:  # noqa: ANN401  JobPrewarm's members
    return Claim(job=_job(uid, **prewarm), is_granted=True, round=2)


def _as_kept(wished: TagEntry, *, installed: Installed) -> Json:
    """Return what the CRDs keep of an entry."""
    kept = to_wire(wished)
    if not installed.is_ours:
        kept.pop("prewarm", None)
    return kept


def _tags(node: OnServer) -> list[Json]:
    tags: list[Json] = node.foreign.read()["spec"]["images"].get(REPOSITORY, {"tags": []})["tags"]
    return tags


def test_a_grant_is_stored_as_it_was_written(installed: Installed, node: OnServer) -> None:
    """All of its fields, but ours where a schema does not know them; its digest too (kruise#2534)."""
    seen = node.seen()
    wished = _wish(seen, _granted("a", priority=5, min_free="20%", suspend=True))
    pinned = msgspec.structs.replace(wished, tag=DIGEST.tag)

    node.patch(spec_patch(seen, entries={KEY: wished, DIGEST: pinned}, sandboxes={REPOSITORY: SANDBOX}))

    assert [_as_kept(pinned, installed=installed), _as_kept(wished, installed=installed)] == _tags(node)
    assert SANDBOX == node.seen().settings[REPOSITORY].sandbox_config


def test_versions_rise_over_joins_renewals_and_a_withdrawal(installed: Installed, node: OnServer) -> None:
    """With the generations that a real API server counts, a version never comes twice."""
    versions: list[int] = []
    for uid in ("a", "b", "a", "b"):
        seen = node.seen()
        claims = [Claim(job=_job(other), is_granted=False) for other in ("a", "b") if other != uid and versions]
        found = node.patch(spec_patch(seen, entries={KEY: _wish(seen, _granted(uid), *claims)}, sandboxes={}))
        versions.append(found.entries[KEY].version)
        node.report("Succeeded", version=versions[-1])
    node.patch(spec_patch(node.seen(), entries={KEY: None}, sandboxes={}))
    seen = node.seen()
    found = node.patch(spec_patch(seen, entries={KEY: _wish(seen, _granted("a"))}, sandboxes={}))

    versions.append(found.entries[KEY].version)
    assert sorted(set(versions)) == versions


@pytest.mark.parametrize("spec", [None, {}])
def test_a_node_image_without_images_is_written_into(
    apiserver: ApiServer, installed: Installed, names: Names, spec: Json | None
) -> None:
    """Whatever someone left out when they made it."""
    node = OnServer(apiserver, names("node"), version=installed.version)
    body = {"apiVersion": f"apps.kruise.io/{installed.version}", "kind": "NodeImage"}
    path, name = node.path.rsplit("/", 1)
    apiserver.request("POST", path, {**body, "metadata": {"name": name}, **({} if spec is None else {"spec": spec})})
    seen = node.seen()

    found = node.patch(spec_patch(seen, entries={KEY: _wish(seen, _granted("a"))}, sandboxes={}))

    assert [KEY] == list(found.entries)


def test_the_last_tag_takes_its_repository_along(node: OnServer) -> None:
    """An empty one stays nowhere."""
    node.foreign.want(REPOSITORY, entry("v1"), entry("v2"))

    one = node.patch(spec_patch(node.seen(), entries={KEY: None}, sandboxes={}))
    none = node.patch(spec_patch(node.seen(), entries={ImageKey(REPOSITORY, "v2"): None}, sandboxes={}))

    assert ["v2"] == [key.tag for key in one.entries]
    assert ({}, {}) == (none.entries, none.settings)


def test_a_foreign_writer_s_spec_makes_it_422_and_loses_nothing(node: OnServer) -> None:
    """Also where it has written into the very same list (kruise#1517); read anew, both stand."""
    before = node.seen()
    wished = _wish(before, _granted("a"))
    node.foreign.want(REPOSITORY, entry("theirs"))

    is_refused = node.refuses(spec_patch(before, entries={KEY: wished}, sandboxes={}))
    found = node.patch(spec_patch(node.seen(), entries={KEY: wished}, sandboxes={}))

    assert is_refused
    assert ["theirs", "v1"] == [key.tag for key in found.entries]


def test_a_status_in_between_is_no_conflict_unless_it_was_decided_by(node: OnServer) -> None:
    """An agent may report at any time; who joins a version because it has not failed says so."""
    before = node.patch(spec_patch(node.seen(), entries={KEY: _wish(node.seen(), _granted("a"))}, sandboxes={}))
    changes = {"entries": {KEY: _wish(before, _granted("b"))}, "sandboxes": {}}
    node.report("Failed", version=before.entries[KEY].version)

    is_refused = node.refuses(spec_patch(before, **changes, tests_resource_version=True))  # type: ignore[arg-type]
    is_other_refused = node.refuses(spec_patch(before, **changes))  # type: ignore[arg-type]

    assert (True, False) == (is_refused, is_other_refused)


def test_another_object_of_the_name_is_not_written_into(node: OnServer) -> None:
    """A node that went and came back has another uid, though its generation may be the same."""
    before = node.seen()
    node.foreign.delete()
    node.foreign.create()

    assert node.refuses(spec_patch(before, entries={KEY: _wish(before, _granted("a"))}, sandboxes={}))


def test_labels_are_replaced_without_a_new_generation(node: OnServer) -> None:
    """So that no grant under way is refused for them."""
    before = node.seen()

    found = node.patch(
        spec_patch(before, entries={}, sandboxes={}, labels={"pool": "gpu", "kubernetes.io/os": "linux"})
    )

    assert {"pool": "gpu", "kubernetes.io/os": "linux"} == node.foreign.read()["metadata"]["labels"]
    assert before.generation == found.generation


def test_a_new_node_image_is_created_with_its_entries(apiserver: ApiServer, installed: Installed, names: Names) -> None:
    """In one write, owned by its Node, with the Node's labels."""
    node = OnServer(apiserver, names("node"), version=installed.version)
    path, name = node.path.rsplit("/", 1)
    manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"pool": "gpu"}}}
    stored = apiserver.request("POST", "/api/v1/nodes", manifest)
    of = SeenNode(name=name, uid=stored["metadata"]["uid"], created_at=NOW, labels=stored["metadata"]["labels"])
    wished = _wish(SeenNodeImage(name=name, uid=""), _granted("a", priority=5))

    api_version = f"apps.kruise.io/{installed.version}"
    body = new_node_image(of, api_version=api_version, entries={KEY: wished}, sandboxes={REPOSITORY: SANDBOX})
    found = apiserver.request("POST", path, body)

    assert [_as_kept(wished, installed=installed)] == _tags(node)
    assert stored["metadata"]["labels"] == found["metadata"]["labels"]
    assert of.uid == node.seen().node_uid
    assert SANDBOX == node.seen().settings[REPOSITORY].sandbox_config


@pytest.mark.parametrize("has_said", [False, True])
def test_a_silent_node_is_answered_for(installed: Installed, node: OnServer, *, has_said: bool) -> None:
    """Whether it has ever said anything; what lies there is kept, and the counters fit."""
    node.foreign.want(REPOSITORY, entry("v1", version=3))
    if has_said:
        node.report("Pulling", version=3)

    found = node.patch(silent_status_patch(node.seen(), keys=[KEY], now=NOW), subresource="/status")

    (status,) = found.statuses.values()
    assert (Phase.FAILED, 3, NOW, "sha256:1" if has_said else "") == (
        status.phase,
        status.version,
        status.completion_time,
        status.image_id,
    )
    assert ("AgentSilent", NO_RESPONSE) == (status.reason, status.message)
    written = node.foreign.status
    assert {"desired": 1, "succeeded": 0, "failed": 1, "pulling": 0, "waiting": 0} == {
        name: written[name] for name in ("desired", "succeeded", "failed", "pulling", "waiting")
    }


def test_a_node_that_speaks_in_between_is_not_contradicted(node: OnServer) -> None:
    """Its own report stands."""
    node.foreign.want(REPOSITORY, entry("v1", version=3))
    steps = silent_status_patch(node.seen(), keys=[KEY], now=NOW)
    node.report("Succeeded", version=3)

    assert node.refuses(steps, subresource="/status")
    assert ["Succeeded"] == [status.phase for status in node.seen().statuses.values()]
