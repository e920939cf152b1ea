"""
Makes OCI image layouts, and compresses each layer once for all of them, since it takes longest and most layers stay.

The same layer always becomes the same bytes, so that a registry and a node know it again.
"""

import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.servers.setup import cache


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LEVEL = 6
# Those of several images: most layers of a new one are among them.
LAYERS_KEPT = 60


def compressed(plain: Path, into: Path) -> None:
    """
    Make `into` the layout of the image in `plain`, with its layers gzipped.

    `plain` is what buildah pushes to `dir:`, a folder of a manifest and blobs: into a layout it pushes none but
    compressed layers.
    """
    manifest = json.loads((plain / "manifest.json").read_bytes())
    (into / "blobs/sha256").mkdir(parents=True)
    _link(_plain(plain, manifest["config"]), _blob(into, manifest["config"]["digest"]))
    manifest["layers"] = [_layer(_plain(plain, layer), into) for layer in manifest["layers"]]
    content = json.dumps(manifest).encode()
    digest = _digest(content)
    _blob(into, digest).write_bytes(content)
    described = {"mediaType": MANIFEST, "digest": digest, "size": len(content)}
    (into / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (into / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def _layer(tar: Path, into: Path) -> dict[str, Any]:
    kept = cache.kept(f"image/layers/{tar.name[:32]}", lambda folder: _gzip(tar, folder / "layer"))
    cache.forget_older(kept, kept=LAYERS_KEPT)
    digest = _digest((kept / "layer").read_bytes())
    _link(kept / "layer", _blob(into, digest))
    return {"mediaType": GZIP, "digest": digest, "size": (kept / "layer").stat().st_size}


def _gzip(tar: Path, there: Path) -> None:
    with (
        tar.open("rb") as source,
        there.open("wb") as target,
        gzip.GzipFile("", "wb", LEVEL, target, mtime=0) as packed,
    ):
        shutil.copyfileobj(source, packed, 1 << 20)


def _link(here: Path, there: Path) -> None:
    try:
        os.link(here, there)
    except OSError:
        # Another filesystem, or one that knows no such links.
        shutil.copy(here, there)


def _plain(folder: Path, described: dict[str, Any]) -> Path:
    return folder / str(described["digest"]).removeprefix("sha256:")


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
