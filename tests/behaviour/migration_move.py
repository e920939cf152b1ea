"""
A cluster that has OpenKruise, with two tenants, a private registry and somebody who follows the document.

What both ways of a migration have in common, whichever release of OpenKruise it is.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.behaviour.migration_cluster import Host, MovingCluster, SlowNodes
from tests.behaviour.migration_guide import Follower
from tests.behaviour.migration_tenants import Tenant
from tests.behaviour.openkruise.cluster import Cluster, Shape
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Hosts
from tests.servers.fixtures import USERS
from tests.servers.gateway import Gateway
from tests.servers.images import Push
from tests.servers.openkruise.webhook_rules import Gates
from tests.servers.openkruise.webhooks import Webhooks
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.scripted_agents import ScriptedAgents


WAIT_SECONDS: Final = 60.0
LINUX: Final = {"kubernetes.io/os": "linux"}


class Machines(msgspec.Struct, frozen=True):
    """
    What the nodes of a cluster are.

    Attributes:
        endpoints: the runtimes of those that have one, by name.
        slow: those on which a test holds the pulls.
        registry: what all of them pull from, as two users.
        hosts: where the runtimes look its name up.
        push: puts images into it.
    """

    endpoints: Mapping[str, str]
    slow: Sequence[str]
    registry: Registry
    hosts: Hosts
    push: Push


class Move(msgspec.Struct, frozen=True):
    """One cluster on its way; `places` says which blocks of a step are for its release, where not all are."""

    cluster: MovingCluster
    tenants: tuple[Tenant, Tenant]
    slow: SlowNodes
    follower: Follower
    proxy: FaultProxy
    places: Mapping[str, slice]

    @property
    def version(self) -> str:
        """What OpenKruise's release speaks."""
        return str(self.cluster.release)

    @property
    def apiserver(self) -> ApiServer:
        """Where all of it is."""
        return self.cluster.apiserver

    def follow(self, heading: str) -> list[str]:
        """Follow a step of the document, and return what each command has printed."""
        ran = self.follower.follow(heading, places=self.places.get(heading, slice(None)))
        return [each.output for each in ran]


@contextlib.contextmanager
def moving(
    apiserver: ApiServer, shape: Shape, machines: Machines, *, folder: Path, places: Mapping[str, slice]
) -> Iterator[Move]:
    """Bring OpenKruise, which leads, and the tenants, who have no jobs yet."""
    names = [*machines.endpoints, *machines.slow]
    crds.install(apiserver, shape.crds)
    parts = [Cluster(apiserver, release=shape.release, namespace=name) for name in ("team-a", "team-b")]
    for name in names:
        parts[0].create_node(name, labels=LINUX)
    with contextlib.ExitStack() as running:
        proxy = running.enter_context(FaultProxy(machines.registry.url))
        machines.hosts.add(proxy.host, proxy.url)
        agents = running.enter_context(ScriptedAgents(apiserver)) if machines.slow else None
        slow = SlowNodes(agents, machines.slow)
        versions = tuple(version["name"] for version in shape.crds[0]["spec"]["versions"])
        webhooks = Webhooks(apiserver, versions=versions, gates=Gates(image_pull_job=True))
        cluster = MovingCluster(
            apiserver,
            release=shape.release,
            webhooks=running.enter_context(webhooks),
            hosts=[Host(name, endpoint) for name, endpoint in machines.endpoints.items()],
            slow=slow,
            folder=folder,
        )
        running.callback(cluster.close)
        cluster.install_openkruise()
        first, second = (
            Tenant(part, nodes=names, push=machines.push, proxy=proxy, user=user)
            for part, user in zip(parts, USERS.items(), strict=True)
        )
        follower = Follower(apiserver.kubeconfig, folder, settle=cluster.settle)
        yield Move(cluster, (first, second), slow, follower, proxy, places)


def row(page: str) -> str:
    """Return the row that a page of `prewarm check` begins with."""
    return page.partition(":")[0]


def stored(apiserver: ApiServer) -> set[str]:
    """Return the versions in which objects of the three kinds may lie in etcd."""
    found = [apiserver.request("GET", f"{crds.PATH}/{crd['metadata']['name']}") for crd in crds.ours()]
    return {version for crd in found for version in crd["status"]["storedVersions"]}


def written(gateway: Gateway) -> list[str]:
    """Return what a coordinator has written: not its dry runs."""
    methods = ("POST", "PUT", "PATCH", "DELETE")
    return [one.path for method in methods for one in gateway.seen(method) if "dryRun" not in one.path]
