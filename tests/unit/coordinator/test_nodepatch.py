"""What is written into a NodeImage, applied to a plain document."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.api.nodeimage import (
    ImageSpec,
    NodeImage,
    Phase,
    SandboxConfig,
    SecretReference,
    TagEntry,
    TagStatus,
)
from daemon.api.wire import resource_to_wire
from daemon.cluster.interface import Operation
from daemon.coordinator.decoding_nodeimage import node_image_of
from daemon.coordinator.entry import next_entry
from daemon.coordinator.nodepatch import new_node_image, silent_status_patch, spec_patch
from daemon.coordinator.seen import PLAIN_SETTINGS, ImageKey, SeenNode, SeenNodeImage
from daemon.coordinator.silence import NO_RESPONSE
from tests.unit.api.strategies import node_images, sandboxes, tag_entries
from tests.unit.coordinator.claims import REPOSITORY, granted, job
from tests.unit.coordinator.json_patch import Json, PatchRefused, patched


NOW = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
KEY = ImageKey(REPOSITORY, "v1")
OTHER_TAG = ImageKey(REPOSITORY, "v2")
ELSEWHERE = ImageKey("nginx", "latest")
SECRET = SecretReference(namespace="kruise-daemon-config", name="copy", mode="batch")
SANDBOX = SandboxConfig(annotations={"a": "b"})


def stored(node_image: NodeImage, **metadata: Any) -> Json:  # noqa: ANN401  JSON
    """Return a NodeImage as the API server has it."""
    document = resource_to_wire(replace(node_image, uid="u", generation=7))
    document["metadata"] = {"name": "node-a", "uid": "u", "generation": 7, "resourceVersion": "70", **metadata}
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])


def seen(document: Json) -> SeenNodeImage:
    """Return what a coordinator sees of a document."""
    return node_image_of(msgspec.json.encode(document))


def entry(tag: str = "v1", *, version: int = 1) -> TagEntry:
    """Return an entry."""
    return TagEntry(tag=tag, version=version)


def with_images(
    images: Mapping[str, ImageSpec], *, statuses: Mapping[str, tuple[TagStatus, ...]] | None = None
) -> Json:
    """Return a stored NodeImage with these."""
    return stored(NodeImage(name="node-a", images=dict(images), statuses=dict(statuses or {})))


def after(document: Json, **changes: Any) -> SeenNodeImage:  # noqa: ANN401  spec_patch's arguments
    """Return what is seen once the patch of the spec has been applied."""
    given_changes = {"entries": {}, "sandboxes": {}, **changes}
    return seen(patched(document, spec_patch(seen(document), **given_changes)))


def test_a_new_entry_is_all_that_changes() -> None:
    """Other repositories are not even mentioned."""
    document = with_images({"nginx": ImageSpec(tags=(entry("latest"),))})

    found = after(document, entries={KEY: entry()})

    assert {ELSEWHERE: entry("latest"), KEY: entry()} == found.entries
    assert all("nginx" not in step.path for step in spec_patch(seen(document), entries={KEY: entry()}, sandboxes={}))


def test_another_tag_of_the_repository_stays_with_its_owner() -> None:
    """Written whole, the repository keeps what others wait for (kruise#1271: another tag's nodes were not counted)."""
    theirs = next_entry(
        None, status=None, claims=[granted(job("b"))], generation=3, now=NOW.replace(microsecond=0), node="node-a"
    )
    assert theirs is not None
    v2 = replace(theirs, tag="v2")
    document = with_images({REPOSITORY: ImageSpec(tags=(v2,), pull_secrets=(SECRET,), sandbox_config=SANDBOX)})

    found = after(document, entries={KEY: entry()})

    assert {KEY: entry(), OTHER_TAG: v2} == found.entries
    assert ((SECRET,), SANDBOX) == (
        found.settings[REPOSITORY].pull_secrets,
        found.settings[REPOSITORY].sandbox_config,
    )


def test_a_digest_is_an_entry_like_any_other() -> None:
    """Under its repository, as a tag of its own (kruise#2534)."""
    digest = f"sha256:{'a' * 64}"

    found = after(with_images({}), entries={ImageKey(REPOSITORY, digest): entry(digest)})

    assert [ImageKey(REPOSITORY, digest)] == list(found.entries)


def test_tags_stand_in_order() -> None:
    """As OpenKruise's webhook sorts them, so that nobody has to put them in order after us."""
    document = with_images({REPOSITORY: ImageSpec(tags=(entry("v3"), entry("v2")))})

    found = patched(document, spec_patch(seen(document), entries={KEY: entry()}, sandboxes={}))

    assert ["v1", "v2", "v3"] == [one["tag"] for one in found["spec"]["images"][REPOSITORY]["tags"]]


def test_a_repository_goes_with_its_last_tag() -> None:
    """And not before."""
    document = with_images({REPOSITORY: ImageSpec(tags=(entry("v1"), entry("v2")), pull_secrets=(SECRET,))})

    one_left = after(document, entries={KEY: None})
    none_left = after(document, entries={KEY: None, OTHER_TAG: None})

    assert ([OTHER_TAG], [REPOSITORY]) == (list(one_left.entries), list(one_left.settings))
    assert ({}, {}) == (none_left.entries, none_left.settings)


def test_what_is_not_there_is_not_removed_again() -> None:
    """A removal of nothing would have the whole patch refused."""
    document = with_images({})

    assert {KEY: entry()} == after(document, entries={ELSEWHERE: None, KEY: entry()}).entries


def test_a_repository_without_tags_is_cleared_away() -> None:
    """Once its sandbox settings change; there is nothing to set them for."""
    document = with_images({REPOSITORY: ImageSpec(tags=(), pull_secrets=(SECRET,))})

    assert {} == after(document, sandboxes={REPOSITORY: SANDBOX}).settings


def test_sandbox_settings_change_without_their_entries() -> None:
    """Of the repositories that are named, for all their tags."""
    images = {REPOSITORY: ImageSpec(tags=(entry(),)), "nginx": ImageSpec(tags=(entry("latest"),))}

    found = after(with_images(images), sandboxes={REPOSITORY: SANDBOX})

    assert SANDBOX == found.settings[REPOSITORY].sandbox_config
    assert SandboxConfig() == found.settings["nginx"].sandbox_config
    assert {KEY: entry(), ELSEWHERE: entry("latest")} == found.entries


def test_sandbox_settings_are_taken_back() -> None:
    """When the last job that had some has gone."""
    document = with_images({REPOSITORY: ImageSpec(tags=(entry(),), sandbox_config=SANDBOX)})

    assert (
        SandboxConfig() == after(document, sandboxes={REPOSITORY: SandboxConfig()}).settings[REPOSITORY].sandbox_config
    )


@pytest.mark.parametrize("spec", [None, {}, {"images": None}])
def test_missing_parents_come_first(spec: Json | None) -> None:
    """A NodeImage that someone made without a spec, or an empty one, can be written into."""
    document = with_images({})
    document.pop("spec")
    if spec is not None:
        document["spec"] = spec

    assert {KEY: entry()} == after(document, entries={KEY: entry()}).entries


def test_labels_are_replaced_as_a_whole() -> None:
    """As the Node has them now; without any given, they stay."""
    document = stored(NodeImage(name="node-a"), labels={"old": "1"})

    replaced = patched(document, spec_patch(seen(document), entries={}, sandboxes={}, labels={"pool/a": "gpu"}))
    left = patched(document, spec_patch(seen(document), entries={KEY: entry()}, sandboxes={}))

    assert {"pool/a": "gpu"} == replaced["metadata"]["labels"]
    assert {"old": "1"} == left["metadata"]["labels"]


@pytest.mark.parametrize(
    ("metadata", "is_refused"),
    [({}, False), ({"resourceVersion": "71"}, False), ({"generation": 8}, True), ({"uid": "v"}, True)],
)
def test_another_s_change_of_the_spec_refuses_ours_and_a_status_does_not(metadata: Json, *, is_refused: bool) -> None:
    """Nothing that another has written is lost (kruise#1517), and an agent's reports are no conflict."""
    document = with_images({})
    steps = spec_patch(seen(document), entries={KEY: entry()}, sandboxes={})
    document["metadata"] |= metadata

    assert is_refused == _refuses(document, steps)


def test_who_decided_by_the_status_tests_it_too() -> None:
    """Only where it is asked for."""
    document = with_images({})
    steps = spec_patch(seen(document), entries={KEY: entry()}, sandboxes={}, tests_resource_version=True)
    written = {**document, "metadata": {**document["metadata"], "resourceVersion": "71"}}

    assert [False, True] == [_refuses(one, steps) for one in (document, written)]


edited = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b/c", "d~e"]), st.sampled_from(["v1", "v2"])), st.none() | tag_entries
)


@given(
    node_image=node_images,
    changes=edited,
    sandbox=st.dictionaries(st.sampled_from(["a", "b/c", "d~e"]), sandboxes),
    data=st.data(),
)
def test_any_change_of_any_node_image_leads_to_what_was_asked(
    node_image: NodeImage,
    changes: dict[tuple[str, str], TagEntry | None],
    sandbox: dict[str, SandboxConfig],
    data: st.DataObject,
) -> None:
    """Whatever the names have in them, and nothing that was not named changes."""
    document = stored(node_image)
    before = seen(document)
    entries = {ImageKey(*key): one and replace(one, tag=key[1]) for key, one in changes.items()}
    if before.entries:
        entries[data.draw(st.sampled_from(sorted(before.entries)))] = None

    found = patched(document, spec_patch(before, entries=entries, sandboxes=sandbox))

    wanted = {key: one for key, one in {**before.entries, **entries}.items() if one is not None}
    assert wanted == seen(found).entries
    touched = {key.repository for key in entries} | set(sandbox)
    for repository, image in document["spec"]["images"].items():
        if repository not in touched:
            assert image == found["spec"]["images"][repository]
    for repository, settings in seen(found).settings.items():
        kept = before.settings.get(repository, PLAIN_SETTINGS)
        assert kept.pull_secrets == settings.pull_secrets
        assert sandbox.get(repository, kept.sandbox_config) == settings.sandbox_config


def test_a_new_node_image_is_the_node_s_and_has_its_entries() -> None:
    """One write for a new node: labels for selectors, the Node as its owner, all that it should have."""
    node = SeenNode(name="node-a", uid="n", created_at=NOW, labels={"pool": "gpu"})

    body = new_node_image(
        node,
        api_version="apps.kruise.io/v1alpha1",
        entries={OTHER_TAG: entry("v2"), KEY: entry(), ELSEWHERE: entry("latest")},
        sandboxes={REPOSITORY: SANDBOX},
    )

    document = msgspec.json.decode(msgspec.json.encode(body), type=dict[str, Any])
    assert ("apps.kruise.io/v1alpha1", "NodeImage") == (document["apiVersion"], document["kind"])
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "n"}
    assert {"name": "node-a", "labels": {"pool": "gpu"}, "ownerReferences": [owner]} == document.pop("metadata")
    found = seen({**document, "metadata": {"name": "node-a", "uid": "u"}})
    assert [ELSEWHERE, KEY, OTHER_TAG] == list(found.entries)
    assert SANDBOX == found.settings[REPOSITORY].sandbox_config


def test_a_new_node_image_may_be_empty() -> None:
    """A node that nothing is wanted of yet has one too, with a place for images."""
    body = new_node_image(SeenNode(name="n", uid="u", created_at=NOW), api_version="v", entries={}, sandboxes={})

    assert {"images": {}} == body["spec"]


def silenced(document: Json, *keys: ImageKey) -> Json:
    """Return the document once the coordinator has answered for the node."""
    return patched(document, silent_status_patch(seen(document), keys=keys, now=NOW))


def reported(phase: Phase, *, tag: str = "v1", version: int = 1, **said: Any) -> TagStatus:  # noqa: ANN401  TagStatus's members
    """Return what the node has said."""
    return TagStatus(tag=tag, phase=phase, version=version, **said)


def test_a_silent_node_s_open_task_has_failed_for_now() -> None:
    """With the reason, a time, the entry's version and the words of what comes next; what lies there is kept."""
    said = reported(
        Phase.PULLING,
        progress=40,
        start_time=NOW.replace(microsecond=0),
        image_id="old",
        digest="sha256:1",
        attempt=2,
        stage="Downloading",
    )
    document = with_images({REPOSITORY: ImageSpec(tags=(entry(),))}, statuses={REPOSITORY: (said,)})
    document["status"]["prewarm"] = {"agent": {"version": "1", "reportedAt": "2026-01-01T11:56:00Z"}}

    found = silenced(document, KEY)

    expected = TagStatus(
        tag="v1",
        phase=Phase.FAILED,
        version=1,
        start_time=NOW.replace(microsecond=0),
        completion_time=NOW.replace(microsecond=0),
        image_id="old",
        digest="sha256:1",
        attempt=2,
        reason="AgentSilent",
        message="the node's agent has not reported since 2026-01-01T11:56:00Z; its next report replaces this",
    )
    assert {KEY: expected} == seen(found).statuses
    assert document["status"]["prewarm"] == found["status"]["prewarm"]


def test_of_an_older_version_only_what_lies_there_is_kept() -> None:
    """Its times and attempts were another task's."""
    said = reported(
        Phase.SUCCEEDED,
        version=1,
        start_time=NOW.replace(microsecond=0),
        completion_time=NOW.replace(microsecond=0),
        image_id="old",
        attempt=2,
    )
    document = with_images({REPOSITORY: ImageSpec(tags=(entry(version=2),))}, statuses={REPOSITORY: (said,)})

    (found,) = seen(silenced(document, KEY)).statuses.values()

    assert (2, Phase.FAILED, "old", None, 0) == (
        found.version,
        found.phase,
        found.image_id,
        found.start_time,
        found.attempt,
    )


def test_other_answers_of_the_repository_stay_and_the_counters_fit() -> None:
    """The counters are those of all that is wanted, waiting too (8.2 number 15: left as it was)."""
    images = {
        REPOSITORY: ImageSpec(tags=(entry("v1"), entry("v2"))),
        "nginx": ImageSpec(tags=(entry("latest"), entry("old"))),
    }
    statuses = {
        REPOSITORY: (reported(Phase.PULLING), reported(Phase.SUCCEEDED, tag="v2")),
        "nginx": (reported(Phase.WAITING, tag="latest"), reported(Phase.FAILED, tag="old")),
        "gone": (reported(Phase.SUCCEEDED),),
    }
    document = with_images(images, statuses=statuses)

    found = silenced(document, KEY, ImageKey("no", "such"))

    phases = {key: one.phase for key, one in seen(found).statuses.items()}
    assert Phase.FAILED is phases[KEY]
    assert [Phase.SUCCEEDED, Phase.WAITING] == [phases[OTHER_TAG], phases[ELSEWHERE]]
    counters = {name: found["status"][name] for name in ("desired", "succeeded", "failed", "pulling", "waiting")}
    assert {"desired": 4, "succeeded": 1, "failed": 2, "pulling": 0, "waiting": 1} == counters


@pytest.mark.parametrize("status", [None, {"desired": 0}, {"desired": 0, "prewarm": {"agent": {"version": "1"}}}])
def test_a_node_that_has_never_said_anything_is_answered_for_too(status: Json | None) -> None:
    """Whatever of a status is missing, and an agent's own words about itself stay."""
    document = with_images({REPOSITORY: ImageSpec(tags=(entry(),))})
    if status is not None:
        document["status"] = status

    found = silenced(document, KEY)

    (one,) = seen(found).statuses.values()
    words = "the node's agent has not reported; its next report replaces this"
    is_ours = "prewarm" in (status or {})
    assert (Phase.FAILED, words if is_ours else NO_RESPONSE) == (one.phase, one.message)
    assert (status or {}).get("prewarm") == found["status"].get("prewarm")


@pytest.mark.parametrize("metadata", [{"resourceVersion": "71"}, {"uid": "v"}])
def test_a_node_that_speaks_meanwhile_is_not_contradicted(metadata: Json) -> None:
    """The answer is refused where anything has been written since."""
    document = with_images({REPOSITORY: ImageSpec(tags=(entry(),))})
    steps = silent_status_patch(seen(document), keys=[KEY], now=NOW)
    written = {**document, "metadata": {**document["metadata"], **metadata}}

    assert [False, True] == [_refuses(one, steps) for one in (document, written)]


def _refuses(document: Json, steps: tuple[Operation, ...]) -> bool:
    try:
        patched(document, steps)
    except PatchRefused:
        return True
    return False
