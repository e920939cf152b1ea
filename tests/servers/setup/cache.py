"""
The folder that keeps what is slow to bring, so that it is brought once: `${XDG_CACHE_HOME:-~/.cache}/prewarm`.

Several runs may share it: an entry is filled under a lock and appears whole or not at all.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def folder() -> Path:
    """Return the cache folder, made if absent."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "prewarm"
    path.mkdir(parents=True, exist_ok=True)
    return path


def kept(name: str, fill: Callable[[Path], None]) -> Path:
    """
    Return the cache's folder `name`; where it is absent, let `fill` put the files into it first.

    `fill` gets an empty folder that takes the final name only when it returns, so an interrupted run leaves nothing
    that looks finished. Another process that wants the same entry waits for this one.
    """
    final = folder() / name
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(final):
        if not final.is_dir():
            partial = final.with_name(f"{final.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            fill(partial)
            partial.rename(final)
    return final


def forget_older(used: Path, *, kept: int) -> None:
    """Remove all but the last used of the entries beside `used`, which counts as the very last."""
    used.touch()
    entries = [each for each in used.parent.iterdir() if each.is_dir() and not each.name.endswith(".partial")]
    for each in sorted(entries, key=lambda each: each.stat().st_mtime)[:-kept]:
        shutil.rmtree(each, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that goes with `path`, over threads and processes; the kernel frees it when a process dies."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
