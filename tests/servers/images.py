"""
Puts images of any shape into a registry over plain HTTP: no image from elsewhere, no container engine.

The same arguments always give the same bytes: two images with an equal `Layer` share it, and another `seed` is
another image. Layers are tar archives of incompressible files that a runtime really unpacks.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import urllib3

from tests.servers.layers import Layer, archive, compressed
from tests.servers.registry import Registry


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TAR = "application/vnd.oci.image.layer.v1.tar"


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """What a descriptor says of a blob."""

    digest: str
    size_bytes: int


class PushedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a registry: `digest` is its manifest's (or index's), `image_id` its config's ("" for an index)."""

    host: str
    repository: str
    tag: str
    digest: str
    image_id: str = ""
    layers: tuple[Blob, ...] = ()

    @property
    def reference(self) -> str:
        """The name by tag, such as localhost:5000/base:latest."""
        return f"{self.host}/{self.repository}:{self.tag}"

    @property
    def key(self) -> str:
        """The name without tag, by which a NodeImage knows the repository, such as localhost:5000/base."""
        return f"{self.host}/{self.repository}"

    @property
    def reference_by_digest(self) -> str:
        """The name by digest."""
        return f"{self.host}/{self.repository}@{self.digest}"

    @property
    def layer_bytes(self) -> int:
        """The size of all its layers as they travel."""
        return sum(layer.size_bytes for layer in self.layers)

    def at(self, host: str) -> "PushedImage":
        """Return the same image under another registry name (a proxy before the registry)."""
        return msgspec.structs.replace(self, host=host)


class Push:
    """Pushes into one registry, as `user` (name and password) where it asks for one."""

    def __init__(self, registry: Registry, *, user: tuple[str, str] | None = None) -> None:
        self._registry = registry
        self._headers = urllib3.make_headers(basic_auth=":".join(user)) if user else {}
        self._http = urllib3.PoolManager(retries=False, timeout=60)

    def __call__(
        self,
        repository: str = "base",
        *,
        tag: str = "latest",
        layers: Sequence[int | Layer] = (1024,),
        seed: int = 0,
        platform: str = "linux/amd64",
        config_padding_bytes: int = 0,
        entrypoint: Sequence[str] = (),
    ) -> PushedImage:
        """
        Push an image and point the tag at it, which moves a tag that exists.

        A number in `layers` stands for a layer of that many bytes, whose content depends on `seed` and its place. With
        an `entrypoint` a Pod can run it.
        """
        specs = [
            layer if isinstance(layer, Layer) else Layer(size_bytes=layer, seed=seed * 1000 + place)
            for place, layer in enumerate(layers)
        ]
        archives = [archive(spec) for spec in specs]
        blobs = [self._blob(repository, compressed(tar, spec)) for tar, spec in zip(archives, specs, strict=True)]
        labels = {"seed": str(seed), "padding": "x" * config_padding_bytes}
        settings = {"Labels": labels, **({"Entrypoint": [*entrypoint]} if entrypoint else {})}
        config = self._blob(repository, _config(archives, platform=platform, settings=settings))
        descriptors = [_descriptor(blob, TAR + spec.compression) for blob, spec in zip(blobs, specs, strict=True)]
        manifest = _document(MANIFEST, config=_descriptor(config, CONFIG), layers=descriptors)
        digest = self.manifest(repository, tag, manifest, media_type=MANIFEST)
        return self._pushed(repository, tag, digest, image_id=config.digest, layers=tuple(blobs))

    def layout(self, repository: str, folder: Path, *, tag: str = "latest") -> PushedImage:
        """Push the image of an OCI image layout as it is, and point the tag at it."""
        blobs = folder / "blobs/sha256"
        found = json.loads((folder / "index.json").read_text())["manifests"][0]
        content = (blobs / found["digest"].removeprefix("sha256:")).read_bytes()
        manifest = json.loads(content)
        config, *layers = (
            self._blob(repository, (blobs / each["digest"].removeprefix("sha256:")).read_bytes())
            for each in (manifest["config"], *manifest["layers"])
        )
        digest = self.manifest(repository, tag, content, media_type=found["mediaType"])
        return self._pushed(repository, tag, digest, image_id=config.digest, layers=tuple(layers))

    def index(self, repository: str, images: Mapping[str, PushedImage], *, tag: str = "latest") -> PushedImage:
        """Push an index of images of the same repository, keyed by platform such as linux/arm64."""
        entries = []
        for platform, image in images.items():
            system, architecture = platform.split("/")
            size = len(self._get(repository, image.digest))
            entry = _descriptor(Blob(digest=image.digest, size_bytes=size), MANIFEST)
            entries.append({**entry, "platform": {"os": system, "architecture": architecture}})
        digest = self.manifest(repository, tag, _document(INDEX, manifests=entries), media_type=INDEX)
        return self._pushed(repository, tag, digest)

    def tag(self, image: PushedImage, tag: str) -> PushedImage:
        """Point a tag, new or existing, at an image of this registry."""
        content = self._get(image.repository, image.digest)
        media_type = json.loads(content)["mediaType"]
        return self._pushed(
            image.repository,
            tag,
            self.manifest(image.repository, tag, content, media_type=media_type),
            image_id=image.image_id,
            layers=image.layers,
        )

    def malformed(self, repository: str = "malformed", *, tag: str = "latest") -> PushedImage:
        """Push an image whose config is no JSON: the registry takes it and no runtime can use it."""
        layer = self._blob(repository, archive(Layer(size_bytes=1024)))
        config = self._blob(repository, b"{not JSON")
        content = _document(MANIFEST, config=_descriptor(config, CONFIG), layers=[_descriptor(layer, TAR)])
        digest = self.manifest(repository, tag, content, media_type=MANIFEST)
        return self._pushed(repository, tag, digest, image_id=config.digest, layers=(layer,))

    def manifest(self, repository: str, reference: str, content: bytes, *, media_type: str) -> str:
        """Put a manifest as it is and return its digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        self._request("PUT", path, content=content, headers={"Content-Type": media_type})
        return _digest(content)

    def delete(self, image: PushedImage) -> None:
        """Delete an image's manifest, and with it every tag that points at it."""
        self._request("DELETE", f"/v2/{image.repository}/manifests/{image.digest}")

    def _pushed(
        self, repository: str, tag: str, digest: str, *, image_id: str = "", layers: tuple[Blob, ...] = ()
    ) -> PushedImage:
        host = self._registry.host
        return PushedImage(host=host, repository=repository, tag=tag, digest=digest, image_id=image_id, layers=layers)

    def _blob(self, repository: str, content: bytes) -> Blob:
        blob = Blob(digest=_digest(content), size_bytes=len(content))
        path = f"/v2/{repository}/blobs/{blob.digest}"
        if self._request("HEAD", path, accepted=(200, 404)).status == 404:
            place = self._request("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
            place = place.removeprefix(self._registry.url)
            headers = {"Content-Type": "application/octet-stream"}
            self._request("PUT", f"{place}&digest={blob.digest}", content=content, headers=headers)
        return blob

    def _get(self, repository: str, digest: str) -> bytes:
        path = f"/v2/{repository}/manifests/{digest}"
        return self._request("GET", path, headers={"Accept": f"{MANIFEST}, {INDEX}"}).data

    def _request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: Sequence[int] = (200, 201, 202),
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._registry.url}{path}"
        answer = self._http.request(method, url, body=content, headers={**self._headers, **(headers or {})})
        if answer.status not in accepted:
            raise RuntimeError(f"{method} {url}: HTTP {answer.status} {answer.data[:500]!r}")
        return answer


def _config(archives: Sequence[bytes], *, platform: str, settings: Mapping[str, object]) -> bytes:
    system, architecture = platform.split("/")
    ids = [_digest(archive) for archive in archives]
    rootfs = {"type": "layers", "diff_ids": ids}
    return json.dumps({"architecture": architecture, "os": system, "config": settings, "rootfs": rootfs}).encode()


def _document(media_type: str, **fields: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()


def _descriptor(blob: Blob, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size_bytes}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
