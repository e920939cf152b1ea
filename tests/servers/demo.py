"""
`make demo`: a sample job brings its image onto a node, its tag moves, and the next run brings the new one.

Everything runs in a scratch folder on servers of its own, and is gone at the end, also after Ctrl-C. What it claims
is asked from the runtime by the runtime's own client.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.servers import binaries
from tests.servers.containerd import Containerd, Hosts
from tests.servers.disks import unmount_below
from tests.servers.images import Push, PushedImage
from tests.servers.layers import Compression, Layer
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


MIB = 1 << 20
JOB = Path("examples/base-image-job.yaml")
# A network that is slow enough to watch.
BYTES_PER_SECOND = 20 * MIB
OPERATING_SYSTEM = Layer(size_bytes=40 * MIB, seed=1, files=400)


def main() -> int:
    """Play it; returns 0 when the runtime has confirmed each step, 1 when it has not, 130 when interrupted."""
    # SIGINT too: a shell that starts a job in the background leaves it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if os.geteuid() != 0:
        _say("The demo starts a containerd, which needs root: sudo make demo")
        return 1
    try:
        with _scratch() as folder:
            return _play(folder)
    except KeyboardInterrupt:
        _say("\nInterrupted; everything is cleaned up.")
        return 130


def _play(folder: Path) -> int:
    hosts = Hosts(folder / "hosts")
    program = binaries.containerd(binaries.OLDEST)
    with (
        Registry(folder / "registry") as registry,
        FaultProxy(registry.url) as network,
        Containerd(program, folder / "c", hosts=hosts) as containerd,
    ):
        hosts.add(network.host, network.url)
        network.limit(BYTES_PER_SECOND)
        _say(f"A node with containerd {program.version} and a registry at {network.host}, both in {folder}.")
        job = folder / JOB.name
        job.write_text(JOB.read_text().replace("image: base:", f"image: {network.host}/base:"))
        _say(f"\nThe job:\n\n{job.read_text()}")
        push = Push(registry)
        first = push("base", layers=[OPERATING_SYSTEM, _packages(seed=2)]).at(network.host)
        if not _step("First night", first, job, containerd):
            return 1
        second = push("base", layers=[OPERATING_SYSTEM, _packages(seed=3)], seed=1).at(network.host)
        _say(f"\nThe team rebuilds its image: {second.reference} moves. One of its two layers is new.")
        if not _step("Second night", second, job, containerd):
            return 1
    _say("\nThe image is on the node, fresh, before any Pod asks for it. Everything is cleaned up.")
    return 0


def _step(title: str, image: PushedImage, job: Path, containerd: Containerd) -> bool:
    """Run the job and compare what the runtime has with what the registry has."""
    _say(f"\n== {title}: the registry has {image.reference} at {image.digest}")
    _say(f"$ prewarm run {job.name} --runtime-endpoint {containerd.endpoint}")
    command = [sys.executable, "-m", "daemon", "run", str(job), "--runtime-endpoint", containerd.endpoint]
    code = subprocess.run(command, check=False, timeout=300).returncode
    there = containerd.images().get(image.reference, "absent")
    _say(f"$ ctr images ls\n{image.reference} {there}")
    if code or there != image.digest:
        _say(f"This is not what was promised: exit code {code}, {there} on the node.")
        return False
    _say("The runtime has exactly that image.")
    return True


def _packages(*, seed: int) -> Layer:
    return Layer(size_bytes=20 * MIB, seed=seed, files=200, compression=Compression.GZIP)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="prewarm-demo-"))
    try:
        yield folder
    finally:
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
