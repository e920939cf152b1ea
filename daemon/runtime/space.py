"""
Free space where images are kept.

The floor that is derived from it belongs to the node loop.
"""

import os
from pathlib import Path

from daemon.runtime.interface import ImageFilesystem


def filesystem_of(mountpoint: str, *, root: Path = Path("/")) -> ImageFilesystem:
    """
    Measure the filesystem of `mountpoint` where we can see it, else that of `root`.

    In a container the runtime's directories are seldom mounted, but our own overlay lies on the same filesystem, and an
    overlay's statvfs is that of its upper directory. Free is what an ordinary process may use: the kubelet counts so.
    """
    seen = mountpoint if mountpoint and Path(mountpoint).is_dir() else str(root)
    stat = os.statvfs(seen)
    return ImageFilesystem(
        mountpoint=seen, total_bytes=stat.f_blocks * stat.f_frsize, free_bytes=stat.f_bavail * stat.f_frsize
    )
