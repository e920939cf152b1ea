"""
Fixtures that start a containerd, a registry and what lies between them, for any folder of tests whose conftest imports
them: each test gets servers of its own, in a folder of its own with a short path.

A test that asks for `containerd` (or `start_containerd`) runs once on each supported containerd. Whatever uses
`workdir` needs root; without root it fails and says so: deselect with `-m "not lab"`.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from daemon.runtime.connect import connect
from daemon.runtime.interface import ImageRuntime
from tests.servers import binaries
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd, Hosts, Setting
from tests.servers.disks import Filesystem, mounted, unmount_below
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


USERS = {"anna": "anna's password", "ben": "ben's password"}


class StartContainerd(Protocol):
    """Starts one more containerd of the test's version with settings of its own; see Containerd for them."""

    def __call__(
        self,
        name: str = ...,
        *,
        root: Path | None = ...,
        max_concurrent_downloads: int | None = ...,
        cri_settings: dict[str, Setting] | None = ...,
        extra_config: str = ...,
    ) -> Containerd:
        """Start it in a folder `name` of its own and return when it answers."""
        ...


class MountDisk(Protocol):
    """Mounts a disk of the test's own and returns its folder, for a containerd's root."""

    def __call__(self, size_bytes: int, *, filesystem: Filesystem = ...) -> Path:
        """Mount an empty one."""
        ...


@pytest.fixture
def workdir() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets; unmounted below and removed at the end."""
    if os.geteuid() != 0:
        pytest.fail('the lab mounts and starts containerd, so it needs root; deselect it with -m "not lab"')
    folder = Path(tempfile.mkdtemp(prefix="pw-"))
    yield folder
    unmount_below(folder)
    shutil.rmtree(folder)


@pytest.fixture(params=[binaries.OLDEST, binaries.NEWEST], ids=binaries.label)
def containerd_binaries(request: pytest.FixtureRequest) -> ContainerdBinaries:
    """Each supported containerd in turn."""
    name: str = request.param
    return binaries.containerd(name)


@pytest.fixture
def hosts(workdir: Path) -> Hosts:
    """Where every containerd of the test looks up a registry's name: `hosts.add(NAME, URL)`."""
    return Hosts(workdir / "hosts")


@pytest.fixture
def start_containerd(workdir: Path, containerd_binaries: ContainerdBinaries, hosts: Hosts) -> Iterator[StartContainerd]:
    """Start containerds with settings of the test's own; all are stopped at the end."""
    with contextlib.ExitStack() as running:

        def start(
            name: str = "c",
            *,
            root: Path | None = None,
            max_concurrent_downloads: int | None = None,
            cri_settings: dict[str, Setting] | None = None,
            extra_config: str = "",
        ) -> Containerd:
            containerd = Containerd(
                containerd_binaries,
                workdir / name,
                hosts=hosts,
                root=root,
                max_concurrent_downloads=max_concurrent_downloads,
                cri_settings=cri_settings,
                extra_config=extra_config,
            )
            return running.enter_context(containerd)

        yield start


@pytest.fixture
def containerd(start_containerd: StartContainerd) -> Containerd:
    """A running containerd with its defaults."""
    return start_containerd()


@pytest.fixture
def mount_disk(workdir: Path) -> Iterator[MountDisk]:
    """Mount small disks; ask for it before `start_containerd`, so that they go after it."""
    with contextlib.ExitStack() as disks:

        def mount(size_bytes: int, *, filesystem: Filesystem = Filesystem.TMPFS) -> Path:
            folder = Path(tempfile.mkdtemp(prefix="disk-", dir=workdir))
            return disks.enter_context(mounted(folder, size_bytes=size_bytes, filesystem=filesystem))

        yield mount


@pytest.fixture
def registry(workdir: Path) -> Iterator[Registry]:
    """A running registry that asks for nothing."""
    with Registry(workdir / "registry") as registry:
        yield registry


@pytest.fixture
def private_registry(workdir: Path) -> Iterator[Registry]:
    """A running registry with basic auth for the two tenants in USERS."""
    with Registry(workdir / "private", users=USERS) as registry:
        yield registry


@pytest.fixture
def push(registry: Registry) -> Push:
    """Push images into `registry`."""
    return Push(registry)


@pytest.fixture
def push_private(private_registry: Registry) -> Push:
    """Push images into `private_registry` as its first tenant."""
    return Push(private_registry, user=next(iter(USERS.items())))


@pytest.fixture
def faults(registry: Registry, hosts: Hosts) -> Iterator[FaultProxy]:
    """A proxy before `registry` that plays faults; containerd reaches it at `image.at(faults.host).reference`."""
    with FaultProxy(registry.url) as proxy:
        hosts.add(proxy.host, proxy.url)
        yield proxy


@pytest.fixture
def runtime(containerd: Containerd) -> Iterator[ImageRuntime]:
    """The code under test, connected to `containerd`."""
    runtime = connect(containerd.endpoint)
    yield runtime
    runtime.close()
