import os
from pathlib import Path

import pytest

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
