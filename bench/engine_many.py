"""
`engine-many`: 20 images of 20 MB on two slots, against two bare clients that take turns on the same images.

Ours and theirs alternate on the same containerd, A B B A and so on, which is cold before each. Both are measured from
the first call to the last end: ours by the times in its own JSON lines, from the first pull_started to the last
image_pulled. What a process costs to start and to exit is engine-cold's; the seconds of the whole process are printed
above the line all the same.
"""

import statistics
import sys
from collections.abc import Sequence
from datetime import datetime

import msgspec

from bench import bare
from bench.figure import Figure, Judged, conclude, show, show_spread
from bench.stage import CONTAINERDS, MB, Stage, cold_run, layers, make_cold, stage, suffix
from tests.servers.containerd import Containerd


NAME = "engine-many"
BOUND = 1.05
TURNS = 6
IMAGES = 20
SLOTS = 2
LAYERS = 2
LAYER_BYTES = 10 * MB


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds of our run: from first call to last end, and of the whole process."""

    pull_seconds: float
    process_seconds: float


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One run of ours and one of the bare clients, in seconds."""

    ours: Run
    bare_seconds: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours.pull_seconds / self.bare_seconds


class _Line(msgspec.Struct, frozen=True):
    """What is read of a JSON line."""

    time: datetime
    event: str


def main() -> int:
    """Measure on each containerd."""
    with stage() as place:
        images = [
            place.push(f"many-{number}", layers=layers(LAYERS, size_bytes=LAYER_BYTES, seed=number)).reference
            for number in range(1, IMAGES + 1)
        ]
        return conclude([_figure(place, name, images) for name in CONTAINERDS])


def _figure(place: Stage, name: str, images: Sequence[str]) -> Figure:
    containerd = place.containerd(name)
    show(f"== {NAME}, containerd {containerd.binaries.version}: {IMAGES} images of {LAYERS * LAYER_BYTES // MB} MB")
    # The first is a warm-up: page cache, byte code.
    _, *turns = [_turn(place, containerd, images, is_bare_first=not number % 2) for number in range(TURNS + 1)]
    containerd.stop()
    show_spread("two bare clients", [turn.bare_seconds for turn in turns], unit="s")
    show_spread("prewarm run, first call to last end", [turn.ours.pull_seconds for turn in turns], unit="s")
    show_spread("prewarm run, whole process", [turn.ours.process_seconds for turn in turns], unit="s")
    show_spread("ratio of a turn", [turn.ratio for turn in turns], unit="")
    return Figure(
        name=NAME + suffix(name),
        ours=statistics.median(turn.ours.pull_seconds for turn in turns),
        reference=statistics.median(turn.bare_seconds for turn in turns),
        ratio=statistics.median(turn.ratio for turn in turns),
        unit="s",
        bound=BOUND,
        judged=Judged.RATIO,
    )


def _turn(place: Stage, containerd: Containerd, images: Sequence[str], *, is_bare_first: bool) -> Turn:
    """Pull all images once by each, each time on a cold node."""
    if is_bare_first:
        bare_seconds = _bare_seconds(place, containerd, images)
        return Turn(ours=_run(place, containerd, images), bare_seconds=bare_seconds)
    ours = _run(place, containerd, images)
    return Turn(ours=ours, bare_seconds=_bare_seconds(place, containerd, images))


def _bare_seconds(place: Stage, containerd: Containerd, images: Sequence[str]) -> float:
    make_cold(containerd)
    return bare.seconds(containerd.endpoint, images, folder=place.folder, clients=SLOTS)


def _run(place: Stage, containerd: Containerd, images: Sequence[str]) -> Run:
    named = [word for image in images for word in ("--image", image)]
    done = cold_run(containerd, "--max-concurrent-pulls", str(SLOTS), *named, folder=place.folder)
    return Run(pull_seconds=_pull_seconds(done.output), process_seconds=done.seconds)


def _pull_seconds(output: str) -> float:
    lines = [msgspec.json.decode(line, type=_Line) for line in output.splitlines()]
    began = min(line.time for line in lines if line.event == "pull_started")
    ended = [line.time for line in lines if line.event == "image_pulled"]
    if len(ended) != IMAGES:
        raise RuntimeError(f"{len(ended)} of {IMAGES} images were pulled; was the node cold?")
    return (max(ended) - began).total_seconds()


if __name__ == "__main__":
    sys.exit(main())
