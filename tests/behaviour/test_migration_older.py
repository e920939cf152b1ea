"""
A cluster like a user's of OpenKruise 1.6 or 1.8 goes over to Prewarm and back: its kinds know `v1alpha1` alone.

One node with a real containerd. What is the same as with 1.9 is test_migration.py's; here it is about what is stored in
which version, and about copies of secrets that are a job's own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.behaviour.migration_move import WAIT_SECONDS, Machines, Move, moving, stored
from tests.behaviour.migration_tenants import ALWAYS, NEVER, fetches, finalizers, standing
from tests.behaviour.openkruise.cluster import SHAPES
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Hosts
from tests.servers.fixtures import StartContainerd
from tests.servers.fixtures_agent import ON_NEWEST
from tests.servers.images import Push
from tests.servers.objects import ObjectOnServer
from tests.servers.openkruise.manager_jobs import FINALIZER
from tests.servers.processes import until
from tests.servers.registry import Registry


pytestmark = [ON_NEWEST, pytest.mark.timeout(240)]

OVER: Final = (
    "1. Look, and keep a copy",
    "2. The agents",
    "3. The kinds, and a coordinator that stands aside",
    "4. The turn",
    "5. What is left of the old versions",
)
BACK: Final = ("Back 1. The coordinator ends", "Back 2. The kinds", "Back 3. The turn", "Back 4. kruise-daemon")


@pytest.fixture
def move(
    apiserver: ApiServer,
    private_registry: Registry,
    push_private: Push,
    hosts: Hosts,
    start_containerd: StartContainerd,
    workdir: Path,
) -> Iterator[Move]:
    """OpenKruise with its kinds of before 1.9."""
    machines = Machines({"worker-1": start_containerd().endpoint}, (), private_registry, hosts, push_private)
    with moving(apiserver, SHAPES["like-1.6"], machines, folder=workdir, places={}) as move:
        yield move


def test_a_cluster_of_an_older_release_goes_over_and_back(move: Move) -> None:
    """No job is lost and nothing is pulled twice, also where a job waits under one and goes on under the other."""
    first, second = move.tenants
    first.job("base", policy=NEVER)
    second.job("waiting", policy=ALWAYS, parallelism=0)
    second.list_of("nightly", "nightly-a", version="v1alpha1")
    first.until_succeeded("base", 1)
    second.until_listed("nightly", version="v1alpha1", completed=1)
    before = standing(move.apiserver, version="v1alpha1")

    for heading in OVER:
        move.follow(heading)
    over = standing(move.apiserver, version="v1beta1")
    stored_over = stored(move.apiserver)
    finalizers_over = finalizers(move.apiserver, version="v1beta1")
    second.go_on("waiting")
    second.cluster.completed("waiting")
    second.job("late", policy=ALWAYS, parallelism=0)
    between = standing(move.apiserver, version="v1beta1")
    for heading in BACK:
        move.follow(heading)
    back = standing(move.apiserver, version="v1alpha1")
    second.go_on("late")
    second.cluster.completed("late")

    assert before == over
    assert ({"v1beta1"}, set()) == (stored_over, finalizers_over)
    assert between == back
    assert ({"v1alpha1"}, {FINALIZER}) == (stored(move.apiserver), finalizers(move.apiserver, version="v1alpha1"))
    until(
        lambda: [1, 0] == [len(tenant.copies()) for tenant in move.tenants], what="copies", timeout_seconds=WAIT_SECONDS
    )
    images = [image for tenant in move.tenants for image in tenant.images.values()]
    assert [[1, 1]] * len(images) == [fetches(move.proxy, image) for image in images]
    check_end(move)


def check_end(move: Move) -> None:
    """Check that OpenKruise's software can go for good: Helm can take no kind away any more, and the jobs stay."""
    release = ObjectOnServer(move.apiserver, "/api/v1/namespaces/kruise-system/secrets", "sh.helm.release.v1.kruise.v1")
    release.create({"metadata": {"labels": {"owner": "helm", "name": "kruise"}}, "type": "helm.sh/release.v1"})
    before = standing(move.apiserver, version="v1alpha1")

    move.follow("When it is for good")

    assert release.find() is None
    assert "" == move.follower.run("kubectl get deployments,daemonsets,leases --namespace kruise-system --output name")
    assert before == standing(move.apiserver, version="v1alpha1")
