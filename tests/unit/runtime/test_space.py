import os
from pathlib import Path

import pytest

from daemon.runtime.errors import CriError
from daemon.runtime.space import filesystem_of


def test_a_mountpoint_that_we_see_is_measured(tmp_path: Path) -> None:
    """Total and free are those of the filesystem the folder lies on; root's reserve is not free."""
    measured = filesystem_of(str(tmp_path))

    stat = os.statvfs(tmp_path)
    assert (str(tmp_path), stat.f_blocks * stat.f_frsize) == (measured.mountpoint, measured.total_bytes)
    assert 0 <= measured.free_bytes <= stat.f_bfree * stat.f_frsize


@pytest.mark.parametrize("mountpoint", ["", "/no/such/folder"])
def test_a_mountpoint_that_we_cannot_see_is_our_own_root(mountpoint: str, tmp_path: Path) -> None:
    """In a container without the runtime's folder our own root stands for it."""
    assert str(tmp_path) == filesystem_of(mountpoint, root=tmp_path).mountpoint


def test_a_mountpoint_that_is_kept_from_us_is_our_own_root(tmp_path: Path) -> None:
    """A path that can't be looked at (a loop of links, here; root's own folders, for others) ends nothing."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    assert str(tmp_path) == filesystem_of(str(loop / "inside"), root=tmp_path).mountpoint


def test_space_that_cannot_be_measured_is_an_error_of_the_runtimes(tmp_path: Path) -> None:
    """The attempt ends with it, and the loop goes on."""
    with pytest.raises(CriError, match="cannot be measured: No such file"):
        filesystem_of("", root=tmp_path / "gone")
