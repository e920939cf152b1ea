"""
The gRPC channel to a runtime's socket, with the options that the kubelet uses on it.

It reconnects for ever by itself; which calls go over it, and what their failures mean, is left to its neighbours.
"""

import grpc


# The kubelet's limit: a node with thousands of images answers ListImages with more than gRPC's own 4 MiB.
MESSAGE_BYTES = 16 * 1024 * 1024
RECONNECT_FIRST_MS = 100
RECONNECT_MOST_MS = 3000
# gRPC also takes this as the time that a connection may need: a busy runtime is slow to greet, and not away.
CONNECT_MS = 4000

OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_FIRST_MS),
    ("grpc.min_reconnect_backoff_ms", CONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MOST_MS),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    # Closing one channel must not leave its subchannel to the next one to the same socket.
    ("grpc.use_local_subchannel_pool", 1),
    # No keepalive: containerd answers too many pings by ending the connection, and with it each running pull.
)


def open_channel(endpoint: str) -> grpc.Channel:
    """Open a channel to a Unix socket; it connects on first use and again whenever the runtime is back."""
    return grpc.insecure_channel(f"unix:{socket_path(endpoint)}", options=OPTIONS)


def socket_path(endpoint: str) -> str:
    """
    Return the path of `unix:///run/x.sock`, `unix:/run/x.sock` or `/run/x.sock`.

    Raises:
        ValueError: the endpoint is of another kind, or its path is not absolute.
    """
    path = endpoint.removeprefix("unix://").removeprefix("unix:")
    if not path.startswith("/"):
        raise ValueError(f"runtime endpoint {endpoint!r}: must be an absolute path or unix:// and an absolute path")
    return path
