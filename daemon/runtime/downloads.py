"""
What containerd's own API adds to CRI: progress, holds and removals, as one `Downloads`.

A followed pull runs inside the lease of its hold. That is gRPC metadata on PullImage (`containerd-lease`), which
containerd's CRI plugin passes on to everything it does for the call, so the pull makes no lease of its own and our
lease gets each ingest, blob and snapshot in the transaction that creates it: nothing is lost between two samples, on a
cut link or on our own sudden death, and a pull is told apart from all others. Tried on containerd 1.6.20 and 2.3.7.
A runtime that ignored the header would pull as ever, and show neither bytes nor a hold.
"""

import threading
from collections.abc import Callable, Iterator

import grpc

from daemon.clock import Clock
from daemon.images import InvalidReference, parse_reference
from daemon.runtime.content import ContentStore
from daemon.runtime.errors import CallTimeout, CriError, RuntimeDown
from daemon.runtime.events import Removals
from daemon.runtime.follower import LeaseFollower
from daemon.runtime.holds import Holds
from daemon.runtime.interface import Follower, Hold, Progress
from daemon.runtime.meter import Meter, UnpackSpeed


LEASE_HEADER = "containerd-lease"


class ContainerdDownloads:
    """See interface.Downloads. `snapshotter` is asked when it is first needed, until it has said one."""

    def __init__(self, channel: grpc.Channel, *, snapshotter: Callable[[], str], clock: Clock) -> None:
        self._holds = Holds(channel, clock=clock)
        self._content = ContentStore(channel)
        self._removals = Removals(channel)
        self._ask_snapshotter = snapshotter
        self._snapshotter = ""
        self._clock = clock
        self._speed = UnpackSpeed()
        self._lock = threading.Lock()
        self._leases: dict[str, str] = {}

    def follow(self, image: str, *, role: str) -> Follower:
        """
        Open or renew the image's hold and follow the pull of it that is started next.

        Until the follower is closed, each pull of the image runs inside the hold's lease. Where containerd refuses a
        lease (its disk is full, say), the pull shall go on and tell why: the follower then has nothing to tell.

        Raises:
            RuntimeDown, CallTimeout: containerd is away.
        """
        name = _name(image)
        try:
            hold = self._holds.open(name, role=role)
            self._snapshotter = self._snapshotter or self._ask_snapshotter()
        except (RuntimeDown, CallTimeout):
            raise
        except CriError:
            return BlindFollower()
        with self._lock:
            self._leases[name] = hold.lease_id
        return LeaseFollower(
            hold,
            digest=_digest(name),
            snapshotter=self._snapshotter,
            content=self._content,
            holds=self._holds,
            meter=Meter(self._speed),
            clock=self._clock,
            on_close=lambda: self._forget(name),
        )

    def held(self, *, role: str) -> tuple[Hold, ...]:
        """List the holds of a role, from before a restart too."""
        return self._holds.of_role(role)

    def release(self, image: str, *, role: str, is_awaited: bool = True) -> None:
        """Delete the image's holds; its pull must have ended."""
        self._holds.release(_name(image), role=role, is_awaited=is_awaited)

    def removals(self) -> Iterator[str]:
        """Subscribe at once and yield the name of each image that is removed from now on."""
        return self._removals.subscribe()

    def close_removals(self) -> None:
        """End a running `removals` from another thread, and any that would follow."""
        self._removals.close()

    def pull_metadata(self, image: str) -> tuple[tuple[str, str], ...]:
        """Return what a PullImage of `image` must carry: its hold's lease while it is followed, else nothing."""
        with self._lock:
            lease_id = self._leases.get(_name(image))
        return ((LEASE_HEADER, lease_id),) if lease_id else ()

    def _forget(self, name: str) -> None:
        with self._lock:
            self._leases.pop(name, None)


class BlindFollower:
    """Follows a pull that has no lease: it can't tell how far it is."""

    is_resumed = False

    def sample(self) -> Progress | None:
        """Return None."""
        return None

    def close(self) -> None:
        """Do nothing."""


def _name(image: str) -> str:
    """Return the one full name of an image, so that a hold is found by whichever name its caller uses."""
    try:
        return parse_reference(image).full
    except InvalidReference:
        return image


def _digest(name: str) -> str:
    return name.partition("@")[2]
