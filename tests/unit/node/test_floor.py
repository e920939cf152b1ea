"""The disk floor."""

import pytest

from daemon.node.floor import space_shortage
from daemon.runtime.interface import ImageFilesystem


GIB = 2**30


def filesystem(*, free_bytes: int, total_bytes: int = 100 * GIB) -> ImageFilesystem:
    """Return a filesystem of 100 GiB with so much free."""
    return ImageFilesystem(mountpoint="/var/lib/containerd", total_bytes=total_bytes, free_bytes=free_bytes)


@pytest.mark.parametrize(
    ("floor", "floor_bytes"), [("20%", 20 * GIB), ("10Gi", 10 * GIB), ("5G", 5 * 10**9), ("0%", 0)]
)
def test_exactly_the_floor_is_enough(floor: str, floor_bytes: int) -> None:
    """One byte less is short."""
    assert space_shortage(filesystem(free_bytes=floor_bytes), floors=(floor,)) is None

    if floor_bytes:
        assert space_shortage(filesystem(free_bytes=floor_bytes - 1), floors=(floor,)) is not None


def test_the_largest_floor_holds() -> None:
    """A job may ask for more than the node's --min-free, and cannot ask for less."""
    free = filesystem(free_bytes=15 * GIB)

    assert space_shortage(free, floors=("10%", "12Gi")) is None
    assert space_shortage(free, floors=("20%", "1Gi")) is not None
    assert space_shortage(free, floors=("1Gi", "20%")) is not None


def test_without_a_floor_nothing_is_short() -> None:
    """Not even a full disk: the runtime's own words will say so."""
    assert space_shortage(filesystem(free_bytes=0), floors=()) is None


def test_a_shortage_says_what_is_free_where_and_what_helps() -> None:
    """The message is the status's."""
    short = space_shortage(filesystem(free_bytes=GIB), floors=("20%",))

    assert short is not None
    for part in ("1.00 GiB free", "/var/lib/containerd", "20.00 GiB must stay free", "--min-free"):
        assert part in short.message


def test_a_floor_above_the_whole_filesystem_is_a_shortage_not_an_error() -> None:
    """Somebody's 500Gi on a node with 100."""
    assert space_shortage(filesystem(free_bytes=100 * GIB), floors=("500Gi",)) is not None


def test_a_filesystem_of_unknown_size_has_no_share_to_keep() -> None:
    """A runtime that tells no total does not stop every pull."""
    assert space_shortage(filesystem(free_bytes=0, total_bytes=0), floors=("20%",)) is None
