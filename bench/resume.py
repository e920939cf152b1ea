"""
`resume`: what the registry sends for an image whose download is interrupted 25 times, over what the image needs.

Twenty layers over a limited link that is cut at 20 random moments, and five times the process that pulls is killed
(kill -9) and started again. A moment is a number of bytes that the registry has sent, drawn from a seed, so each client
and each machine meets the same ones; every fifth is a kill. The bytes are those of layers: manifests are left out.

The peer is a bare PullImage in a loop until the image is there, through its own proxy to its own containerd at the same
time, cut and killed at the same moments. It waits a second between two calls; ours waits as it does for anybody. All
moments lie within the bytes of one image, so the peer, which keeps nothing, can need two images' worth and no more.
"""

import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from bench import bare
from bench.figure import Figure, Judged, conclude, show
from bench.stage import CONTAINERDS, MB, Stage, environment, layers, make_cold, manifest, run_command, stage, suffix
from tests.servers.containerd import Containerd
from tests.servers.images import PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


NAME = "resume"
BOUND = 1.05
SEEDS = (1, 2, 3)
LAYERS = 20
LAYER_BYTES = 5 * MB
LINK_BYTES_PER_SECOND = 8 * MB
CUTS = 20
KILLS = 5
# More than can be used up: giving up is not what is measured.
BACKOFF_LIMIT = 100
# The next moment comes after a backoff of 30 s at most, and a few megabytes.
MOMENT_TIMEOUT_SECONDS = 120.0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """An interruption once the registry has sent so many bytes: of the link, or of the client's life."""

    sent_bytes: int
    is_kill: bool


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One client and what is its own: its figure's name and bound, its command, link and containerd."""

    name: str
    command: Sequence[str]
    bound: float | None
    proxy: FaultProxy
    containerd: Containerd
    image: PushedImage


def moments(seed: int, *, needed_bytes: int) -> tuple[Moment, ...]:
    """Draw the moments of a seed, in order; the last lies before the last layer's end, so that all of them come."""
    source = random.Random(seed)
    places = sorted(source.sample(range(1, int(needed_bytes * 0.98)), CUTS + KILLS))
    every = (CUTS + KILLS) // KILLS
    return tuple(Moment(sent_bytes=place, is_kill=index % every == every - 1) for index, place in enumerate(places))


def main() -> int:
    """Measure on each containerd, all at the same time: the link is what is waited for."""
    with stage() as place:
        image = place.push("resume", layers=layers(LAYERS, size_bytes=LAYER_BYTES))
        lanes = [make(place, name, image) for name in CONTAINERDS for make in (_ours, _bare)]
        show(f"== {NAME}: {LAYERS} layers, {CUTS} cuts, {KILLS} kills")
        rounds = [_round(place, lanes, seed=seed) for seed in SEEDS]
        return conclude([_figure(lane, sent) for lane, sent in zip(lanes, zip(*rounds, strict=True), strict=True)])


def _round(place: Stage, lanes: Sequence[Lane], *, seed: int) -> Sequence[int]:
    """Return the bytes of layers that were sent to each lane under a seed."""
    with ThreadPoolExecutor(len(lanes)) as threads:
        sent = list(threads.map(lambda lane: _pull_interrupted(place, lane, seed=seed), lanes))
    words = [f"{lane.name} {one / lane.image.layer_bytes:.3f}" for lane, one in zip(lanes, sent, strict=True)]
    show(f"seed {seed}, sent over needed: {', '.join(words)}")
    return sent


def _figure(lane: Lane, sent: Sequence[int]) -> Figure:
    middle, needed = statistics.median(sent), lane.image.layer_bytes
    return Figure(
        name=lane.name,
        ours=middle / MB,
        reference=needed / MB,
        ratio=middle / needed,
        unit="MB",
        bound=lane.bound,
        judged=Judged.RATIO,
    )


def _ours(place: Stage, name: str, image: PushedImage) -> Lane:
    containerd, proxy = place.containerd(name, folder=f"ours-{name}"), place.proxy()
    job = manifest(containerd.folder, [image.at(proxy.host).reference], backoff_limit=BACKOFF_LIMIT)
    command = run_command(containerd, job)
    return Lane(name=NAME + suffix(name), command=command, bound=BOUND, proxy=proxy, containerd=containerd, image=image)


def _bare(place: Stage, name: str, image: PushedImage) -> Lane:
    containerd, proxy = place.containerd(name, folder=f"bare-{name}"), place.proxy()
    command = bare.command(containerd.endpoint, [image.at(proxy.host).reference], is_retried=True)
    return Lane(
        name=f"{NAME}-bare{suffix(name)}",
        command=command,
        bound=None,
        proxy=proxy,
        containerd=containerd,
        image=image,
    )


def _pull_interrupted(place: Stage, lane: Lane, *, seed: int) -> int:
    """Pull through every interruption of a seed and return the bytes of layers that were sent for it."""
    make_cold(lane.containerd)
    lane.proxy.limit(LINK_BYTES_PER_SECOND)
    before = _layer_bytes(lane)
    client = _started(place, lane)
    try:
        for moment in moments(seed, needed_bytes=lane.image.layer_bytes):
            client = _interrupted(place, lane, client, moment, before=before)
        if client.wait(timeout=MOMENT_TIMEOUT_SECONDS):
            raise RuntimeError(f"{client.args!r}: exit code {client.returncode}")
    finally:
        client.kill()
    return _layer_bytes(lane) - before


def _interrupted(
    place: Stage, lane: Lane, client: "subprocess.Popen[bytes]", moment: Moment, *, before: int
) -> "subprocess.Popen[bytes]":
    """Wait for a moment, let it happen, and return the client that goes on."""
    left = max(1, moment.sent_bytes - (_layer_bytes(lane) - before))
    if not moment.is_kill:
        cuts = lane.proxy.cuts
        lane.proxy.cut_after(left)
        _wait(client, lambda: lane.proxy.cuts > cuts)
        return client
    _wait(client, lambda: _layer_bytes(lane) - before >= moment.sent_bytes)
    client.kill()
    client.wait()
    return _started(place, lane)


def _wait(client: "subprocess.Popen[bytes]", happened: Callable[[], bool]) -> None:
    until(
        lambda: happened() or client.poll() is not None,
        what=f"the next interruption of {client.args!r}",
        timeout_seconds=MOMENT_TIMEOUT_SECONDS,
    )
    if client.poll() is not None:
        raise RuntimeError(f"{client.args!r} ended before its last interruption, with {client.returncode}")


def _started(place: Stage, lane: Lane) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(lane.command, stdout=subprocess.DEVNULL, env=environment(place.folder))


def _layer_bytes(lane: Lane) -> int:
    return sum(lane.proxy.traffic.bytes_of(layer.digest) for layer in lane.image.layers)


if __name__ == "__main__":
    sys.exit(main())
