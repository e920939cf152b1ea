"""Filesystems of a test's own: small ones that fill up, and the clean-up of whatever stays mounted in a folder."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path


class Filesystem(StrEnum):
    """What `mounted` makes: TMPFS is quick, EXT4 (a file behind a loop device) has reserved blocks and inodes."""

    TMPFS = "tmpfs"
    EXT4 = "ext4"


@contextlib.contextmanager
def mounted(folder: Path, *, size_bytes: int, filesystem: Filesystem = Filesystem.TMPFS) -> Iterator[Path]:
    """Mount a new filesystem of size_bytes at `folder` (made if absent) and unmount it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    if filesystem is Filesystem.TMPFS:
        _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder))
    else:
        image = folder.with_name(f"{folder.name}.ext4")
        with image.open("wb") as file:
            file.truncate(size_bytes)
        _run("mkfs.ext4", "-q", "-F", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield folder
    finally:
        unmount_below(folder)


def unmount_below(folder: Path) -> None:
    """Unmount what is mounted at `folder` or below it, the deepest first; busy ones vanish when nobody uses them."""
    fields = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    points = [Path(parts[4].encode().decode("unicode_escape")) for parts in fields]
    for point in sorted((point for point in points if point.is_relative_to(folder)), reverse=True):
        _run("umount", "--lazy", str(point))


def has_overlay(folder: Path) -> bool:
    """Tell whether an overlay can be mounted with its layers in `folder` (not inside a container's own overlay)."""
    place = Path(tempfile.mkdtemp(prefix="overlay-", dir=folder))
    for name in ("lower", "upper", "work", "target"):
        (place / name).mkdir()
    options = f"lowerdir={place / 'lower'},upperdir={place / 'upper'},workdir={place / 'work'}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(place / "target")]
    # In a mount namespace of its own: the mount is gone when the command ends.
    done = subprocess.run(["unshare", "--mount", *mount], check=False, capture_output=True, timeout=10)
    shutil.rmtree(place)
    return done.returncode == 0


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
