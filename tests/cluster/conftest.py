"""
What the tests on real nodes have: a cluster a module, with Prewarm on it; every test here needs root.

A module's tests share its cluster, and each brings it back to three warm nodes' worth of order, or adds nodes of its
own and takes them away.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.cluster import waiting
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import Product
from tests.servers.cluster.settings import REGISTRY
from tests.servers.disks import unmount_below
from tests.servers.fixtures_apiserver import Names, names
from tests.servers.images import Push, PushedImage
from tests.servers.layers import Layer


__all__ = ["Names", "cluster", "names", "product", "push"]

PushApp = Callable[..., PushedImage]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder; what a cluster does takes longer than what a server does."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[LabCluster]:
    """The module's cluster: three real nodes, or as many as its NODES says, and nothing of ours on it."""
    if os.geteuid() != 0:
        pytest.fail('the cluster mounts disks and runs containers, so it needs root; deselect it with -m "not lab"')
    folder = Path(tempfile.mkdtemp(prefix="pw-k-"))
    with LabCluster(folder / "c", nodes=getattr(request.module, "NODES", 3)) as cluster:
        yield cluster
    unmount_below(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def product(cluster: LabCluster) -> Product:
    """The cluster with daemonset.yaml applied, all Pods of it up."""
    product = Product(cluster)
    product.install()
    return product


@pytest.fixture
def push(cluster: LabCluster) -> PushApp:
    """Push an image whose Pods run, by the name that nodes have for the registry."""
    registry = Push(cluster.registry)

    def pushed(
        repository: str, *, tag: str = "latest", layers: tuple[int | Layer, ...] = (), seed: int = 0
    ) -> PushedImage:
        layers = (waiting.layer(), *(layers or (1024,)))
        return registry(repository, tag=tag, layers=layers, seed=seed, entrypoint=waiting.ENTRYPOINT).at(REGISTRY)

    return pushed
