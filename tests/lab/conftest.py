"""What Prewarm does on a real containerd and a real registry: every test here starts one, and so needs root."""

from pathlib import Path

import pytest

from tests.servers.fixtures import (
    USERS,
    MountDisk,
    StartContainerd,
    containerd,
    containerd_binaries,
    faults,
    hosts,
    mount_disk,
    private_registry,
    push,
    push_private,
    registry,
    runtime,
    start_containerd,
    workdir,
)


__all__ = [
    "USERS",
    "MountDisk",
    "StartContainerd",
    "containerd",
    "containerd_binaries",
    "faults",
    "hosts",
    "mount_disk",
    "private_registry",
    "push",
    "push_private",
    "registry",
    "runtime",
    "start_containerd",
    "workdir",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.lab)
