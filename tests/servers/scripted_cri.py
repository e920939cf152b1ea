"""
A container runtime that does what the test says: CRI on a real Unix socket, with gates in front of its pulls.

For what a real runtime can't be made to do on time: be in the midst of a pull, refuse with these words, freeze, die. It
has none of containerd's own services. A pull is done at once unless its image is held:

    with ScriptedCri(folder / "cri.sock") as cri:
        cri.hold("registry.example/app:v1")
        ...
        cri.finish("registry.example/app:v1")
"""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import msgspec
from google.protobuf.message import Message

from daemon.runtime.wire import cri_pb2


DEADLINE_SECONDS = 20.0
THREADS = 40

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)


class Refusal(msgspec.Struct, frozen=True):
    """What a pull is refused with."""

    code: grpc.StatusCode
    words: str


class Pull(msgspec.Struct, kw_only=True):
    """One PullImage that came in; `is_cancelled` once its caller has hung up, or the runtime was killed."""

    image: str
    username: str = ""
    password: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    is_held: bool = False
    is_ended: bool = False
    is_cancelled: bool = False
    refusal: Refusal | None = None


class ScriptedCri:
    """
    One scripted runtime, serving while it is entered; every method is for any thread.

    `mountpoint` is where it says that images are kept.
    """

    def __init__(self, socket: Path) -> None:
        self.endpoint = f"unix://{socket}"
        self.pulls: list[Pull] = []
        self.most_at_once = 0
        self.mountpoint = "/"
        self._changed = threading.Condition()
        self._pushed: dict[str, int] = {}
        self._images: dict[str, int] = {}
        self._held: set[str] = set()
        self._refusals: dict[str, list[Refusal]] = {}
        self._passwords: dict[str, str] = {}
        self._is_frozen = False
        self._server: grpc.Server | None = None

    def __enter__(self) -> Self:
        """Serve."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cut every call and end."""
        self.kill()

    def start(self) -> None:
        """Serve, also again after `kill`; images stay."""
        self._server = grpc.server(ThreadPoolExecutor(max_workers=THREADS))
        self._server.add_generic_rpc_handlers(self._services())
        self._server.add_insecure_port(self.endpoint)
        self._server.start()

    def kill(self) -> None:
        """End at once, cutting every call."""
        self.thaw()
        if self._server is not None:
            self._server.stop(grace=None).wait(timeout=DEADLINE_SECONDS)
            self._server = None

    def freeze(self) -> None:
        """Answer nothing any more, with the socket open."""
        self._is_frozen = True

    def thaw(self) -> None:
        """Answer again."""
        with self._changed:
            self._is_frozen = False
            self._changed.notify_all()

    def hold(self, *images: str) -> None:
        """Let the coming pulls of these images wait, each for its `finish` or `fail`."""
        with self._changed:
            self._held.update(images)

    def finish(self, image: str) -> None:
        """Let the held pull of an image be done; the next is held again."""
        self._let_go(image, refusal=None)

    def fail(self, image: str, *, code: grpc.StatusCode, words: str) -> None:
        """Refuse the held pull of an image; the next is held again."""
        self._let_go(image, refusal=Refusal(code, words))

    def refuse(self, image: str, *, code: grpc.StatusCode, words: str, times: int = 1) -> None:
        """Refuse the next pulls of an image."""
        with self._changed:
            self._refusals.setdefault(image, []).extend([Refusal(code, words)] * times)

    def demand(self, image: str, *, password: str) -> None:
        """Refuse every pull of an image that brings another password, in words that repeat what it brought."""
        with self._changed:
            self._passwords[image] = password

    def push(self, image: str) -> None:
        """Have the registry serve another content under this name from now on."""
        with self._changed:
            self._pushed[image] = self._pushed.get(image, 0) + 1

    def remove(self, image: str) -> None:
        """Remove an image, as the kubelet's garbage collection does."""
        with self._changed:
            self._images.pop(image, None)

    def running(self) -> list[Pull]:
        """List the pulls that are under way."""
        with self._changed:
            return [pull for pull in self.pulls if not pull.is_ended]

    def wait_until(self, condition: Callable[[], bool], *, what: str) -> None:
        """Wait until a condition on this runtime holds; it is asked again after each thing that happens here."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout=DEADLINE_SECONDS):
                raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {what}; pulls: {self.pulls}")

    def _let_go(self, image: str, *, refusal: Refusal | None) -> None:
        with self._changed:
            pull = next(pull for pull in self.pulls if pull.image == image and pull.is_held)
            pull.is_held, pull.refusal = False, refusal
            self._changed.notify_all()
            self._changed.wait_for(lambda: pull.is_ended, timeout=DEADLINE_SECONDS)

    def _services(self) -> tuple[grpc.GenericRpcHandler, ...]:
        image_service: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "PullImage": _handler(self._pull, cri_pb2.PullImageRequest),
            "ImageStatus": _handler(self._image_status, cri_pb2.ImageStatusRequest),
            "ImageFsInfo": _handler(self._image_fs_info, cri_pb2.ImageFsInfoRequest),
        }
        runtime_service: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Version": _handler(self._version, cri_pb2.VersionRequest)
        }
        return (
            grpc.method_handlers_generic_handler("runtime.v1.ImageService", image_service),
            grpc.method_handlers_generic_handler("runtime.v1.RuntimeService", runtime_service),
        )

    def _version(self, _request: cri_pb2.VersionRequest, context: grpc.ServicerContext) -> cri_pb2.VersionResponse:
        self._wait_while_frozen(context)
        return cri_pb2.VersionResponse(runtime_name="scripted", runtime_version="1")

    def _image_fs_info(
        self, _request: cri_pb2.ImageFsInfoRequest, context: grpc.ServicerContext
    ) -> cri_pb2.ImageFsInfoResponse:
        self._wait_while_frozen(context)
        usage = cri_pb2.FilesystemUsage(fs_id=cri_pb2.FilesystemIdentifier(mountpoint=self.mountpoint))
        return cri_pb2.ImageFsInfoResponse(image_filesystems=[usage])

    def _image_status(
        self, request: cri_pb2.ImageStatusRequest, context: grpc.ServicerContext
    ) -> cri_pb2.ImageStatusResponse:
        self._wait_while_frozen(context)
        name = request.image.image
        with self._changed:
            if name not in self._images:
                return cri_pb2.ImageStatusResponse()
            return cri_pb2.ImageStatusResponse(image=_image(name, self._images[name]))

    def _pull(self, request: cri_pb2.PullImageRequest, context: grpc.ServicerContext) -> cri_pb2.PullImageResponse:
        self._wait_while_frozen(context)
        with self._changed:
            pull = self._come_in(request)
            self._changed.notify_all()
            if context.add_callback(lambda: self._hang_up(pull)):
                self._changed.wait_for(lambda: not pull.is_held)
            pull.is_ended = True
            if not pull.is_cancelled and pull.refusal is None:
                self._images[pull.image] = self._pushed.get(pull.image, 0)
            self._changed.notify_all()
        if pull.refusal is not None:
            context.abort(pull.refusal.code, pull.refusal.words)
        return cri_pb2.PullImageResponse(image_ref=pull.image)

    def _come_in(self, request: cri_pb2.PullImageRequest) -> Pull:
        image, password = request.image.image, request.auth.password
        pull = Pull(
            image=image,
            username=request.auth.username,
            password=password,
            labels=dict(request.sandbox_config.labels),
            annotations=dict(request.sandbox_config.annotations),
            is_held=image in self._held,
        )
        if self._passwords.get(image, password) != password:
            words = f"401 Unauthorized: password={password} of {request.auth.username}:{password} is wrong"
            pull.refusal = Refusal(grpc.StatusCode.UNKNOWN, words)
        elif self._refusals.get(image):
            pull.refusal = self._refusals[image].pop(0)
        self.pulls.append(pull)
        self.most_at_once = max(self.most_at_once, sum(1 for one in self.pulls if not one.is_ended))
        return pull

    def _hang_up(self, pull: Pull) -> None:
        """Note that a call is over; where the pull had not ended, its caller has cancelled it."""
        with self._changed:
            pull.is_cancelled = not pull.is_ended
            pull.is_held = False
            self._changed.notify_all()

    def _wait_while_frozen(self, context: grpc.ServicerContext) -> None:
        """Wait until thawed; a call given up meanwhile keeps its thread till then, as in a runtime that hangs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_frozen or not context.is_active())


def _handler(
    serve: Callable[[RequestT, grpc.ServicerContext], ResponseT], request: type[RequestT]
) -> "grpc.RpcMethodHandler[RequestT, ResponseT]":
    return grpc.unary_unary_rpc_method_handler(
        serve, request_deserializer=request.FromString, response_serializer=lambda answer: answer.SerializeToString()
    )


def _image(name: str, content: int) -> cri_pb2.Image:
    """Make up an image: its ID and digest depend on its name and content."""
    digest = f"sha256:{hashlib.sha256(f'{name} {content}'.encode()).hexdigest()}"
    repository = name.rpartition("@" if "@" in name else ":")[0]
    return cri_pb2.Image(id=digest, repo_tags=[name], repo_digests=[f"{repository}@{digest}"], size=1)
