"""What a pull has fetched is not fetched again: after a timeout, after the death of our process, after a moved tag."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from tests.lab.conftest import StartContainerd
from tests.lab.engine import RETRY_SECONDS, Engine, wanted_image
from tests.lab.sockets import unread_bytes
from tests.servers.containerd import Containerd
from tests.servers.faults import Corrupt, Fault, Hang
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


LAYER_BYTES = 256 << 10
LAYERS = 10
COMPLETE = 8
# Of what was on its way to the runtime when a pull ended, this much may be sent once more.
IN_FLIGHT_BYTES = 64 << 10


@pytest.fixture
def containerd(start_containerd: StartContainerd) -> Containerd:
    """One that fetches layer after layer, so that a test knows which are complete."""
    return start_containerd(max_concurrent_downloads=1)


@pytest.fixture
def image(push: Push, faults: FaultProxy) -> PushedImage:
    """Ten layers; the proxy sends the config, eight layers, half of the ninth, and hangs."""
    image = push(layers=[LAYER_BYTES] * LAYERS).at(faults.host)
    faults.add(Fault(Hang(after_bytes=LAYER_BYTES // 2), kind=Kind.BLOB, method="GET", skip=1 + COMPLETE))
    return image


def hangs_in_the_ninth_layer(faults: FaultProxy) -> None:
    """Wait until eight layers and half of another have been sent and read."""
    sent = LAYER_BYTES * (COMPLETE + 0.5)
    until(lambda: faults.traffic.blob_bytes() >= sent, what="eight layers and a half sent", timeout_seconds=60)
    until(lambda: not unread_bytes(faults.port), what="what was sent is read", timeout_seconds=60)


def test_an_attempt_that_timed_out_leaves_its_layers_to_the_next(
    containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """Ten layers, cut when eight are complete and one is half: the next attempt fetches one and a half."""
    wanted = wanted_image(image.reference, timeout_seconds=600)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        hangs_in_the_ninth_layer(faults)
        engine.jump(600)
        cut = engine.until(wanted, lambda task: task.reason is Reason.ATTEMPT_TIMEOUT)
        faults.clear()
        sent = faults.traffic.blob_bytes()
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    missing = image.layer_bytes - sent
    assert (Phase.WAITING, 1) == (cut.phase, cut.attempt)
    assert (Phase.SUCCEEDED, 2, image.digest) == (task.phase, task.attempt, task.digest)
    assert missing <= faults.traffic.blob_bytes() - sent <= missing + IN_FLIGHT_BYTES
    assert 1 == len(faults.traffic.range_requests())


@pytest.fixture
def home(workdir: Path) -> Path:
    """A home without docker's config."""
    (workdir / "home").mkdir()
    return workdir / "home"


class Run:
    """`prewarm run` of one image as a process of its own, which a test may kill."""

    def __init__(self, containerd: Containerd, image: str, *, home: Path) -> None:
        options = ["--runtime-endpoint", containerd.endpoint, "--min-free", "0", "--output", "json"]
        self.log = home / "run.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "daemon", "run", "--image", image, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "HOME": str(home)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


def test_a_killed_process_leaves_its_layers_to_the_next(
    containerd: Containerd, image: PushedImage, faults: FaultProxy, home: Path
) -> None:
    """Killed by SIGKILL with eight layers complete and one half, `prewarm run` goes on there when started again."""
    with Run(containerd, image.reference, home=home) as first:
        hangs_in_the_ninth_layer(faults)
        first.process.send_signal(signal.SIGKILL)
        killed = first.process.wait(timeout=30)
    faults.clear()
    sent = faults.traffic.blob_bytes()

    with Run(containerd, image.reference, home=home) as second:
        code = second.process.wait(timeout=90)

    missing = image.layer_bytes - sent
    assert (-signal.SIGKILL, 0) == (killed, code), second.log.read_text()
    assert missing <= faults.traffic.blob_bytes() - sent <= missing + IN_FLIGHT_BYTES
    assert image.digest == containerd.images()[image.reference]


@pytest.fixture
def sound(push: Push, faults: FaultProxy) -> Iterator[PushedImage]:
    """Three layers and a sound network."""
    yield push(layers=[LAYER_BYTES] * 3).at(faults.host)
    faults.clear()


def test_a_corrupt_layer_is_fetched_again(containerd: Containerd, sound: PushedImage, faults: FaultProxy) -> None:
    """A layer that arrives corrupt ends the attempt as CorruptContent; what was held is dropped; the next is good."""
    bad = sound.layers[1]
    faults.add(Fault(Corrupt(offset=1000), reference=bad.digest, method="GET"))
    wanted = wanted_image(sound.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        first = engine.until(wanted, lambda task: task.reason is Reason.CORRUPT_CONTENT)
        held = [name for name in containerd.leases() if name.startswith("prewarm-")]
        open_downloads = containerd.ctr("content", "active").splitlines()[1:]
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert (Phase.WAITING, 1) == (first.phase, first.attempt)
    assert ([], []) == (held, open_downloads)
    assert (Phase.SUCCEEDED, 2, sound.digest) == (task.phase, task.attempt, task.digest)
    assert 2 * bad.size_bytes == faults.traffic.bytes_of(bad.digest)


def test_a_tag_that_moved_between_attempts_brings_the_new_image(
    containerd: Containerd, push: Push, image: PushedImage, faults: FaultProxy
) -> None:
    """The retry asks for the tag anew: the new image is there, and nothing of the old one stays."""
    wanted = wanted_image(image.reference, timeout_seconds=600)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        hangs_in_the_ninth_layer(faults)
        engine.jump(600)
        engine.until(wanted, lambda task: task.reason is Reason.ATTEMPT_TIMEOUT)
        moved = push(layers=[LAYER_BYTES] * 2, seed=1)
        faults.clear()
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    all_of_it = {moved.digest, moved.image_id, *(layer.digest for layer in moved.layers)}
    assert image.digest != moved.digest
    assert (Phase.SUCCEEDED, moved.digest) == (task.phase, task.digest)
    until(lambda: containerd.blobs() == all_of_it, what="nothing of the old image is kept", timeout_seconds=60)
