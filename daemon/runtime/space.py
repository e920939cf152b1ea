"""
Free space where images are kept.

The floor that is derived from it belongs to the node loop.
"""

import os
from pathlib import Path

from daemon.runtime.errors import CriError
from daemon.runtime.interface import ImageFilesystem


def filesystem_of(mountpoint: str, *, root: Path = Path("/")) -> ImageFilesystem:
    """
    Measure the filesystem of `mountpoint` where we can see it, else that of `root`.

    In a container the runtime's directories are seldom mounted, but our own overlay lies on the same filesystem, and an
    overlay's statvfs is that of its upper directory. Free is what an ordinary process may use: the kubelet counts so.

    Raises:
        CriError: neither can be measured.
    """
    try:
        return _measured(mountpoint or str(root))
    except OSError:
        # Not there, or not for us to see: containerd keeps its folders to root.
        return _root_measured(root)


def _root_measured(root: Path) -> ImageFilesystem:
    try:
        return _measured(str(root))
    except OSError as error:
        raise CriError(f"the free space of {root} cannot be measured: {error.strerror}") from error


def _measured(path: str) -> ImageFilesystem:
    stat = os.statvfs(path)
    return ImageFilesystem(
        mountpoint=path, total_bytes=stat.f_blocks * stat.f_frsize, free_bytes=stat.f_bavail * stat.f_frsize
    )
