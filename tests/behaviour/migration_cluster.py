"""
A cluster whose Deployments and DaemonSets are followed by processes: OpenKruise's stand-ins, and Prewarm's own.

What the controllers of a cluster do by themselves is done by `settle`, for the two DaemonSets and the two Deployments
that a migration touches: what one of them wants is started or ended, and its status says so. Everything is started from
the test's own thread, which the processes need.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.gateway import Gateway
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.openkruise.daemon import Daemon
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.openkruise.manager_lease import ManagerLease
from tests.servers.openkruise.manager_objects import Release
from tests.servers.openkruise.webhooks import Webhooks
from tests.servers.scripted_agents import Pulls, ScriptedAgent, ScriptedAgents, Succeeds


OPENKRUISE: Final = "kruise-system"
PREWARM: Final = "prewarm-system"
LEASE_SECONDS: Final = 3

_COUNTS_OF_A_DEPLOYMENT: Final = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
_COUNTS_OF_A_DAEMONSET: Final = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
    "numberMisscheduled",
)

Begin = Callable[[contextlib.ExitStack], None]


class Host(msgspec.Struct, frozen=True):
    """A node with a runtime."""

    name: str
    endpoint: str


class SlowNodes:
    """Nodes whose pulls go on until a test lets them end: by whichever daemon is there."""

    def __init__(self, agents: ScriptedAgents | None = None, names: Sequence[str] = ()) -> None:
        self.names = tuple(names) if agents else ()
        self.slow: set[str] = set()
        self._agents = agents
        self._served: list[ScriptedAgent] = []

    def serve(self, *, is_ours: bool) -> None:
        """Let a daemon of ours, or of theirs, begin there."""
        if self._agents is not None:
            answers = dict.fromkeys(self.slow, Pulls())
            self._served = [self._agents.serve(name, of_images=answers, is_ours=is_ours) for name in self.names]

    def stop(self) -> None:
        """Let nobody be there."""
        for agent in self._served:
            agent.stop()

    def hold(self, image: str) -> None:
        """Let the pulls of an image go on."""
        self._say(image, Pulls())
        self.slow.add(image)

    def finish(self, image: str) -> None:
        """Let them end well."""
        self.slow.discard(image)
        self._say(image, Succeeds())

    def _say(self, image: str, answer: Pulls | Succeeds) -> None:
        for agent in self._served:
            agent.says(answer, image=image)


class Workload:
    """
    One Deployment or DaemonSet, and what runs while it wants Pods.

    Args:
        apiserver: where it is, or comes to be.
        kind: of the two.
        place: its namespace and name.
        nodes: where a DaemonSet has a Pod each.
        begin: starts what its Pods are.
    """

    def __init__(
        self, apiserver: ApiServer, kind: str, place: tuple[str, str], *, nodes: Sequence[str], begin: Begin
    ) -> None:
        self._apiserver = apiserver
        self._namespace, self._name = place
        self._is_deployment = kind == "Deployment"
        self._nodes = () if self._is_deployment else nodes
        collection = f"/apis/apps/v1/namespaces/{self._namespace}/{kind.lower()}s"
        self._object = ObjectOnServer(apiserver, collection, self._name)
        self._begin = begin
        self._running: contextlib.ExitStack | None = None

    def end(self) -> None:
        """End what runs."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def end_unwanted(self) -> None:
        """End what runs, unless it is wanted."""
        if not self._wanted():
            self.end()

    def settle(self) -> None:
        """Start what is wanted and does not run, and say so."""
        wanted = self._wanted()
        if wanted and self._running is None:
            self._running = contextlib.ExitStack()
            for node in self._nodes:
                self._running.enter_context(self._pod(node))
            self._begin(self._running)
        if self._object.find() is not None:
            self._report(wanted)

    @contextlib.contextmanager
    def _pod(self, node: str) -> Iterator[None]:
        """Have a Pod that runs, as far as others see."""
        template = self._object.read()["spec"]["template"]
        account = template["spec"].get("serviceAccountName", "default")
        self._apiserver.account(self._namespace, account)
        labels = template["metadata"]["labels"]
        main = {"name": "main", "image": "registry.test/none:1"}
        spec = {"nodeName": node, "serviceAccountName": account, "containers": [main]}
        pod = ObjectOnServer(self._apiserver, f"/api/v1/namespaces/{self._namespace}/pods", f"{self._name}-{node}")
        pod.create({"kind": "Pod", "metadata": {"labels": labels}, "spec": spec})
        pod.patch({"status": {"phase": "Running"}}, subresource="status")
        yield
        with contextlib.suppress(ApiFailed):
            self._apiserver.request("DELETE", f"{pod.path}?gracePeriodSeconds=0")

    def _wanted(self) -> int:
        found = self._object.find()
        if found is None or "deletionTimestamp" in found["metadata"]:
            return 0
        if self._is_deployment:
            replicas: int = found["spec"].get("replicas", 1)
            return replicas
        # Of the labels that are selected by in these tests, this is the one that no node has.
        return 0 if "prewarm.internal/replaced" in _node_selector(found) else 1

    def _report(self, count: int) -> None:
        generation = self._object.read()["metadata"]["generation"]
        names = _COUNTS_OF_A_DEPLOYMENT if self._is_deployment else _COUNTS_OF_A_DAEMONSET
        status = {**dict.fromkeys(names, count), "observedGeneration": generation}
        self._object.patch({"status": status}, subresource="status")


class MovingCluster:
    """
    One cluster that has OpenKruise; whether Prewarm is there too is what its objects say.

    Args:
        apiserver: its own.
        release: of OpenKruise.
        webhooks: OpenKruise's, entered.
        hosts: its nodes that have a runtime.
        slow: its nodes that have none, where a test answers.
        folder: for the processes.
    """

    def __init__(
        self,
        apiserver: ApiServer,
        *,
        release: Release,
        webhooks: Webhooks,
        hosts: Sequence[Host],
        slow: SlowNodes,
        folder: Path,
    ) -> None:
        self.apiserver = apiserver
        self.release = release
        self.managers: list[Manager] = []
        self.coordinators: list[CoordinatorProcess] = []
        self.gateways: list[Gateway] = []
        self._webhooks = webhooks
        self._hosts = hosts
        self._slow = slow
        self._folder = folder
        self._lease = ManagerLease(apiserver, duration_seconds=LEASE_SECONDS, period_seconds=0.5)
        self._workloads = [
            Workload(apiserver, kind, place, nodes=[*slow.names, *(host.name for host in hosts)], begin=begin)
            for kind, place, begin in (
                ("Deployment", (OPENKRUISE, "kruise-controller-manager"), self._begin_manager),
                ("DaemonSet", (OPENKRUISE, "kruise-daemon"), self._begin_daemons),
                ("Deployment", (PREWARM, "prewarm-coordinator"), self._begin_coordinator),
                ("DaemonSet", (PREWARM, "prewarm-agent"), self._begin_agents),
            )
        ]

    def install_openkruise(self) -> None:
        """Bring what OpenKruise's chart would, as far as the steps touch it."""
        self.apiserver.account(OPENKRUISE, "kruise-daemon")
        for kind, name in (("Deployment", "kruise-controller-manager"), ("DaemonSet", "kruise-daemon")):
            collection = f"/apis/apps/v1/namespaces/{OPENKRUISE}/{kind.lower()}s"
            ObjectOnServer(self.apiserver, collection, name).create(_workload(kind, name))
        self.settle()

    def settle(self) -> None:
        """Let everything follow what the objects say: first what ends, then what begins."""
        for workload in self._workloads:
            workload.end_unwanted()
        for workload in self._workloads:
            workload.settle()

    def close(self) -> None:
        """End everything."""
        for workload in self._workloads:
            workload.end()

    def _begin_manager(self, running: contextlib.ExitStack) -> None:
        self._webhooks.leave()
        self._webhooks.answer()
        running.callback(self._webhooks.leave)
        manager = running.enter_context(Manager(manager_client(self.apiserver), release=self.release))
        self.managers.append(manager)
        manager.start()
        self._lease.start()
        # It is told to end and dies before it has given the Lease back, which is the slower way.
        running.callback(self._lease.leave)

    def _begin_daemons(self, running: contextlib.ExitStack) -> None:
        for host in self._hosts:
            client = manager_client(self.apiserver, user_agent="kruise-daemon/v1.9.0")
            daemon = Daemon(client, node=host.name, endpoint=host.endpoint, release=self.release)
            running.enter_context(daemon)
        self._serve(running, is_ours=False)

    def _serve(self, running: contextlib.ExitStack, *, is_ours: bool) -> None:
        self._slow.serve(is_ours=is_ours)
        running.callback(self._slow.stop)

    def _begin_agents(self, running: contextlib.ExitStack) -> None:
        for host in self._hosts:
            folder = self._folder / f"agent-{host.name}"
            agent = AgentProcess(self.apiserver, folder, node_name=host.name, endpoint=host.endpoint)
            running.enter_context(agent)
        self._serve(running, is_ours=True)

    def _begin_coordinator(self, running: contextlib.ExitStack) -> None:
        gateway = running.enter_context(Gateway(self.apiserver))
        name = f"coordinator-{len(self.coordinators)}"
        process = CoordinatorProcess(self.apiserver, self._folder / name, name=name, variables=gateway.variables)
        self.gateways.append(gateway)
        self.coordinators.append(running.enter_context(process))


def _workload(kind: str, name: str) -> Json:
    labels = {"control-plane": name}
    pod = {"containers": [{"name": "main", "image": "registry.test/none:1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _node_selector(found: Json) -> Json:
    selector: Json = found["spec"]["template"]["spec"].get("nodeSelector") or {}
    return selector
