"""
The disk floor: how many bytes must stay free, and what to say when they would not.

Pure; asking the filesystem is runtime/'s. Below 15 % free a kubelet evicts Pods, so the default floor lies above that.
"""

from collections.abc import Iterable

import msgspec

from daemon.api.quantity import bytes_to_keep_free
from daemon.runtime.interface import ImageFilesystem


class SpaceShort(msgspec.Struct, frozen=True, kw_only=True):
    """The image filesystem has less free than it should keep."""

    message: str


def space_shortage(filesystem: ImageFilesystem, *, floors: Iterable[str], needed_bytes: int = 0) -> SpaceShort | None:
    """
    Compare free bytes with the largest of the floors ("20%" of the filesystem, or a quantity such as "10Gi").

    `needed_bytes` must be there above the floor, where that is known.
    """
    floor_bytes = max((bytes_to_keep_free(floor, total_bytes=filesystem.total_bytes) for floor in floors), default=0)
    if filesystem.free_bytes >= floor_bytes + needed_bytes:
        return None
    needs = f" and the image needs at least {_gibibytes(needed_bytes)}" if needed_bytes else ""
    return SpaceShort(
        message=f"{_gibibytes(filesystem.free_bytes)} free on {filesystem.mountpoint}, "
        f"{_gibibytes(floor_bytes)} must stay free{needs}: remove images, enlarge the disk, or lower --min-free"
    )


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
