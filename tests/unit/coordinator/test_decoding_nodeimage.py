"""A NodeImage's JSON becomes what a coordinator keeps of it: all that is sound, and little memory."""

import gc
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.nodeimage import ImagePullPolicy, NodeImage, Phase, SandboxConfig, SecretReference, TagEntry, TagStatus
from daemon.api.wire import resource_to_wire
from daemon.coordinator.decoding import node_image_of
from daemon.coordinator.seen import PLAIN_SETTINGS, ImageKey, RepositorySettings, SeenAgent, labels_hash
from tests.unit.api.strategies import node_images


Path = tuple[str | int, ...]

UID = "5d1f"
DIGEST = "sha256:" + "a" * 64
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def _wire(node_image: NodeImage) -> dict[str, object]:
    return resource_to_wire(msgspec.structs.replace(node_image, uid=UID))


def _document(**parts: object) -> dict[str, object]:
    return {"metadata": {"name": "node-a", "uid": UID}, **parts}


def _spec(*tags: object, repository: str = "nginx") -> dict[str, object]:
    return {"images": {repository: {"tags": list(tags)}}}


def _statuses(*tags: object, repository: str = "nginx") -> dict[str, object]:
    return {"imageStatuses": {repository: {"tags": list(tags)}}}


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def _entries(node_image: NodeImage) -> dict[ImageKey, TagEntry]:
    return {ImageKey(name, entry.tag): entry for name, image in node_image.images.items() for entry in image.tags}


def _told(node_image: NodeImage) -> dict[ImageKey, TagStatus]:
    """Return what the statuses say, without what a terminal would act on."""
    return {ImageKey(name, status.tag): _plain(status) for name, tags in node_image.statuses.items() for status in tags}


def _plain(status: TagStatus) -> TagStatus:
    texts = {name: getattr(status, name) for name in ("image_id", "digest", "reason", "stage", "message")}
    shown = {name: "".join(char if char.isprintable() else " " for char in text) for name, text in texts.items()}
    return msgspec.structs.replace(status, **shown)


def _shuffled(draw: st.DrawFn, value: object) -> object:
    """The same in any order of members, with members that nobody knows."""
    if isinstance(value, list):
        return [_shuffled(draw, inner) for inner in value]
    if not isinstance(value, dict):
        return value
    members = [(key, _shuffled(draw, inner)) for key, inner in value.items()]
    return dict(draw(st.permutations(members)))


@st.composite
def _written(draw: st.DrawFn) -> tuple[NodeImage, dict[str, object]]:
    node_image = draw(node_images)
    document = _shuffled(draw, _wire(node_image))
    assert isinstance(document, dict)
    return node_image, document


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    members: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        members = iter(value.items())
    elif isinstance(value, list):
        members = iter(enumerate(value))
    for key, inner in members:
        yield from _paths(inner, (*path, key))


def _with(value: object, path: Path, new: object) -> object:
    if not path:
        return new
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: _with(value[str(key)], tuple(rest), new)}
    assert isinstance(value, list)
    return [_with(inner, tuple(rest), new) if index == key else inner for index, inner in enumerate(value)]


@given(written=_written())
def test_every_entry_setting_and_status_is_read_in_any_order(written: tuple[NodeImage, dict[str, object]]) -> None:
    """What stands in the object is what is kept."""
    node_image, document = written

    seen = node_image_of(_encoded(document))

    assert _entries(node_image) == seen.entries
    assert _told(node_image) == seen.statuses
    assert {
        name: RepositorySettings(pull_secrets=image.pull_secrets, sandbox_config=image.sandbox_config)
        for name, image in node_image.images.items()
    } == seen.settings
    assert (node_image.name, UID, node_image.generation) == (seen.name, seen.uid, seen.generation)


@given(written=_written())
def test_an_odd_entry_changes_nothing_of_the_others(written: tuple[NodeImage, dict[str, object]]) -> None:
    """What only the slow way can read is read beside the rest, and the rest as the fast way reads it."""
    document = written[1]
    fast = node_image_of(_encoded(document))
    spec = document["spec"]
    assert isinstance(spec, dict)
    images = {**spec["images"], "Odd": {"tags": [{"tag": "x", "imagePullPolicy": ""}]}}

    slow = node_image_of(_encoded({**document, "spec": {**spec, "images": images}}))

    odd = ImageKey("Odd", "x")
    assert TagEntry(tag="x", image_pull_policy=ImagePullPolicy.IF_NOT_PRESENT) == slow.entries[odd]
    assert fast == msgspec.structs.replace(
        slow,
        entries={key: entry for key, entry in slow.entries.items() if key != odd},
        settings={name: settings for name, settings in slow.settings.items() if name != "Odd"},
    )


@given(written=_written(), data=st.data())
def test_one_odd_value_costs_no_more_than_its_repository(
    written: tuple[NodeImage, dict[str, object]], data: st.DataObject
) -> None:
    """Whatever stands in place of any part, the object is read, and the other repositories are kept."""
    node_image, document = written
    kept = ((), ("metadata",), ("metadata", "name"), ("metadata", "uid"))
    path = data.draw(st.sampled_from([path for path in _paths(document) if path not in kept] or [("kind",)]))
    odd = _with(document, path, data.draw(plain))

    seen = node_image_of(_encoded(odd))

    assert (node_image.name, UID) == (seen.name, seen.uid)
    if path not in (("spec",), ("spec", "images")):
        touched = path[2] if path[:2] == ("spec", "images") else None
        wanted = {key: entry for key, entry in _entries(node_image).items() if key.repository != touched}
        assert wanted == {key: entry for key, entry in seen.entries.items() if key.repository != touched}
    if path not in (("status",), ("status", "imageStatuses")):
        touched = path[2] if path[:2] == ("status", "imageStatuses") else None
        told = {key: status for key, status in _told(node_image).items() if key.repository != touched}
        assert told == {key: status for key, status in seen.statuses.items() if key.repository != touched}


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        {},
        {"metadata": None},
        {"metadata": {"name": "node-a"}},
        {"metadata": {"uid": UID}},
        {"metadata": {"name": "", "uid": UID}},
        {"metadata": {"name": "node-a", "uid": 7}},
    ],
)
def test_what_is_no_stored_object_is_refused(document: object) -> None:
    """Without a name or a uid there is nothing to keep it under."""
    with pytest.raises(ValueError, match=r"an object without|that is no object"):
        node_image_of(_encoded(document))


@pytest.mark.parametrize("content", [b"", b"{", b'{"metadata": ', b"\xff"])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    """A cut answer is an error, not an empty object."""
    with pytest.raises(ValueError, match=r".+"):
        node_image_of(content)


@pytest.mark.parametrize(
    "entry",
    [
        {"tag": ""},
        {"tag": "bad", "version": -1},
        {"tag": "bad", "version": "1"},
        {"tag": "bad", "createdAt": "yesterday"},
        {"tag": "bad", "createdAt": "2026-01-01T00:00:00"},
        {"tag": "bad", "imagePullPolicy": "Sometimes"},
        {"tag": "bad", "pullPolicy": {"timeoutSeconds": 0}},
        {"tag": "bad", "pullPolicy": {"backoffLimit": -1}},
        {"tag": "bad", "pullPolicy": {"activeDeadlineSeconds": 0}},
        {"tag": "bad", "prewarm": {"minFree": "much"}},
        {"tag": "bad", "prewarm": {"ended": [{"uid": "", "phase": "Failed"}]}},
        {"tag": "good"},
        7,
    ],
)
def test_an_unsound_entry_is_left_out_and_its_neighbour_kept(entry: object) -> None:
    """OpenKruise's schema lets such entries through; the agent leaves them out by the same rules."""
    seen = node_image_of(_encoded(_document(spec=_spec({"tag": "good", "version": 3}, entry))))

    assert {ImageKey("nginx", "good"): TagEntry(tag="good", version=3)} == seen.entries


@pytest.mark.parametrize(
    "status",
    [
        {"tag": "", "phase": "Failed"},
        {"tag": "bad", "phase": "Resting"},
        {"tag": "bad"},
        {"tag": "bad", "phase": "Failed", "version": -1},
        {"tag": "bad", "phase": "Pulling", "bytes": {"done": -1}},
        {"tag": "bad", "phase": "Pulling", "progress": -1},
        {"tag": "bad", "phase": "Failed", "completionTime": "soon"},
        None,
    ],
)
def test_an_unsound_status_is_left_out_and_its_neighbour_kept(status: object) -> None:
    """A phase that nobody knows answers nothing."""
    good = {"tag": "good", "phase": "Succeeded", "version": 3}

    seen = node_image_of(_encoded(_document(status=_statuses(status, good))))

    assert {ImageKey("nginx", "good"): TagStatus(tag="good", phase=Phase.SUCCEEDED, version=3)} == seen.statuses


def test_a_time_of_another_zone_is_the_same_instant() -> None:
    """Times are kept in UTC, however they were written."""
    seen = node_image_of(_encoded(_document(spec=_spec({"tag": "x", "createdAt": "2026-01-01T02:00:00+02:00"}))))

    assert datetime(2026, 1, 1, tzinfo=UTC) == seen.entries[ImageKey("nginx", "x")].created_at
    assert UTC is getattr(seen.entries[ImageKey("nginx", "x")].created_at, "tzinfo", None)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, (False, False, False)),
        ({"spec": None, "status": None}, (False, False, False)),
        ({"spec": {}, "status": {}}, (True, False, False)),
        ({"spec": {"images": None}, "status": {"imageStatuses": None}}, (True, False, False)),
        ({"spec": {"images": {}}, "status": {"imageStatuses": {}}}, (True, True, True)),
        ({"spec": _spec({"tag": "x", "imagePullPolicy": ""}), "status": {"imageStatuses": {}}}, (True, True, True)),
        ({"spec": {"images": 7}, "status": 7}, (True, False, False)),
    ],
)
def test_it_is_known_which_parents_a_patch_finds(parts: dict[str, object], expected: tuple[bool, bool, bool]) -> None:
    """A JSON Patch can't add below what is not there."""
    seen = node_image_of(_encoded(_document(**parts)))

    assert expected == (seen.has_spec, seen.has_images, seen.has_statuses)


def test_metadata_says_whose_it_is_and_in_which_state() -> None:
    """The Node by its owner reference, the resourceVersion as a number, a deletion; of other owners nothing."""
    metadata = {
        "name": "node-a",
        "uid": UID,
        "resourceVersion": "4711",
        "generation": 5,
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"kind": "Pool", "uid": "p"}, {"apiVersion": "v1", "kind": "Node", "uid": "n"}],
        "labels": {"zone": "a"},
    }

    seen = node_image_of(_encoded({"metadata": metadata}))

    assert ("n", 4711, 5, True) == (seen.node_uid, seen.version, seen.generation, seen.is_deleting)
    assert (None, labels_hash({"zone": "a"}), False) == (seen.labels, seen.labels_hash, seen.is_fake)


@pytest.mark.parametrize("value", ["", "true", "false"])
def test_a_fake_node_image_keeps_its_labels(value: str) -> None:
    """OpenKruise's label makes it fake, whatever its value; selectors look at its labels then."""
    labels = {"apps.kruise.io/fake-nodeimage": value, "zone": "a"}

    seen = node_image_of(_encoded({"metadata": {"name": "node-a", "uid": UID, "labels": labels}}))

    assert (True, labels) == (seen.is_fake, seen.labels)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, None),
        ({"prewarm": {}}, None),
        ({"prewarm": {"agent": 7}}, None),
        ({"prewarm": {"agent": {"version": "1", "runtime": 7, "reportedAt": "t"}}}, ("1", "", "", "t")),
        (
            {"prewarm": {"agent": {"version": "1", "runtime": "r", "startedAt": "s", "reportedAt": "t"}}},
            ("1", "r", "s", "t"),
        ),
    ],
)
def test_an_agent_is_known_by_what_it_says_of_itself(
    status: dict[str, object], expected: tuple[str, str, str, str] | None
) -> None:
    """None is kruise-daemon, or nobody yet."""
    seen = node_image_of(_encoded(_document(status=status)))

    agent = expected and SeenAgent(
        version=expected[0], runtime=expected[1], started_at=expected[2], reported_at=expected[3]
    )
    assert agent == seen.agent


def test_what_a_repository_shares_is_read() -> None:
    """Secrets with their mode, sandbox settings; without either the settings are the plain ones."""
    images = {
        "private": {
            "tags": [],
            "pullSecrets": [{"namespace": "s", "name": "n", "mode": "batch"}],
            "sandboxConfig": {"labels": {"a": "b"}},
        },
        "plain": {"tags": []},
    }

    seen = node_image_of(_encoded(_document(spec={"images": images})))

    secrets = (SecretReference(namespace="s", name="n", mode="batch"),)
    private = RepositorySettings(pull_secrets=secrets, sandbox_config=SandboxConfig(labels={"a": "b"}))
    assert {"private": private, "plain": PLAIN_SETTINGS} == seen.settings


def _typical(node: int) -> bytes:
    """A NodeImage of ten images that were pulled, with times and versions of its own."""
    images, statuses = {}, {}
    for number in range(10):
        name, at = f"registry.example.com:5000/team-{number}/application", f"2026-01-01T02:{node % 60:02}:{number:02}Z"
        owner = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "namespace": "team", "name": "job"}
        images[name] = {
            "tags": [
                {
                    "tag": "v1.2.3",
                    "version": 1000 + node,
                    "createdAt": at,
                    "ownerReferences": [{**owner, "uid": f"{number}-5d1f-4e6f-8f7e-8f6e5d4c3b2a"}],
                    "pullPolicy": {"timeoutSeconds": 600, "backoffLimit": 3, "ttlSecondsAfterFinished": 86_000 + node},
                }
            ]
        }
        ended = {"phase": "Succeeded", "version": 1000 + node, "progress": 100, "startTime": at, "completionTime": at}
        statuses[name] = {"tags": [{"tag": "v1.2.3", "digest": DIGEST, "imageID": DIGEST, "message": "done", **ended}]}
    metadata = {"name": f"node-{node}", "uid": f"{node}-uid", "labels": {f"label-{each}": "x" for each in range(20)}}
    return _encoded({"metadata": metadata, "spec": {"images": images}, "status": {"imageStatuses": statuses}})


def test_what_nodes_have_in_common_is_one_object_in_memory() -> None:
    """Keys, owners, digests, image IDs and messages are the same over nodes."""
    one, other = node_image_of(_typical(1)), node_image_of(_typical(2))

    key = next(iter(one.entries))
    assert key is next(each for each in other.entries if each == key)
    assert one.entries[key].owner_references is other.entries[key].owner_references
    assert one.entries[key].prewarm is other.entries[key].prewarm
    assert one.settings is other.settings
    for name in ("tag", "digest", "image_id", "message"):
        assert getattr(one.statuses[key], name) is getattr(other.statuses[key], name)


def test_five_thousand_node_images_of_ten_images_fit_into_memory() -> None:
    """One takes less than 10 KiB: half of what 5,000 within 100 MiB would leave it."""
    contents = [_typical(node) for node in range(200)]
    gc.collect()
    tracemalloc.start()

    kept = [node_image_of(content) for content in contents]

    bytes_used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 10 * 1024 > bytes_used / len(kept)
