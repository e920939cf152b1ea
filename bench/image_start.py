"""
`image-start`: from the start of the agent's process in the node image to its first LIST at the API server.

The process enters the image's own root as a Pod's does, read-only, as its user, with a service account's folder and
the runtime's; what a runtime and a kubelet do before that is not in it, and entering is. A gateway before a real API
server notes when the LIST arrives. The root's files are in the page cache, but for the first start, which is printed.
"""

import contextlib
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import conclude, limited, show, show_spread
from bench.stage import stage
from tests.servers import binaries, image_entry
from tests.servers.agent import ACCOUNT, NAMESPACE
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd
from tests.servers.deployment import deploy
from tests.servers.gateway import Gateway, Passed
from tests.servers.image import BuiltImage, built
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.processes import Process


NAME = "image-start"
BOUND_SECONDS = 0.8
STARTS = 15
NODE = "start"
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
RUNTIME_FOLDER = "/run/containerd"


class FirstList:
    """Waits for the first LIST of NodeImages that comes through a gateway, in whatever thread it does."""

    def __init__(self, gateway: Gateway) -> None:
        self.seconds = 0.0
        self.came = threading.Event()
        gateway.plan = self._note

    def _note(self, request: Passed) -> None:
        is_list = request.method == "GET" and "/nodeimages?" in request.path and "watch=" not in request.path
        if is_list and not self.came.is_set():
            self.seconds = time.monotonic()
            self.came.set()


def main() -> int:
    """Start the agent again and again, on one node with nothing wanted."""
    image = built()
    with stage() as place, ApiServer(place.folder / "api") as apiserver, Gateway(apiserver) as gateway:
        deploy(apiserver)
        NodeImageOnServer(apiserver, NODE).create()
        containerd = place.containerd(binaries.NEWEST)
        account = _account(apiserver, place.folder / "account")
        show(f"== {NAME}: {STARTS} starts of {image.digest[:19]}, {os.getloadavg()[0]:.1f} processes busy before")
        starts = []
        for number in range(STARTS + 1):
            folder = place.folder / f"start-{number}"
            volumes = {ACCOUNT_FOLDER: account, RUNTIME_FOLDER: containerd.folder}
            starts.append(_start(image, gateway, containerd, folder, volumes))
    show(f"the first: {starts[0]:.3f} s")
    show_spread("start to LIST", starts[1:], unit="s")
    return conclude([limited(NAME, statistics.median(starts[1:]), limit=BOUND_SECONDS, unit="s")])


def _account(apiserver: ApiServer, folder: Path) -> Path:
    """Make the service account's folder, for the image's user to read, as the kubelet does."""
    apiserver.service_account_folder(folder, NAMESPACE, ACCOUNT, node=NODE)
    for each in (folder, *folder.rglob("*")):
        os.chown(each, 65532, 0, follow_symlinks=False)
    return folder


def _start(
    image: BuiltImage, gateway: Gateway, containerd: Containerd, folder: Path, volumes: dict[str, Path]
) -> float:
    """Return the seconds from the process's start to its LIST."""
    first = FirstList(gateway)
    (folder / "mounts").mkdir(parents=True)
    options = ["--node-name", NODE, "--listen", "127.0.0.1:0", "--min-free", "0"]
    endpoint = ["--runtime-endpoint", f"{RUNTIME_FOLDER}/{containerd.socket.name}"]
    process = Process(
        image_entry.entered(image, ["prewarm", "agent", *options, *endpoint], place=folder / "mounts", volumes=volumes),
        log=folder / "agent.log",
        environment={**image_entry.environment(image), **gateway.variables, "POD_NAME": "start"},
    )
    began = time.monotonic()
    with _running(process):
        process.start(first.came.is_set)
    return first.seconds - began


@contextlib.contextmanager
def _running(process: Process) -> Iterator[None]:
    try:
        yield
    finally:
        process.stop()


if __name__ == "__main__":
    sys.exit(main())
