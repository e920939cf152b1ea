"""
The meter of one pull: readings in, what a person sees out. Pure; time is an argument.

It promises: within one image bytes and layers never go backwards and never exceed the total, and an ETA is never
negative. Reading the runtime is left to follower.py.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from daemon.runtime.interface import Progress, Stage


# Long enough to bridge a layer that starts slowly, short enough to follow a link that gets better.
WINDOW_SECONDS = 10.0
# containerd writes a layer by the mebibyte, so on a slow link bytes come in steps; a rate needs several of them.
WINDOW_STEPS = 5
# A rate over less than this is noise.
LEAST_SECONDS = 1.0
# What unpacking is taken for until it was seen once: an SSD with gzip layers.
SUPPOSED_BYTES_PER_SECOND = 80e6


class LayerReading(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as the runtime has it now; a blob that stands twice in a manifest has its size once."""

    size_bytes: int
    bytes_done: int
    is_unpacked: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A pull as the runtime has it now: the platform's manifest, its layers from the base up, and its config."""

    digest: str
    layers: tuple[LayerReading, ...]
    config: LayerReading = LayerReading(size_bytes=0, bytes_done=0)

    @property
    def bytes_total(self) -> int:
        """What the manifest says that there is to fetch."""
        return self.config.size_bytes + sum(layer.size_bytes for layer in self.layers)

    @property
    def bytes_done(self) -> int:
        """What is there of it, each blob capped by its size."""
        return sum(min(blob.bytes_done, blob.size_bytes) for blob in (self.config, *self.layers))


class UnpackSpeed:
    """How fast this node unpacks, in bytes of layers as they travel; learned over pulls, and shared between them."""

    def __init__(self) -> None:
        self._seen = (SUPPOSED_BYTES_PER_SECOND, 1.0)

    @property
    def bytes_per_second(self) -> float:
        """The mean so far; the supposed speed counts as one second seen."""
        seen_bytes, seen_seconds = self._seen
        return seen_bytes / seen_seconds

    def learn(self, unpacked_bytes: int, *, seconds: float) -> None:
        """Add what was seen. Two threads at once may lose one of two additions, which a mean forgives."""
        seen_bytes, seen_seconds = self._seen
        self._seen = (seen_bytes + unpacked_bytes, seen_seconds + seconds)


class Meter:
    """Turns readings of one pull into progress; readings come in the order of their times."""

    def __init__(self, speed: UnpackSpeed) -> None:
        self._speed = speed
        self._last: Reading | None = None
        self._last_seconds = 0.0
        self._bytes_done = 0
        self._unpacked = 0
        self._unpacking_seconds = 0.0
        self._steps: deque[tuple[float, int]] = deque()

    def progress(self, reading: Reading, *, now_seconds: float) -> Progress:
        """Take a reading and return how far the pull is; another manifest than before begins from nothing."""
        if self._last is None or self._last.digest != reading.digest:
            self._begin()
        self._watch_unpacking(reading, now_seconds=now_seconds)
        self._step(reading.bytes_done, now_seconds=now_seconds)
        self._unpacked = max(self._unpacked, sum(layer.is_unpacked for layer in reading.layers))
        self._last, self._last_seconds = reading, now_seconds
        return self._shown(reading)

    def _begin(self) -> None:
        self._last = None
        self._bytes_done = 0
        self._unpacked = 0
        self._unpacking_seconds = 0.0
        self._steps.clear()

    def _step(self, bytes_done: int, *, now_seconds: float) -> None:
        """Remember when bytes came; those of the first reading were there before."""
        if self._last is None:
            self._bytes_done = bytes_done
        elif bytes_done > self._bytes_done:
            self._bytes_done = bytes_done
            self._steps.append((now_seconds, bytes_done))
        while len(self._steps) > WINDOW_STEPS and self._steps[1][0] <= now_seconds - WINDOW_SECONDS:
            self._steps.popleft()

    def _watch_unpacking(self, reading: Reading, *, now_seconds: float) -> None:
        """Measure a layer's unpacking from when it could begin, and learn once it has ended."""
        if self._last is None:
            return
        if _next_to_unpack(self._last) is not None:
            self._unpacking_seconds += now_seconds - self._last_seconds
        ended = [new.size_bytes for old, new in zip(self._last.layers, reading.layers, strict=True) if _ends(old, new)]
        if ended and self._unpacking_seconds:
            self._speed.learn(sum(ended), seconds=self._unpacking_seconds)
        if ended:
            self._unpacking_seconds = 0.0

    def _shown(self, reading: Reading) -> Progress:
        is_fetched = self._bytes_done >= reading.bytes_total
        rate = self._rate(self._last_seconds)
        return Progress(
            stage=Stage.UNPACKING if is_fetched else Stage.DOWNLOADING,
            bytes_done=self._bytes_done,
            bytes_total=reading.bytes_total,
            layers_unpacked=self._unpacked,
            layers_total=len(reading.layers),
            bytes_per_second=rate,
            eta_seconds=self._eta(reading, rate=rate, is_fetched=is_fetched),
            digest=reading.digest,
        )

    def _rate(self, now_seconds: float) -> float | None:
        """Return the rate of the window's steps; a step that is overdue makes it smaller, and at last nothing."""
        if len(self._steps) < 2:  # noqa: PLR2004 a rate is between two
            return None
        points = [*self._steps]
        gap_seconds = (points[-1][0] - points[0][0]) / (len(points) - 1)
        silent_seconds = now_seconds - points[-1][0]
        if silent_seconds > max(WINDOW_SECONDS, WINDOW_STEPS * gap_seconds):
            return 0.0
        if silent_seconds > 2 * gap_seconds:
            points.append((now_seconds, self._bytes_done))
        return _slope(points) if points[-1][0] - points[0][0] >= LEAST_SECONDS else None

    def _eta(self, reading: Reading, *, rate: float | None, is_fetched: bool) -> float | None:
        """Walk the layers in order: each is unpacked once it has arrived and the one below it is done."""
        if not is_fetched and not rate:
            return None
        missing_bytes = 0
        ends_at = 0.0
        spent = self._unpacking_seconds
        for layer in reading.layers:
            missing_bytes += max(0, layer.size_bytes - layer.bytes_done)
            if not layer.is_unpacked:
                arrives_at = missing_bytes / rate if rate else 0.0
                ends_at = max(ends_at, arrives_at) + _left(layer.size_bytes / self._speed.bytes_per_second, spent=spent)
                spent = 0.0
        return max(ends_at, (reading.bytes_total - self._bytes_done) / rate if rate else 0.0)


def _slope(points: Sequence[tuple[float, int]]) -> float:
    """Return the slope of the line that fits best: layers fetched side by side come in bursts, which ends overrate."""
    mean_seconds = sum(at for at, _ in points) / len(points)
    mean_bytes = sum(count for _, count in points) / len(points)
    spread = sum((at - mean_seconds) ** 2 for at, _ in points)
    return sum((at - mean_seconds) * (count - mean_bytes) for at, count in points) / spread


def _next_to_unpack(reading: Reading) -> LayerReading | None:
    """Return the layer that is being unpacked: the lowest that is not, if it has arrived."""
    lowest = next((layer for layer in reading.layers if not layer.is_unpacked), None)
    return lowest if lowest is not None and lowest.bytes_done >= lowest.size_bytes else None


def _ends(old: LayerReading, new: LayerReading) -> bool:
    return new.is_unpacked and not old.is_unpacked


def _left(seconds: float, *, spent: float) -> float:
    """Return what is left of a step that takes longer than thought: never less than a tenth."""
    return max(seconds - spent, seconds / 10)
