"""
`make cluster-push`: what a team does each night. An image is rebuilt, and its tag moves in the registry of a cluster.

Nothing on the machine is needed that pushes images.
"""

import secrets
import sys
from pathlib import Path
from typing import Final

from tests.servers.cluster import hold, waiting
from tests.servers.cluster.settings import REGISTRY
from tests.servers.images import Push, PushedImage
from tests.servers.layers import Layer
from tests.servers.registry import Registry


USUAL: Final = "base:latest"
NEW_BYTES: Final = 2 << 20
SEEDS: Final = 1 << 32
FAILED: Final = 1
BAD_INPUT: Final = 2


def main(words: list[str]) -> int:
    """Push NAME:TAG anew, into the cluster of a folder where it is not the usual one; returns the exit code."""
    repository, _, tag = (words[0] if words else USUAL).partition(":")
    if len(words) > 2 or not (repository and tag):
        _say("usage: python -m tests.servers.cluster.push [NAME:TAG [FOLDER]], such as base:latest")
        return BAD_INPUT
    folder = Path(words[1]).absolute() if len(words) > 1 else hold.usual_folder()
    if not (hold.is_held(folder) and (folder / hold.STATE).exists()):
        _say("No cluster is up to push to; make cluster starts one.")
        return FAILED
    pushed = _push(folder, repository, tag)
    _say(f"{pushed.reference} is {pushed.digest} now; its last layer, of {NEW_BYTES >> 20} MiB, is new.")
    return 0


def _push(folder: Path, repository: str, tag: str) -> PushedImage:
    registry = Registry(folder / "registry")
    registry.port = int(hold.state(folder).registry.rpartition(":")[2])
    layers = [*hold.sample_layers(), Layer(size_bytes=NEW_BYTES, seed=secrets.randbelow(SEEDS))]
    return Push(registry)(repository, tag=tag, layers=layers, entrypoint=waiting.ENTRYPOINT).at(REGISTRY)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
