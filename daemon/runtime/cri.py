"""
CRI's ImageService as verbs that take and return values.

What only containerd tells (progress, holds, removals) is in downloads.py; what an error means, in classify.py.
"""

import uuid
from contextlib import suppress

import grpc

from daemon.api.credential import Credential
from daemon.clock import Clock
from daemon.runtime.calls import UNARY_TIMEOUT_SECONDS, called, failure
from daemon.runtime.classify import pull_error
from daemon.runtime.downloads import ContainerdDownloads
from daemon.runtime.errors import CriError, PullCancelled
from daemon.runtime.interface import Downloads, ImageFilesystem, LocalImage, PullRequest, RuntimeVersion
from daemon.runtime.redact import redact
from daemon.runtime.space import filesystem_of
from daemon.runtime.wire import cri_pb2, cri_pb2_grpc


LIST_TIMEOUT_SECONDS = 10.0
# A leak guard alone: the attempt's own timeout is the caller's, and cancels.
PULL_CEILING_SECONDS = 18 * 3600.0
CONTAINERD = "containerd"
SNAPSHOTTER_FOLDER = "/io.containerd.snapshotter.v1."
# OpenKruise's daemon marks its pulls so, and people's runtimes and policies look for it.
PULLING_BY = {"apps.kruise.io/pulling-image-by": "kruise-daemon"}


class CriRuntime:
    """One runtime behind one channel; thread-safe, and usable while the runtime is away (calls raise RuntimeDown)."""

    def __init__(self, channel: grpc.Channel, *, endpoint: str, clock: Clock) -> None:
        self._channel = channel
        self._endpoint = endpoint
        self._images = cri_pb2_grpc.ImageServiceStub(channel)
        self._runtime = cri_pb2_grpc.RuntimeServiceStub(channel)
        self._containerd_downloads = ContainerdDownloads(channel, snapshotter=self._snapshotter, clock=clock)
        self._is_containerd: bool | None = None

    @property
    def endpoint(self) -> str:
        """The socket, as `unix:///path`."""
        return self._endpoint

    @property
    def downloads(self) -> Downloads | None:
        """What only containerd tells; None at another runtime, and until the runtime has said once which it is."""
        if self._is_containerd is None:
            with suppress(CriError):
                self.version()
        return self._containerd_downloads if self._is_containerd else None

    def version(self) -> RuntimeVersion:
        """Ask who answers."""
        with called():
            answer = self._runtime.Version(cri_pb2.VersionRequest(), timeout=UNARY_TIMEOUT_SECONDS)
        self._is_containerd = answer.runtime_name == CONTAINERD
        return RuntimeVersion(name=answer.runtime_name, version=answer.runtime_version)

    def image_status(self, image: str) -> LocalImage | None:
        """Return the image, or None where it is absent."""
        request = cri_pb2.ImageStatusRequest(image=_spec(image))
        with called(image=image):
            answer = self._images.ImageStatus(request, timeout=UNARY_TIMEOUT_SECONDS)
        return _local(answer.image) if answer.HasField("image") else None

    def images(self) -> tuple[LocalImage, ...]:
        """List every image."""
        with called():
            answer = self._images.ListImages(cri_pb2.ListImagesRequest(), timeout=LIST_TIMEOUT_SECONDS)
        return tuple(_local(image) for image in answer.images)

    def pull(self, request: PullRequest) -> "RunningPull":
        """Start a PullImage and return at once; followed, it runs inside its hold's lease (downloads.py)."""
        message = _pull_request(request)
        metadata = self._containerd_downloads.pull_metadata(request.image)
        with called(image=request.image):
            future = self._images.PullImage.future(message, timeout=PULL_CEILING_SECONDS, metadata=metadata)
        return RunningPull(future, request)

    def remove(self, image: str) -> None:
        """Remove an image by any of its names; absent is fine."""
        with called(image=image):
            self._images.RemoveImage(cri_pb2.RemoveImageRequest(image=_spec(image)), timeout=LIST_TIMEOUT_SECONDS)

    def filesystem(self) -> ImageFilesystem:
        """Tell the free space where images are kept."""
        return filesystem_of(self._mountpoint())

    def close(self) -> None:
        """Cancel what runs and close the connection."""
        self._channel.close()

    def _mountpoint(self) -> str:
        with called():
            answer = self._images.ImageFsInfo(cri_pb2.ImageFsInfoRequest(), timeout=UNARY_TIMEOUT_SECONDS)
        return next((used.fs_id.mountpoint for used in answer.image_filesystems), "")

    def _snapshotter(self) -> str:
        """Name the snapshotter by the folder that containerd keeps it in; "" where it is another."""
        return self._mountpoint().partition(SNAPSHOTTER_FOLDER)[2]


class RunningPull:
    """One PullImage under way; see interface.PullCall."""

    def __init__(self, future: "grpc.Future[cri_pb2.PullImageResponse]", request: PullRequest) -> None:
        self._future = future
        self._image = request.image
        self._credential = request.credential

    def result(self, *, timeout_seconds: float) -> str:
        """
        Wait for the end and return the image's ID or reference as the runtime names it.

        Raises:
            TimeoutError: it still runs after timeout_seconds; ask again.
            PullCancelled: it was cancelled by us.
            PullRejected: the runtime ended it, and says why.
            RuntimeDown: the runtime went away meanwhile.
        """
        try:
            return self._future.result(timeout=timeout_seconds).image_ref
        except grpc.FutureTimeoutError as error:
            raise TimeoutError(f"{self._image}: still pulling after {timeout_seconds:g} s") from error
        except grpc.FutureCancelledError as error:
            raise PullCancelled(f"{self._image}: cancelled", image=self._image) from error
        except grpc.RpcError as error:
            raise self._rejected(error) from error

    def cancel(self) -> None:
        """Cancel the call, which cancels the pull in the runtime; safe from any thread, any number of times."""
        self._future.cancel()

    def _rejected(self, error: grpc.RpcError) -> CriError:
        code, words = failure(error)
        shown = redact(words, credential=self._credential)
        return pull_error(code, words, shown=shown, image=self._image)


def _spec(image: str) -> cri_pb2.ImageSpec:
    return cri_pb2.ImageSpec(image=image, user_specified_image=image)


def _local(image: cri_pb2.Image) -> LocalImage:
    return LocalImage(
        id=image.id,
        repo_tags=tuple(image.repo_tags),
        repo_digests=tuple(image.repo_digests),
        size_bytes=image.size,
        pinned=image.pinned,
    )


def _pull_request(request: PullRequest) -> cri_pb2.PullImageRequest:
    return cri_pb2.PullImageRequest(
        image=_spec(request.image),
        auth=_auth(request.credential) if request.credential else None,
        sandbox_config=_sandbox(request),
    )


def _auth(credential: Credential) -> cri_pb2.AuthConfig:
    return cri_pb2.AuthConfig(
        username=credential.username, password=credential.password, identity_token=credential.identity_token
    )


def _sandbox(request: PullRequest) -> cri_pb2.PodSandboxConfig:
    """Describe a Pod that never runs; without one containerd ignores a runtime handler and some runtimes crash."""
    return cri_pb2.PodSandboxConfig(
        metadata=cri_pb2.PodSandboxMetadata(name="prewarm", uid=str(uuid.uuid4()), namespace=request.namespace),
        labels=request.sandbox_labels,
        annotations={**request.sandbox_annotations, **PULLING_BY},
    )
