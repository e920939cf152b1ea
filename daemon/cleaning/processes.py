"""
Which agents and runs are alive beside this process: they would make their leases again, or lose what they work on.

By /proc alone. From a container only its own processes are seen, and that is said rather than guessed.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec


# The first pid namespace of a machine has this number, on every Linux since 3.8 (include/linux/proc_ns.h).
_FIRST_NAMESPACE: Final = "pid:[4026531836]"
_ROLES: Final = frozenset({"agent", "run"})
_PROGRAMS: Final = frozenset({"prewarm", "kubectl-prewarm"})


class Process(msgspec.Struct, frozen=True, order=True):
    """A living process of ours, by its number and what it does: agent or run."""

    pid: int
    role: str


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """Those that were seen, and whether all of the node's processes could be."""

    seen: tuple[Process, ...]
    are_all: bool


def processes(*, proc: Path = Path("/proc")) -> Processes:
    """Look for living agents and runs but this process."""
    found = (_process(folder) for folder in proc.iterdir() if folder.name.isdecimal())
    return Processes(seen=tuple(sorted(one for one in found if one is not None)), are_all=_sees_all(proc))


def role_of(arguments: Sequence[str]) -> str:
    """Return what a command line does of ours, "" where it is another: `prewarm agent`, or the same by Python."""
    for place, word in enumerate(arguments[:-1]):
        is_module = word == "daemon" and place > 0 and arguments[place - 1] == "-m"
        if (is_module or Path(word).name in _PROGRAMS) and arguments[place + 1] in _ROLES:
            return arguments[place + 1]
    return ""


def _process(folder: Path) -> Process | None:
    try:
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    pid, role = int(folder.name), role_of(words)
    return Process(pid, role) if role and pid != os.getpid() else None


def _sees_all(proc: Path) -> bool:
    try:
        return str((proc / "self/ns/pid").readlink()) == _FIRST_NAMESPACE
    except OSError:
        return False
