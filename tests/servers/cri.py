"""
Calls CRI with messages encoded by hand, so that a mistake in the product's own definitions can't hide.

Field numbers are from Kubernetes' cri-api, api.proto: PullImageRequest.image = 1, auth = 2; ImageSpec.image = 1;
AuthConfig.username = 1, password = 2; RemoveImageRequest.image = 1; ListImagesResponse.images = 1; Image.id = 1,
repo_tags = 2; RemoveContainerRequest.container_id = 1.
"""

from collections.abc import Iterator

import grpc


def answers(endpoint: str, *, timeout_seconds: float) -> bool:
    """Tell whether the image service lists images."""
    try:
        _call(endpoint, "ListImages", b"", timeout_seconds=timeout_seconds)
    except grpc.RpcError:
        return False
    return True


def images(endpoint: str, *, timeout_seconds: float) -> dict[str, str]:
    """
    Return the IDs of all images by their tags.

    Raises:
        grpc.RpcError: the runtime did not answer.
    """
    found: dict[str, str] = {}
    for _, image in _fields(_call(endpoint, "ListImages", b"", timeout_seconds=timeout_seconds)):
        fields = list(_fields(image))
        image_id = next(content for number, content in fields if number == 1).decode()
        found |= {content.decode(): image_id for number, content in fields if number == 2}
    return found


def pull(endpoint: str, reference: str, *, user: tuple[str, str] | None, timeout_seconds: float) -> None:
    """
    Pull an image as the kubelet does, with `user` (name and password) or anonymously.

    Raises:
        grpc.RpcError: the runtime ended the pull; its words are in `details()`.
    """
    image = _field(1, _field(1, reference.encode()))
    auth = _field(2, _field(1, user[0].encode()) + _field(2, user[1].encode())) if user else b""
    _call(endpoint, "PullImage", image + auth, timeout_seconds=timeout_seconds)


def remove(endpoint: str, reference: str, *, timeout_seconds: float) -> None:
    """
    Remove an image with all its names, as the kubelet's garbage collection does.

    Raises:
        grpc.RpcError: the runtime refused; its words are in `details()`.
    """
    _call(endpoint, "RemoveImage", _field(1, _field(1, reference.encode())), timeout_seconds=timeout_seconds)


def remove_container(endpoint: str, container_id: str, *, timeout_seconds: float) -> None:
    """
    Remove a container, as the kubelet does in its own time; one that is gone is no error.

    Raises:
        grpc.RpcError: the runtime refused; its words are in `details()`.
    """
    message = _field(1, container_id.encode())
    _call(endpoint, "RemoveContainer", message, service="RuntimeService", timeout_seconds=timeout_seconds)


def _call(
    endpoint: str, method: str, message: bytes, *, service: str = "ImageService", timeout_seconds: float
) -> bytes:
    with grpc.insecure_channel(endpoint) as channel:
        path = f"/runtime.v1.{service}/{method}"
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        return call(message, timeout=timeout_seconds)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a message that have a length; numbers are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        if key & 7 == 2:
            yield key >> 3, message[at : at + value]
            at += value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _field(number: int, content: bytes) -> bytes:
    """Encode a protobuf field of bytes, a string or a message."""
    length, size = len(content), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content
