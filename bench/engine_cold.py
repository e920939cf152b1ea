"""
`engine-cold`: what `prewarm run` adds to a cold pull of a 240 MB image, from the start of its process to its exit.

The peer is one PullImage by the bare client, timed around the call alone. The two take turns on the same containerd,
A B B A and so on, which is cold before each; the registry's files lie in the page cache. `ours` is the median of the
seconds beyond the bare pull of the same turn, `reference` the bare pull's, `ratio` the whole run over the bare pull.
"""

import statistics
import sys

from bench import bare
from bench.figure import Figure, conclude, show, show_spread
from bench.stage import CONTAINERDS, MB, Stage, cold_run, layers, make_cold, stage, suffix
from tests.servers.containerd import Containerd


NAME = "engine-cold"
BOUND_SECONDS = 0.9
TURNS = 6
LAYERS = 6
LAYER_BYTES = 40 * MB


def main() -> int:
    """Measure on each containerd."""
    with stage() as place:
        image = place.push("cold", layers=layers(LAYERS, size_bytes=LAYER_BYTES)).reference
        return conclude([_figure(place, name, image) for name in CONTAINERDS])


def _figure(place: Stage, name: str, image: str) -> Figure:
    containerd = place.containerd(name)
    show(f"== {NAME}, containerd {containerd.binaries.version}: {LAYERS * LAYER_BYTES // MB} MB in {LAYERS} layers")
    # The first is a warm-up: page cache, byte code.
    _, *turns = [_turn(place, containerd, image, is_bare_first=not number % 2) for number in range(TURNS + 1)]
    containerd.stop()
    bares, runs = [turn[0] for turn in turns], [turn[1] for turn in turns]
    beyond = [ours - bare for bare, ours in turns]
    for label, samples in (("bare PullImage", bares), ("prewarm run", runs), ("beyond it", beyond)):
        show_spread(label, samples, unit="s")
    return Figure(
        name=NAME + suffix(name),
        ours=statistics.median(beyond),
        reference=statistics.median(bares),
        ratio=statistics.median(ours / bare for bare, ours in turns),
        unit="s",
        bound=BOUND_SECONDS,
    )


def _turn(place: Stage, containerd: Containerd, image: str, *, is_bare_first: bool) -> tuple[float, float]:
    """Return the seconds of the bare pull and of the whole run, each on a cold node."""
    if is_bare_first:
        return _bare_seconds(place, containerd, image), _run_seconds(place, containerd, image)
    run_seconds = _run_seconds(place, containerd, image)
    return _bare_seconds(place, containerd, image), run_seconds


def _bare_seconds(place: Stage, containerd: Containerd, image: str) -> float:
    make_cold(containerd)
    return bare.seconds(containerd.endpoint, [image], folder=place.folder)


def _run_seconds(place: Stage, containerd: Containerd, image: str) -> float:
    return cold_run(containerd, "--image", image, folder=place.folder).seconds


if __name__ == "__main__":
    sys.exit(main())
