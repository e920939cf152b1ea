"""
The cgroups of a cluster's Pods: one folder of the machine's tree, the only thing that no namespace takes along.

It is named after the process that holds the cluster, so that a later one removes what a killed one left.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.servers.processes import until


TREE: Final = Path("/sys/fs/cgroup")
PREFIX: Final = "prewarm-lab-"


class Cgroups:
    """The folder of one cluster in every hierarchy that the machine has; its nodes take that for the whole tree."""

    def __init__(self) -> None:
        for left in _all(f"{PREFIX}*"):
            if not _runs(left.name.removeprefix(PREFIX).partition("-")[0]):
                _remove(left)
        self.name = _free_name()

    @property
    def enter(self) -> Sequence[str]:
        """The commands that move a shell into it; a cgroup namespace that it makes then has its root here."""
        return [f"echo $$ >{hierarchy / self.name / 'cgroup.procs'}" for hierarchy in _hierarchies()]

    @property
    def mounts(self) -> Sequence[str]:
        """The commands that make a mount namespace see nothing else, and clear its root, which v2 wants empty."""
        seen = [f"mount --bind {hierarchy / self.name} {hierarchy}" for hierarchy in _hierarchies()]
        init = [
            f"mkdir -p {hierarchy}/init; echo $$ >{hierarchy}/init/cgroup.procs"
            for hierarchy in _hierarchies()
            if hierarchy == TREE
        ]
        return [*seen, *init]

    def folder(self, controller: str) -> Path:
        """Return the folder where a controller such as memory counts: its own hierarchy in v1, the one in v2."""
        own = TREE / controller
        return (own if own.is_dir() else TREE) / self.name

    def remove(self) -> None:
        """Remove it; whatever ran in it has been killed, and ends in a moment."""
        for folder in _all(self.name):
            until(lambda folder=folder: _remove(folder), what=f"{folder} is empty", timeout_seconds=10)  # type: ignore[misc]


def _runs(process: str) -> bool:
    # One that has ended and is not waited for yet has no program any more.
    return Path("/proc", process, "exe").exists()


def _free_name() -> str:
    number = 1
    while any(_all(name := f"{PREFIX}{os.getpid()}-{number}")):
        number += 1
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir()
        _let_children_have_all(hierarchy, hierarchy / name)
    return name


def _hierarchies() -> Iterator[Path]:
    if (TREE / "cgroup.controllers").exists():
        yield TREE
    else:
        # Two names may be links to one hierarchy.
        yield from sorted({folder.resolve() for folder in TREE.iterdir() if folder.is_dir()})


def _let_children_have_all(hierarchy: Path, folder: Path) -> None:
    """In v2 a controller has to be handed down; in v1 a new cpuset is empty unless it is told to copy its parent's."""
    controllers = hierarchy / "cgroup.controllers"
    if hierarchy == TREE and controllers.exists():
        (hierarchy / "cgroup.subtree_control").write_text(
            " ".join(f"+{name}" for name in controllers.read_text().split())
        )
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (folder / name).exists() and (hierarchy / name).exists():
            (folder / name).write_text((hierarchy / name).read_text())


def _all(pattern: str) -> Iterator[Path]:
    for hierarchy in _hierarchies():
        yield from hierarchy.glob(pattern)


def _remove(folder: Path) -> bool:
    inside = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    for path in (*inside, folder):
        with contextlib.suppress(OSError):
            path.rmdir()
    return not folder.exists()
