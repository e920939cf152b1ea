"""
The node image, built by setup/nodeimage.py: what it is made of, pushed into a registry, or unpacked into a folder.

Building and unpacking need root. Both are done once a content and kept in the cache.
"""

import gzip
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.servers.images import Push, PushedImage
from tests.servers.registry import Registry
from tests.servers.setup import cache, nodeimage
from tests.servers.setup.buildah import LAYOUT
from tests.servers.setup.commands import CommandFailed, announce, run


REPOSITORY = "prewarm"
UNPACK_TIMEOUT_SECONDS = 300
# Each is 200 MB.
UNPACKED_KEPT = 2
_WHITEOUT = ".wh."


class StoredLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image: the file with it, and its bytes as it travels."""

    file: Path
    compressed_bytes: int

    @property
    def unpacked_bytes(self) -> int:
        """The bytes of the files in it."""
        return sum(member.size for member in _members(self.file) if member.isreg())


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """
    An image in an OCI image layout.

    `config` is the image's configuration document; `base_layers` of `layers`, the first ones, are its base's.
    """

    layout: Path
    digest: str
    config: dict[str, Any]
    layers: tuple[StoredLayer, ...]
    base_layers: int

    @property
    def compressed_bytes_over_base(self) -> int:
        """What its own layers weigh as they travel."""
        return sum(layer.compressed_bytes for layer in self.layers[self.base_layers :])

    @property
    def unpacked_bytes_over_base(self) -> int:
        """What the files of its own layers have."""
        return sum(layer.unpacked_bytes for layer in self.layers[self.base_layers :])


def built(project: Path = nodeimage.PROJECT) -> BuiltImage:
    """
    Return the node image of the checkout as it is (or of another `project`), built first where it is not in the cache.

    Raises:
        CommandFailed: it could not be built here; the message ends with the output of what failed.
    """
    base_folder = nodeimage.base()
    base_digests = [layer["digest"] for layer in _manifest(base_folder / LAYOUT)["layers"]]
    layout = nodeimage.image(base_folder, project=project) / LAYOUT
    manifest = _manifest(layout)
    digests = [layer["digest"] for layer in manifest["layers"]]
    if digests[: len(base_digests)] != base_digests:
        raise ValueError(f"{layout} is not made of the layers of {base_folder} and more")
    return BuiltImage(
        layout=layout,
        digest=_described(layout)["digest"],
        config=json.loads(_blob(layout, manifest["config"]["digest"]).read_bytes()),
        layers=tuple(
            StoredLayer(file=_blob(layout, layer["digest"]), compressed_bytes=layer["size"])
            for layer in manifest["layers"]
        ),
        base_layers=len(base_digests),
    )


def push_to(registry: Registry, image: BuiltImage, *, repository: str = REPOSITORY, tag: str = "latest") -> PushedImage:
    """Push it into a registry by plain HTTP; its digest there is `image.digest`."""
    return Push(registry).layout(repository, image.layout, tag=tag)


def unpacked(image: BuiltImage) -> Path:
    """
    Return a folder with the image's whole root, owners and all, to look at or to enter by chroot; never to write to.

    Raises:
        ValueError: a layer removes files of one below, which ours have no reason to.
    """
    name = f"image/unpacked/{image.digest.removeprefix('sha256:')[:16]}"
    folder = cache.kept(name, lambda folder: _unpack(image, folder))
    cache.forget_older(folder, kept=UNPACKED_KEPT)
    return folder


def _unpack(image: BuiltImage, folder: Path) -> None:
    for layer in image.layers:
        if any(Path(member.name).name.startswith(_WHITEOUT) for member in _members(layer.file)):
            raise ValueError(f"{layer.file} removes files of a layer below")
        run(["tar", "-xzpf", layer.file, "-C", folder, "--numeric-owner"], timeout_seconds=UNPACK_TIMEOUT_SECONDS)


def _members(file: Path) -> Iterator[tarfile.TarInfo]:
    with gzip.open(file) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        yield from archive


def _manifest(layout: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_blob(layout, _described(layout)["digest"]).read_bytes())
    return found


def _described(layout: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((layout / "index.json").read_text())["manifests"][0]
    return found


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def main() -> int:
    """Build it, and say where it is and what it weighs."""
    try:
        image = built()
    except CommandFailed as error:
        announce(str(error))
        return 1
    mib = 1 << 20
    announce(f"{image.digest} in {image.layout}")
    announce(
        f"over its base {image.unpacked_bytes_over_base / mib:.1f} MiB unpacked, "
        f"{image.compressed_bytes_over_base / mib:.1f} MiB compressed"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
