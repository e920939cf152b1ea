"""
What the kernel counts for one container: its memory as the kubelet counts it, and its processor time.

The working set is what a Pod is evicted by: all memory that is charged to it, less the file pages that nobody has used
lately. Versions 1 and 2 of cgroups have other names for the same.
"""

import contextlib
import os
from pathlib import Path
from typing import Final, Self

import msgspec


MIB: Final = 1 << 20
NANOSECONDS: Final = 1_000_000_000
MICROSECONDS: Final = 1_000_000


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of a container."""

    working_set_mib: float
    anon_mib: float
    cpu_seconds: float


class ContainerCgroup:
    """
    A container's folders.

    Args:
        memory: where memory is counted.
        cpu: where processor time is: the same folder in version 2.
    """

    def __init__(self, memory: Path, *, cpu: Path) -> None:
        self._memory = memory
        self._cpu = cpu

    @classmethod
    def below(cls, memory: Path, container_id: str, *, cpu: Path) -> Self:
        """
        Find a container's folders below those of its cluster.

        Raises:
            FileNotFoundError: it does not run.
        """
        found = [next(folder.rglob(container_id), None) for folder in (memory, cpu)]
        if found[0] is None or found[1] is None:
            raise FileNotFoundError(f"no cgroup of container {container_id} below {memory}")
        return cls(found[0], cpu=found[1])

    def sample(self) -> Sample:
        """Read it."""
        is_first = (self._memory / "memory.usage_in_bytes").exists()
        usage = self._memory / ("memory.usage_in_bytes" if is_first else "memory.current")
        return sample_of(
            usage=usage.read_text(),
            memory_stat=(self._memory / "memory.stat").read_text(),
            cpu=(self._cpu / ("cpuacct.usage" if is_first else "cpu.stat")).read_text(),
        )


def sample_of(*, usage: str, memory_stat: str, cpu: str) -> Sample:
    """Make a sample of the files' text: version 1's `cpu` is one number, version 2's a table."""
    stat = _table(memory_stat)
    inactive = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    anon = stat.get("total_rss", stat.get("anon", 0))
    seconds = int(cpu) / NANOSECONDS if cpu.strip().isdigit() else _table(cpu)["usage_usec"] / MICROSECONDS
    return Sample(
        # A counter may run a little behind the other.
        working_set_mib=max(0, int(usage) - inactive) / MIB,
        anon_mib=anon / MIB,
        cpu_seconds=seconds,
    )


def forget_pages(folder: Path) -> None:
    """Have the kernel drop the pages of every file below a folder that no process has mapped."""
    # What is gone by now has none.
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    _forget_pages_of(path)


def _forget_pages_of(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _table(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}
