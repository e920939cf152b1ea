"""
A pull over a slow link, watched from both ends: what a person was shown, and what the registry had sent by then.

progress.py and eta.py ask it different questions.
"""

import bisect
from collections.abc import Iterator, Sequence

import msgspec

from bench import shown
from bench.figure import show
from bench.shown import Shown
from bench.stage import MB, Stage, make_cold
from tests.servers.containerd import Containerd
from tests.servers.images import PushedImage
from tests.servers.layers import Compression, Layer
from tests.servers.traffic import Traffic


LINK_BYTES_PER_SECOND = 8 * MB
# As images are: a large base with many files, and smaller ones on it.
LAYERS_BYTES = (40 * MB, 25 * MB, 15 * MB, 10 * MB, 5 * MB, 1 * MB)
FILES_PER_MB = 20
RUNS = 3
STEP_SECONDS = 0.01


class Instant(msgspec.Struct, frozen=True, kw_only=True):
    """What was true and what was shown at one time (monotonic seconds), in bytes of the image's blobs."""

    at: float
    sent_bytes: int
    shown_bytes: int


class SlowPull(msgspec.Struct, frozen=True, kw_only=True):
    """
    One pull: every event that was shown until the image was there, and both ends of it each STEP_SECONDS.

    `ended_at` is when it was there, in monotonic seconds.
    """

    shown: tuple[Shown, ...]
    ended_at: float
    instants: tuple[Instant, ...]

    @property
    def total_bytes(self) -> int:
        """What the registry has sent for it in the end."""
        return self.instants[-1].sent_bytes

    @property
    def bytes_per_second(self) -> float:
        """The rate that the registry really had, from its first byte to its last."""
        under_way = [one.at for one in self.instants if 0 < one.sent_bytes < self.total_bytes]
        return self.total_bytes / (under_way[-1] - under_way[0])


def push(place: Stage) -> PushedImage:
    """Push the image that is pulled."""
    return place.push("slow", layers=[_layer(number, size) for number, size in enumerate(LAYERS_BYTES)])


def slow_pulls(place: Stage, containerd: Containerd, image: PushedImage) -> Iterator[SlowPull]:
    """Pull the image over the limited link, cold each time."""
    size = sum(LAYERS_BYTES) // MB
    show(f"== containerd {containerd.binaries.version}: {size} MB at {LINK_BYTES_PER_SECOND // MB} MB/s")
    proxy = place.proxy()
    proxy.limit(LINK_BYTES_PER_SECOND)
    for _ in range(RUNS):
        make_cold(containerd)
        before = proxy.traffic.blob_bytes()
        pulled = shown.pull(containerd.endpoint, image.at(proxy.host).reference, folder=place.folder)
        instants = tuple(_instants(pulled, proxy.traffic, before=before))
        yield SlowPull(shown=pulled[:-1], ended_at=pulled[-1].at, instants=instants)


def _instants(pulled: Sequence[Shown], traffic: Traffic, *, before: int) -> Iterator[Instant]:
    """Go through the pull in small steps: what stays on the screen gets older until the next event, or the end."""
    steps = int((pulled[-1].at - pulled[0].at) / STEP_SECONDS)
    for at in (pulled[0].at + step * STEP_SECONDS for step in range(steps)):
        newest = pulled[bisect.bisect_right(pulled, at, key=lambda one: one.at) - 1]
        sent_bytes = traffic.blob_bytes(at) - before
        yield Instant(at=at, sent_bytes=sent_bytes, shown_bytes=newest.event.bytes_done)


def _layer(number: int, size: int) -> Layer:
    files = max(1, size * FILES_PER_MB // MB)
    return Layer(size_bytes=size, seed=number, files=files, compression=Compression.GZIP)
