import hashlib
import json

import pytest

from daemon.runtime.manifest import Descriptor, Manifest, chain_ids, parse_children, parse_manifest


MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:c", "size": 7},
    "layers": [{"mediaType": "layer", "digest": "sha256:a", "size": 10, "annotations": {"x": "y"}}],
}
INDEX = {"schemaVersion": 2, "manifests": [{"digest": "sha256:m", "size": 3, "platform": {"os": "linux"}}]}


def test_a_manifest_names_its_blobs() -> None:
    """Config and layers come with digest and size; everything else is passed over."""
    manifest = parse_manifest(json.dumps(MANIFEST).encode())

    layer = Descriptor(digest="sha256:a", size=10)
    assert Manifest(config=Descriptor(digest="sha256:c", size=7), layers=(layer,)) == manifest


def test_an_index_names_its_manifests() -> None:
    """An index is no manifest, and tells which are its own."""
    blob = json.dumps(INDEX).encode()

    assert parse_manifest(blob) is None
    assert frozenset({"sha256:m"}) == parse_children(blob)


@pytest.mark.parametrize("blob", [b"", b"{", b"[]", b"{}", b"null", b'{"layers": 3}', b"\xff\xfe", b"\x1f\x8b"])
def test_any_other_blob_is_neither(blob: bytes) -> None:
    """A blob that is no JSON of ours is no error: it has no manifests, and no layers."""
    assert (None, frozenset(), ()) == (parse_manifest(blob), parse_children(blob), chain_ids(blob))


def _deep(members: str) -> bytes:
    return f'{{{members}, "x": {"[" * 5000}{"]" * 5000}}}'.encode()


HOSTILE = {
    "a config as deep as a runtime reads": _deep('"rootfs": {"diff_ids": ["sha256:1"]}'),
    "a manifest as deep": _deep('"config": {"digest": "sha256:c", "size": 1}, "layers": []'),
    "an index as deep": _deep('"manifests": [{"digest": "sha256:m", "size": 1}]'),
    "a diff ID that is no text": b'{"rootfs": {"diff_ids": ["\xff\xfe"]}}',
    "a size below nothing": b'{"config": {"digest": "sha256:c", "size": -5}, "layers": []}',
}


@pytest.mark.parametrize("blob", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_blob_is_neither(blob: bytes) -> None:
    """Whoever may push an image must not be able to end the node's loop with it."""
    assert (None, frozenset(), ()) == (parse_manifest(blob), parse_children(blob), chain_ids(blob))


def test_chain_ids_follow_the_specification() -> None:
    """The first is the diff ID; each next hashes the one below and its own diff ID."""
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": ["sha256:1", "sha256:2", "sha256:3"]}}).encode()

    second = f"sha256:{hashlib.sha256(b'sha256:1 sha256:2').hexdigest()}"
    third = f"sha256:{hashlib.sha256(f'{second} sha256:3'.encode()).hexdigest()}"
    assert ("sha256:1", second, third) == chain_ids(config)
