"""
The seam between the engine and a container runtime: what a node loop may ask, and the values it gets back.

Two halves. `ImageRuntime` is CRI's ImageService, which every runtime has. `Downloads` is what only containerd's own
API tells (bytes in flight, unpacking, partial downloads held over attempts, removals as they happen); where a runtime
has none, `ImageRuntime.downloads` is None and progress is elapsed time alone.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

import msgspec

from daemon.api.credential import Credential


class Stage(StrEnum):
    """What a running pull does now."""

    DOWNLOADING = "Downloading"
    UNPACKING = "Unpacking"


class RuntimeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What answers at the socket, such as containerd 2.3.7."""

    name: str
    version: str

    def __str__(self) -> str:
        """Write it as a Node's status does: containerd://2.3.7, with no `v` before the number."""
        return f"{self.name}://{self.version.removeprefix('v')}"


class LocalImage(msgspec.Struct, frozen=True, kw_only=True):
    """
    An image on this node, as CRI's ImageStatus tells it.

    `id` is the config's digest, `repo_tags` and `repo_digests` are full references, `size_bytes` the size on disk.
    """

    id: str
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    size_bytes: int
    pinned: bool = False


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One PullImage: the full reference to ask for, the credential (None: anonymous), and the sandbox settings."""

    image: str
    credential: Credential | None = None
    sandbox_labels: dict[str, str] = {}
    sandbox_annotations: dict[str, str] = {}
    namespace: str = ""


class PullCall(Protocol):
    """One PullImage under way in the runtime."""

    def result(self, *, timeout_seconds: float) -> str:
        """
        Wait for the end and return the image's ID or reference as the runtime names it.

        Raises:
            TimeoutError: it still runs after timeout_seconds; ask again.
            CriError: see runtime/errors.py for what it ended with (PullCancelled after `cancel`).
        """
        ...

    def cancel(self) -> None:
        """Cancel the call, which cancels the pull in the runtime; safe from any thread, any number of times."""
        ...


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """
    How far one pull is.

    bytes_total is 0 until the manifest is known. `digest` is the manifest's (of the platform), "" until known.
    `bytes_per_second` and `eta_seconds` are None until there is enough to tell.
    """

    stage: Stage
    bytes_done: int = 0
    bytes_total: int = 0
    layers_unpacked: int = 0
    layers_total: int = 0
    bytes_per_second: float | None = None
    eta_seconds: float | None = None
    digest: str = ""


class Follower(Protocol):
    """
    Follows one pull; not thread-safe, belongs to the pull's worker.

    `is_resumed` tells whether its hold was there before, with what an earlier attempt fetched.
    """

    is_resumed: bool

    def sample(self) -> Progress | None:
        """Ask the runtime once how far the pull is; None where it can't be told."""
        ...

    def close(self) -> None:
        """End following, after the pull has ended; never raises. What was fetched stays in the hold until released."""
        ...


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """
    A lease of ours that keeps the partial download of one image.

    `is_own` where this process made it, `is_new` where it did so just now and there was nothing to go on from.
    """

    image: str
    role: str
    lease_id: str
    is_own: bool = False
    is_new: bool = False


class Downloads(Protocol):
    """What containerd's own API adds. Every call may raise a CriError and shows its timeout inside."""

    def follow(self, image: str, *, role: str) -> Follower:
        """
        Begin to follow the pull of `image` that is started next; opens or renews its hold.

        Call it before `ImageRuntime.pull`: each pull of the image that starts while the follower is open runs inside
        the hold, which is how the runtime keeps what it fetches and how the follower knows what belongs to the pull.
        """
        ...

    def held(self, *, role: str) -> tuple[Hold, ...]:
        """List the holds of a role ("agent" or "run"), from before a restart too."""
        ...

    def release(self, image: str, *, role: str, is_awaited: bool = True) -> None:
        """
        Delete the image's holds; absent is fine.

        Awaited, it returns when the runtime has dropped what nothing else keeps, which takes a garbage collection.
        """
        ...

    def removals(self) -> Iterator[str]:
        """
        Subscribe at once, and yield each name that is removed: an image's tag, its digest reference and its ID apart.

        Ends when the stream breaks (subscribe again and look for what was missed) or `close_removals` is called.
        """
        ...

    def close_removals(self) -> None:
        """End a running `removals` from another thread, and any that would follow."""
        ...


class ImageFilesystem(msgspec.Struct, frozen=True, kw_only=True):
    """Space of the filesystem that holds images, in bytes."""

    mountpoint: str
    total_bytes: int
    free_bytes: int


class ImageRuntime(Protocol):
    """CRI's ImageService of one runtime. All calls are thread-safe."""

    @property
    def endpoint(self) -> str:
        """The socket, as `unix:///path`."""
        ...

    @property
    def downloads(self) -> Downloads | None:
        """What only containerd tells; None at another runtime, and as long as the runtime has not yet answered."""
        ...

    def version(self) -> RuntimeVersion:
        """Ask who answers."""
        ...

    def image_status(self, image: str) -> LocalImage | None:
        """Return the image, or None where it is absent."""
        ...

    def images(self) -> tuple[LocalImage, ...]:
        """List every image."""
        ...

    def pull(self, request: PullRequest) -> PullCall:
        """Start a PullImage and return at once."""
        ...

    def remove(self, image: str) -> None:
        """Remove an image by any of its names; absent is fine."""
        ...

    def filesystem(self) -> ImageFilesystem:
        """Tell the free space where images are kept."""
        ...

    def close(self) -> None:
        """Cancel what runs and close the connection."""
        ...
