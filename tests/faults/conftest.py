"""What Prewarm does while something is broken; its tests have an API server a module, and the lab's other servers."""

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
from tests.servers.fixtures_agent import deployed, node_image, start_agent
from tests.servers.fixtures_apiserver import (
    apiserver,
    apiserver_flags,
    names,
    namespace,
    pytest_collection_modifyitems,
    pytest_runtest_call,
    pytest_runtest_setup,
)


__all__ = [
    "apiserver",
    "apiserver_flags",
    "containerd",
    "containerd_binaries",
    "deployed",
    "faults",
    "hosts",
    "mount_disk",
    "names",
    "namespace",
    "node_image",
    "private_registry",
    "push",
    "push_private",
    "pytest_collection_modifyitems",
    "pytest_runtest_call",
    "pytest_runtest_setup",
    "registry",
    "runtime",
    "start_agent",
    "start_containerd",
    "workdir",
]
