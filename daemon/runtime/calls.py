"""
The border that no gRPC type crosses: each call's failure becomes an error of errors.py, the original chained.

What the error means is decided in classify.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from daemon.runtime.classify import call_error
from daemon.runtime.redact import redact


UNARY_TIMEOUT_SECONDS = 4.0
# Where the kubelet's images live in containerd; each of its own services asks for it.
CONTAINERD_METADATA = (("containerd-namespace", "k8s.io"),)


@contextmanager
def called(*, image: str = "") -> Iterator[None]:
    """
    Translate what a unary or streaming call inside raises.

    Raises:
        CriError: RuntimeDown, CallTimeout, Unsupported or Absent by the code, else CriError itself.
    """
    try:
        yield
    except grpc.RpcError as error:
        code, words = failure(error)
        raise call_error(code, shown=redact(words) or code.name, image=image) from error
    except ValueError as error:  # what grpc raises on a closed channel
        raise call_error(
            grpc.StatusCode.UNAVAILABLE, shown="the connection to the runtime is closed", image=image
        ) from error


def failure(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    """Return the code and the runtime's words of a failed call."""
    return error.code(), error.details() or ""
