"""
Records the scenes of this release: `python -m tests.recorded.record`, as root, about ten minutes.

See README.md for when to do so, and for when never.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from daemon import __version__
from tests.behaviour.openkruise.cluster import SHAPES, install
from tests.recorded import scenes, theirs
from tests.recorded.book import FOLDER
from tests.recorded.stage import Stage
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.deployment import deploy


SHAPES_OF_THEIRS = ("like-1.6", "like-1.9")


def main() -> int:
    """Record everything into the folder of this release."""
    recordings = FOLDER / __version__
    _ours(recordings)
    for shape in SHAPES_OF_THEIRS:
        _theirs(recordings, shape)
    sys.stdout.write(f"{len(list(recordings.glob('*.json')))} scenes in {recordings}\n")
    return 0


def _ours(recordings: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pw-rec-"))
    with ApiServer(folder / "api") as apiserver:
        deploy(apiserver)
        with (
            CoordinatorProcess(apiserver, folder / "coordinator") as coordinator,
            Stage(folder, recordings=recordings, apiserver=apiserver) as stage,
        ):
            coordinator.until_leading()
            scenes.record_all(stage)
    shutil.rmtree(folder)


def _theirs(recordings: Path, shape: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pw-rec-"))
    with ApiServer(folder / "api") as apiserver:
        install(apiserver, SHAPES[shape])
        version = str(SHAPES[shape].release)
        with Stage(folder, recordings=recordings, apiserver=apiserver, version=version) as stage:
            theirs.record_all(stage, shape=shape)
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
