"""
A CRI runtime that answers as a test says, on a real Unix socket: for what a real one can't be made to do.

It speaks the wire through grpc's own server, so no stub is patched.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from daemon.runtime.wire import cri_pb2


Answer = Callable[[Any, grpc.ServicerContext], Any]

_REQUESTS: dict[str, type[Message]] = {
    "RuntimeService/Version": cri_pb2.VersionRequest,
    "ImageService/ImageFsInfo": cri_pb2.ImageFsInfoRequest,
    "ImageService/ImageStatus": cri_pb2.ImageStatusRequest,
    "ImageService/ListImages": cri_pb2.ListImagesRequest,
    "ImageService/PullImage": cri_pb2.PullImageRequest,
    "ImageService/RemoveImage": cri_pb2.RemoveImageRequest,
}


class ScriptedRuntime:
    """A runtime at `socket`; each method that has an answer in `answers` is there, every other is UNIMPLEMENTED."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answers: dict[str, Answer] = {
            "RuntimeService/Version": lambda _request, _context: cri_pb2.VersionResponse(
                runtime_name="scripted", runtime_version="1.0"
            ),
            "ImageService/ImageFsInfo": lambda _request, _context: cri_pb2.ImageFsInfoResponse(),
        }
        self.seen: list[Any] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self._server: grpc.Server | None = None

    def start(self) -> None:
        """Listen, again after `stop`."""
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
        server.add_generic_rpc_handlers((_Handlers(self),))
        server.add_insecure_port(f"unix:{self.socket}")
        server.start()
        self._server = server

    def stop(self) -> None:
        """Stop at once: every call under way breaks."""
        if self._server is not None:
            self._server.stop(grace=None).wait(10)
            self._server = None


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, runtime: ScriptedRuntime) -> None:
        self._runtime = runtime

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        name = handler_call_details.method.removeprefix("/runtime.v1.")
        answer = self._runtime.answers.get(name)
        if answer is None:
            return None

        def handle(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - any message of the wire
            self._runtime.seen.append(request)
            self._runtime.metadata.append(dict(context.invocation_metadata()))
            return answer(request, context)

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=_REQUESTS[name].FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name; pytest's own can exceed the 107 bytes of a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="cri-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Gate:
    """Lets a scripted answer wait until a test says so; `reached` is set when a call waits."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.left = threading.Event()

    def wait(self, context: grpc.ServicerContext) -> None:
        """Wait for the test, or for the client to give up."""
        context.add_callback(self.left.set)
        context.add_callback(self.opened.set)
        self.reached.set()
        self.opened.wait(30)
