"""What Prewarm does on a real API server: its tests have one a module, and the lab's other servers."""

from tests.servers.fixtures import (
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
from tests.servers.fixtures_apiserver import (
    apiserver,
    names,
    namespace,
    pytest_collection_modifyitems,
    pytest_runtest_call,
)


__all__ = [
    "apiserver",
    "containerd",
    "containerd_binaries",
    "faults",
    "hosts",
    "mount_disk",
    "names",
    "namespace",
    "private_registry",
    "push",
    "push_private",
    "pytest_collection_modifyitems",
    "pytest_runtest_call",
    "registry",
    "runtime",
    "start_containerd",
    "workdir",
]
