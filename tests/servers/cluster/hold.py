"""
The process that holds the cluster of `make cluster`: everything in it is this one's child, and ends with it.

It is started by command.py with the cluster's folder, which reads what it writes into STATE once all is up.
"""

import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import IO, Final

import msgspec

from tests.servers.cluster import waiting
from tests.servers.cluster.cgroups import Cgroups
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import Product
from tests.servers.cluster.settings import REGISTRY
from tests.servers.images import Push
from tests.servers.layers import Layer
from tests.servers.processes import ServerFailed
from tests.servers.setup import cache
from tests.servers.setup.commands import announce


STATE: Final = "state.json"
SAMPLE_BYTES: Final = 40 << 20


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a person needs to know of a running cluster."""

    kubeconfig: str
    kubectl: str
    registry: str
    nodes: tuple[str, ...]
    containerds: tuple[str, ...]
    image: str
    sample: str


def usual_folder() -> Path:
    """Return where the one cluster of a person has its files."""
    return cache.folder() / "cluster"


def is_held(folder: Path) -> bool:
    """Tell whether a process holds a cluster in this folder now."""
    if not folder.parent.is_dir():
        return False
    with _lock(folder).open("a") as lock:
        return not _locked(lock)


def holder(folder: Path) -> int:
    """Return the process that holds it, as it wrote itself down; meaningful while `is_held`."""
    return int(_lock(folder).read_text())


def state(folder: Path) -> State:
    """Return what its holder wrote once all was up."""
    return msgspec.json.decode((folder / STATE).read_bytes(), type=State)


def clear(folder: Path) -> bool:
    """Remove what a holder that was killed has left, and tell whether there was anything; no folder but a holder's."""
    with _lock(folder).open("a+") as lock:
        lock.seek(0)
        if not _locked(lock) or not lock.read() or not folder.exists():
            return False
        shutil.rmtree(folder)
    # They remove others' at their beginning.
    Cgroups().remove()
    return True


def sample_layers() -> list[Layer]:
    """Return what the sample's image is of, at its first push and under every later one."""
    return [waiting.layer(), Layer(size_bytes=SAMPLE_BYTES, files=100)]


def main(folder: Path) -> int:
    """Bring it up, hold it until SIGTERM, and leave nothing."""
    # From here to the end, so that a signal in the midst of starting ends in order too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with _lock(folder).open("a") as lock:
        if not _locked(lock):
            announce(f"another process holds a cluster in {folder}")
            return 1
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _hold(folder)
        except KeyboardInterrupt:
            return 0
        except (ServerFailed, TimeoutError) as error:
            # The logs first, so that what a person has to know stands where they look.
            announce("\n".join([*reversed(getattr(error, "__notes__", [])), str(error)]))
            return 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _lock(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hold(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # An administrator's key is in it, and whoever runs Pods on such nodes is root on this machine.
    folder.chmod(0o700)
    announce("starting a control plane and three nodes")
    with LabCluster(folder) as cluster:
        announce("making the image and putting it into the cluster's registry")
        product = Product(cluster)
        sample = Push(cluster.registry)("base", layers=sample_layers(), entrypoint=waiting.ENTRYPOINT).at(REGISTRY)
        announce("applying daemonset.yaml with that image, and waiting for its Pods")
        product.install()
        state = State(
            kubeconfig=str(cluster.kubeconfig),
            kubectl=str(cluster.control.kubectl),
            registry=cluster.registry.host,
            nodes=tuple(cluster.nodes),
            containerds=tuple(node.containerd_version for node in cluster.nodes.values()),
            image=product.image,
            sample=sample.reference,
        )
        partial = folder / f"{STATE}.partial"
        partial.write_bytes(msgspec.json.encode(state))
        partial.rename(folder / STATE)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
