"""
What can happen to a node, as the messages that its loop reads.

Every other thread speaks to the loop through these, and through nothing else.
"""

import msgspec

from daemon.node.task import AttemptEnd
from daemon.node.wanted import Key, Wanted
from daemon.runtime.interface import Progress


class WantedChanged(msgspec.Struct, frozen=True):
    """Something else is wanted from now on."""

    wanted: Wanted


class PullBegan(msgspec.Struct, frozen=True):
    """Worker `serial` asks the registry."""

    key: Key
    serial: int


class PullProgressed(msgspec.Struct, frozen=True):
    """Worker `serial`'s pull is this far."""

    key: Key
    serial: int
    progress: Progress


class AttemptEnded(msgspec.Struct, frozen=True):
    """Worker `serial` has ended, after its pull has and its hold is released where it had to be."""

    key: Key
    serial: int
    end: AttemptEnd


class ImageRemoved(msgspec.Struct, frozen=True):
    """The runtime removed an image under this name."""

    name: str


class ImageLost(msgspec.Struct, frozen=True):
    """A look at the runtime found a standing image absent, which had been lost `evictions` times before."""

    key: Key
    version: int
    evictions: int


class ImageSeen(msgspec.Struct, frozen=True):
    """A look at the runtime found `image_id` (`repository@id`) where the task told `told_id`."""

    key: Key
    told_id: str
    image_id: str


class PresenceDoubted(msgspec.Struct, frozen=True):
    """Removals may have been missed: every standing image needs a look."""


class RuntimeMissed(msgspec.Struct, frozen=True):
    """A call found the runtime away; `problem` is why, in its words."""

    problem: str


class RuntimeMet(msgspec.Struct, frozen=True):
    """The runtime has said what it is (containerd://2.3.7): whoever asked it, it answers."""

    runtime: str


class RuntimeAnswered(msgspec.Struct, frozen=True):
    """The probe of a runtime that was away has its answer."""

    runtime: str


class OrphansReleased(msgspec.Struct, frozen=True):
    """Nothing is held any more of what an earlier process wanted and nobody wants now."""


class Stopped(msgspec.Struct, frozen=True):
    """The loop should cancel what runs and end."""


class Crashed(msgspec.Struct, frozen=True):
    """A thread met an error that nobody foresaw; the loop ends with it."""

    thread: str
    error: BaseException
    serial: int | None = None


Message = (
    WantedChanged
    | PullBegan
    | PullProgressed
    | AttemptEnded
    | ImageRemoved
    | ImageLost
    | ImageSeen
    | PresenceDoubted
    | RuntimeMissed
    | RuntimeMet
    | RuntimeAnswered
    | OrphansReleased
    | Stopped
    | Crashed
)
