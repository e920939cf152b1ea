"""
Calls CRI with messages encoded by hand, so that a mistake in the product's own definitions can't hide.

Field numbers are from Kubernetes' cri-api, api.proto: PullImageRequest.image = 1, auth = 2; ImageSpec.image = 1;
AuthConfig.username = 1, password = 2; RemoveImageRequest.image = 1.
"""

import grpc


def answers(endpoint: str, *, timeout_seconds: float) -> bool:
    """Tell whether the image service lists images."""
    try:
        _call(endpoint, "ListImages", b"", timeout_seconds=timeout_seconds)
    except grpc.RpcError:
        return False
    return True


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


def _call(endpoint: str, method: str, message: bytes, *, timeout_seconds: float) -> bytes:
    with grpc.insecure_channel(endpoint) as channel:
        path = f"/runtime.v1.ImageService/{method}"
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        return call(message, timeout=timeout_seconds)


def _field(number: int, content: bytes) -> bytes:
    """Encode a protobuf field of bytes, a string or a message."""
    length, size = len(content), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content
