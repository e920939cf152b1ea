"""
The objects as OpenKruise's manager knows them: typed, so that a field which its types lack is lost when it writes.

Independent of the product's own types, which the tests hold against it. A controller in Go decodes an object into
types and encodes the types again: unknown fields go, times become whole seconds, what is empty is left out.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from tests.servers.openkruise.manager_job import Job
from tests.servers.openkruise.manager_list import ListJob
from tests.servers.openkruise.manager_metadata import Node, Secret
from tests.servers.openkruise.manager_nodeimage import Image, NodeImage, SecretReference


GROUP: Final = "apps.kruise.io"
SECRET_NAMESPACE: Final = "kruise-daemon-config"

Json = dict[str, object]
Object = TypeVar("Object", NodeImage, Job, ListJob, Node, Secret)


class Release(StrEnum):
    """Which OpenKruise: the API version that it speaks, how it copies secrets, the deadline of a Never job."""

    V1_6 = "v1alpha1"
    V1_9 = "v1beta1"


def decoded(wire: object, *, into: type[Object]) -> Object:
    """Return what the manager sees of an object."""
    return msgspec.convert(wire, type=into)


def without_modes(node_image: NodeImage) -> NodeImage:
    """Return it as v1alpha1's type has it, which knows no mode of a secret reference."""
    images = {repository: _without_modes(image) for repository, image in node_image.spec.images.items()}
    return with_images(node_image, images=images)


def encoded(value: NodeImage | Job | ListJob | Secret, *, release: Release) -> Json:
    """Return an object as a client in Go sends it."""
    kinds = {NodeImage: "NodeImage", Job: "ImagePullJob", ListJob: "ImageListPullJob", Secret: "Secret"}
    kind = kinds[type(value)]
    version = "v1" if isinstance(value, Secret) else f"{GROUP}/{release}"
    members = msgspec.to_builtins(value, builtin_types=(datetime,)).items()
    return {"apiVersion": version, "kind": kind, **{name: _plain(inner) for name, inner in members}}


def with_images(node_image: NodeImage, *, images: dict[str, Image]) -> NodeImage:
    """Return it with other images in its spec."""
    return msgspec.structs.replace(node_image, spec=msgspec.structs.replace(node_image.spec, images=images))


def _without_modes(image: Image) -> Image:
    references = (SecretReference(namespace=each.namespace, name=each.name) for each in image.pull_secrets)
    return msgspec.structs.replace(image, pull_secrets=tuple(references))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
