"""
`memory-run`: the anonymous memory of `prewarm run --watch` at rest, after it has brought 20 images and keeps them.

Taken from /proc/PID/status (RssAnon, which is what a container's limit counts beside the page cache; VmRSS is printed
too). At rest means: every image has been reported as pulled, and the value has not moved for REST_SECONDS.
"""

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.figure import conclude, limited, show, show_spread
from bench.memory import FIELDS, at_rest
from bench.stage import MB, Stage, environment, layers, make_cold, manifest, run_command, stage
from tests.servers import binaries
from tests.servers.containerd import Containerd
from tests.servers.processes import until


NAME = "memory-run"
BOUND_MIB = 26.0
RUNS = 3
IMAGES = 20
LAYERS = 4
LAYER_BYTES = 5 * MB
PULL_TIMEOUT_SECONDS = 240.0


def main() -> int:
    """Measure on the newest containerd: what is measured is our side."""
    with stage() as place:
        images = [
            place.push(f"rest-{number}", layers=layers(LAYERS, size_bytes=LAYER_BYTES, seed=number)).reference
            for number in range(1, IMAGES + 1)
        ]
        containerd = place.containerd(binaries.NEWEST)
        show(f"== {NAME}, containerd {containerd.binaries.version}: {IMAGES} images")
        samples = [_at_rest(place, containerd, images) for _ in range(RUNS)]
    for field, unit in zip(FIELDS, ("MiB", "MiB", ""), strict=True):
        show_spread(field, [sample[field] for sample in samples], unit=unit)
    return conclude([limited(NAME, statistics.median(one["RssAnon"] for one in samples), limit=BOUND_MIB, unit="MiB")])


def _at_rest(place: Stage, containerd: Containerd, images: Sequence[str]) -> dict[str, float]:
    make_cold(containerd)
    job = manifest(containerd.folder, images, completion="Never")
    output = place.folder / "watch.jsonl"
    with _running(run_command(containerd, "--watch", job), output=output, place=place) as process:
        until(
            lambda: process.poll() is not None or _pulled(output) == IMAGES,
            what="all images are there",
            timeout_seconds=PULL_TIMEOUT_SECONDS,
        )
        if process.poll() is not None:
            raise RuntimeError(f"prewarm run --watch ended by itself, with {process.returncode}")
        return at_rest(process.pid)


@contextlib.contextmanager
def _running(command: Sequence[str], *, output: Path, place: Stage) -> Iterator["subprocess.Popen[bytes]"]:
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, env=environment(place.folder))
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _pulled(output: Path) -> int:
    lines = output.read_bytes().splitlines(keepends=True)
    events = [msgspec.json.decode(line) for line in lines if line.endswith(b"\n")]
    return len({event["image"] for event in events if event["event"] == "image_pulled"})


if __name__ == "__main__":
    sys.exit(main())
