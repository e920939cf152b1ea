"""
What every figure is measured on: a containerd and a registry of the bench's own, and a way back to a cold node.

Everything lies in a scratch folder that is gone at the end.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import msgspec

from daemon.runtime.wire import cri_pb2, cri_pb2_grpc
from tests.servers import binaries
from tests.servers.containerd import Containerd, Hosts
from tests.servers.disks import unmount_below
from tests.servers.images import Push
from tests.servers.layers import Compression, Layer
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


MB = 1_000_000
REMOVE_TIMEOUT_SECONDS = 60.0
COLD_TIMEOUT_SECONDS = 60.0
RUN_TIMEOUT_SECONDS = 300.0
# Each figure is taken on both; the newest has the plain name.
CONTAINERDS = (binaries.NEWEST, binaries.OLDEST)


class ColdRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a `prewarm run` printed, and the seconds from the start of its process to its exit."""

    output: str
    seconds: float


class Stage:
    """One registry, one proxy before it for those that want to be slowed down or counted, and containerds."""

    def __init__(self, folder: Path, running: contextlib.ExitStack) -> None:
        self.folder = folder
        self._running = running
        self._hosts = Hosts(folder / "hosts")
        self.registry = running.enter_context(Registry(folder / "registry"))
        self.push = Push(self.registry)

    def containerd(self, name: str, *, folder: str = "") -> Containerd:
        """Start a containerd of binaries.OLDEST or binaries.NEWEST in a folder of its own."""
        program = binaries.containerd(name)
        place = self.folder / (folder or f"c{program.series}")
        return self._running.enter_context(Containerd(program, place, hosts=self._hosts))

    def proxy(self) -> FaultProxy:
        """Start a proxy before the registry, known to all containerds."""
        proxy = self._running.enter_context(FaultProxy(self.registry.url))
        self._hosts.add(proxy.host, proxy.url)
        return proxy


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Set the stage and clear it away at the end, also after SIGTERM."""
    if os.geteuid() != 0:
        sys.exit("A bench starts a containerd of its own, which needs root.")
    with scratch() as folder, contextlib.ExitStack() as running:
        yield Stage(folder, running)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that is gone at the end, also after SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="pwb-"))
    try:
        yield folder
    finally:
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)


def suffix(name: str) -> str:
    """Return what tells a figure's containerd apart: "" for the newest, else its series such as -1.6."""
    return "" if name == binaries.NEWEST else f"-{binaries.containerd(name).series}"


def layers(count: int, *, size_bytes: int, seed: int = 0) -> list[Layer]:
    """Describe gzip layers as most images have them, each with many files and content of its own."""
    return [
        Layer(size_bytes=size_bytes, seed=seed * 1000 + place, files=50, compression=Compression.GZIP)
        for place in range(count)
    ]


def make_cold(containerd: Containerd) -> None:
    """
    Remove every image through CRI and wait until nothing of them is left: no blob, no open ingest, no snapshot.

    Raises:
        TimeoutError: something still holds content.
    """
    with grpc.insecure_channel(containerd.endpoint) as channel:
        service = cri_pb2_grpc.ImageServiceStub(channel)
        listed = service.ListImages(cri_pb2.ListImagesRequest(), timeout=REMOVE_TIMEOUT_SECONDS)
        for image in listed.images:
            request = cri_pb2.RemoveImageRequest(image=cri_pb2.ImageSpec(image=image.id))
            service.RemoveImage(request, timeout=REMOVE_TIMEOUT_SECONDS)
    for lease in containerd.leases():
        containerd.ctr("leases", "delete", lease)
    until(lambda: _is_cold(containerd), what="the node is cold", timeout_seconds=COLD_TIMEOUT_SECONDS)
    os.sync()


def _is_cold(containerd: Containerd) -> bool:
    """Have containerd collect its garbage (a synchronous delete of a lease does) and look."""
    lease = containerd.ctr("leases", "create").strip()
    containerd.ctr("leases", "delete", "--sync", lease)
    snapshots = containerd.ctr("snapshots", "--snapshotter", containerd.snapshotter, "ls").splitlines()[1:]
    ingests = containerd.ctr("content", "active").splitlines()[1:]
    return not containerd.blobs() and not snapshots and not ingests


def prewarm() -> Path:
    """Return the installed console script beside the Python that runs the bench."""
    script = Path(sys.executable).with_name("prewarm")
    if not script.exists():
        sys.exit(f"{script} is missing: the project is not installed there (make setup does that).")
    return script


def run_command(containerd: Containerd, *arguments: str | Path) -> list[str]:
    """Return the `prewarm run` command for a containerd; its floor lets a bench run on a disk that is nearly full."""
    endpoint = ("--runtime-endpoint", containerd.endpoint, "--min-free", "1Gi", "--output", "json")
    return [str(prewarm()), "run", *map(str, arguments), *endpoint]


def cold_run(containerd: Containerd, *arguments: str, folder: Path) -> ColdRun:
    """
    Make the node cold, run `prewarm run` with these arguments to its end, and time the whole process.

    Raises:
        RuntimeError: it did not end well.
    """
    make_cold(containerd)
    command = run_command(containerd, *arguments)
    began = time.monotonic()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=RUN_TIMEOUT_SECONDS, env=environment(folder)
    )
    seconds = time.monotonic() - began
    return ColdRun(output=checked(done), seconds=seconds)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment without settings or credentials of the person's."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}


def manifest(folder: Path, images: Sequence[str], *, completion: str = "Always", backoff_limit: int = 3) -> Path:
    """Write an ImageListPullJob of some images and return its file; YAML reads JSON."""
    job = {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "ImageListPullJob",
        "metadata": {"name": "bench"},
        "spec": {
            "images": list(images),
            "completionPolicy": {"type": completion},
            "pullPolicy": {"timeoutSeconds": 600, "backoffLimit": backoff_limit},
        },
    }
    file = folder / f"bench-{completion.lower()}-{backoff_limit}.yaml"
    file.write_text(json.dumps(job))
    return file


def checked(process: "subprocess.CompletedProcess[str]") -> str:
    """
    Return what a process printed, if it ended well.

    Raises:
        RuntimeError: it did not; its words are in the message.
    """
    if process.returncode:
        words = f"{process.stdout[-2000:]}\n{process.stderr[-2000:]}"
        raise RuntimeError(f"{process.args}: exit code {process.returncode}\n{words}")
    return process.stdout
