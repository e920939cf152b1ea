"""`make cluster` and `make cluster-down`: a cluster with Prewarm on it, on this machine, for as long as one likes."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.servers.cluster import hold
from tests.servers.cluster.settings import REGISTRY
from tests.servers.processes import until


# Everything may have to be downloaded and built first.
UP_SECONDS: Final = 3600.0
DOWN_SECONDS: Final = 60.0
TARGETS: Final = {"up": "cluster", "down": "cluster-down"}
FAILED: Final = 1
BAD_INPUT: Final = 2
# A socket's path has 107 bytes; the longest below it is n1/disk/kubelet/pod-resources/ with a number of ten digits.
LONGEST_FOLDER: Final = 60
# Our image, the registry and three nodes take some 400 MiB; what a person pulls comes on top.
LEAST_FREE_BYTES: Final = 1 << 30
INTERRUPTED: Final = 130


def main(words: list[str]) -> int:
    """Do `up` or `down`, with a folder where it is not to be the usual one; returns the exit code."""
    if len(words) not in (1, 2) or words[0] not in TARGETS:
        _say("usage: python -m tests.servers.cluster.command up|down [FOLDER]")
        return BAD_INPUT
    if os.geteuid() != 0:
        _say(f"The cluster's nodes mount disks and run containers, which needs root: sudo make {TARGETS[words[0]]}")
        return FAILED
    folder = Path(words[1]).absolute() if len(words) > 1 else hold.usual_folder()
    if words[0] == "up" and len(os.fsencode(folder)) > LONGEST_FOLDER:
        _say(
            f"{folder} is longer than {LONGEST_FOLDER} characters, which leaves too few for the sockets of kubelets "
            "below it; name a cache with a shorter path by XDG_CACHE_HOME"
        )
        return BAD_INPUT
    return _up(folder) if words[0] == "up" else _down(folder)


def _up(folder: Path) -> int:
    if hold.is_held(folder):
        if not (folder / hold.STATE).exists():
            _say("A cluster is starting or stopping already; try again in a moment.")
            return FAILED
        _say("A cluster runs already.")
        return _show(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not _has_room(folder.parent):
        return FAILED
    # What a killed holder has left would be taken for the new one's.
    (folder / hold.STATE).unlink(missing_ok=True)
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as output:
        holder = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.cluster.hold", folder],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _follow(holder, folder, log)


def _has_room(place: Path) -> bool:
    free_bytes = shutil.disk_usage(place).free
    if free_bytes >= LEAST_FREE_BYTES:
        return True
    _say(
        f"{place} has {free_bytes >> 20} MiB free, and a cluster needs {LEAST_FREE_BYTES >> 20}; make room there, or "
        "name a cache elsewhere by XDG_CACHE_HOME"
    )
    return False


def _follow(holder: subprocess.Popen[bytes], folder: Path, log: Path) -> int:
    """Show what the holder says until it is ready."""
    state = folder / hold.STATE
    with log.open() as said:

        def is_over() -> bool:
            sys.stdout.write(said.read())
            sys.stdout.flush()
            return state.exists() or holder.poll() is not None

        try:
            until(is_over, what="the cluster is up", timeout_seconds=UP_SECONDS)
        except (KeyboardInterrupt, TimeoutError) as error:
            holder.terminate()
            holder.wait(timeout=DOWN_SECONDS)
            is_interrupted = isinstance(error, KeyboardInterrupt)
            _say(f"\n{'Interrupted' if is_interrupted else error}; everything is cleaned up.")
            return INTERRUPTED if is_interrupted else FAILED
    if holder.poll() is not None:
        _say(f"The cluster did not come up; what it said is in {log}")
        return FAILED
    return _show(folder)


def _show(folder: Path) -> int:
    state = hold.state(folder)
    nodes = ", ".join(
        f"{name} (containerd {version})" for name, version in zip(state.nodes, state.containerds, strict=True)
    )
    kubectl = "kubectl" if shutil.which("kubectl") else state.kubectl
    prefix = state.sample.removesuffix("base:latest")
    _say(f"""
Three real nodes, in namespaces of their own on this machine: {nodes}.
Prewarm runs on them from {state.image}.
A registry is at {state.registry} for you to push to, and {REGISTRY} for the nodes; {state.sample} is in it.
make cluster-push builds that anew under the same tag, as a team does each night.

  export KUBECONFIG={state.kubeconfig}
  {kubectl} get nodes,pods --all-namespaces
  sed 's|image: base:|image: {prefix}base:|' examples/base-image-job.yaml | {kubectl} apply -f -
  {kubectl} wait --for=condition=Ready imagepulljob/base-image-job --timeout=5m
  {kubectl} get imagepulljobs,nodeimages --output wide
  .venv/bin/prewarm status -A

make cluster-down takes everything away.""")
    return 0


def _down(folder: Path) -> int:
    if not hold.is_held(folder):
        has_left = folder.exists() and hold.clear(folder)
        _say(f"No cluster runs.{' What one that was killed had left is removed.' if has_left else ''}")
        return 0
    os.kill(hold.holder(folder), signal.SIGTERM)
    until(lambda: not hold.is_held(folder), what="the cluster is gone", timeout_seconds=DOWN_SECONDS)
    _say("The cluster is gone, with everything in it.")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
