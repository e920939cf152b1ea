"""Prewarm's own Pods on a cluster, as Kubernetes shows them: who runs where, who leads, and who was started again."""

from typing import Final

from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import NAMESPACE
from tests.servers.objects import DEADLINE_SECONDS, Json, ObjectOnServer
from tests.servers.processes import until


PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
LEASES: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
LEASE: Final = "prewarm-coordinator"
AGENT: Final = "prewarm-agent"
COMPONENT: Final = "app.kubernetes.io/name"


class Ours:
    """The Pods of the namespace of Prewarm on the nodes that there are."""

    def __init__(self, cluster: LabCluster) -> None:
        self._apiserver = cluster.apiserver
        self._nodes = cluster.nodes
        self._lease = ObjectOnServer(cluster.apiserver, LEASES, LEASE)

    def pods(self) -> dict[str, Json]:
        """Return them by name; those of a node that has left stay a while, and are none of these."""
        found = self._apiserver.request("GET", PODS)["items"]
        return {pod["metadata"]["name"]: pod for pod in found if pod["spec"].get("nodeName", "") in {"", *self._nodes}}

    def restarts(self) -> dict[str, int]:
        """Return how often the kubelet has started each Pod's container again, by the Pod's name."""
        return {name: sum(one["restartCount"] for one in _containers(pod)) for name, pod in self.pods().items()}

    def agents(self) -> dict[str, str]:
        """Return the names of the agents' Pods, by node."""
        agents = [pod for pod in self.pods().values() if AGENT == pod["metadata"]["labels"][COMPONENT]]
        return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in agents if "nodeName" in pod["spec"]}

    def leader(self) -> str:
        """Return who holds the Lease, which is a Pod's name; "" where nobody does."""
        found: str = (self._lease.find() or {}).get("spec", {}).get("holderIdentity", "")
        return found

    def until_led(self, *, but: str = "", timeout_seconds: float = DEADLINE_SECONDS) -> str:
        """Return who holds the Lease, once that is another than `but`."""

        def taken() -> str:
            found = self.leader()
            return "" if found == but else found

        return until(taken, what=f"another than {but!r} leads", timeout_seconds=timeout_seconds)

    def until_all_ready(self, *, timeout_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until each of them answers its readiness probe."""

        def are_ready() -> bool:
            return all(any(one["ready"] for one in _containers(pod)) for pod in self.pods().values())

        until(are_ready, what="all of ours are ready", timeout_seconds=timeout_seconds)

    def version(self) -> str:
        """Return which version of them all is the newest: where `exit_codes` may begin."""
        found: str = self._apiserver.request("GET", PODS)["metadata"]["resourceVersion"]
        return found

    def exit_codes(self, *, since: str) -> dict[str, int]:
        """Return how the containers of the Pods ended that are gone since a version, by the Pod's name."""
        codes: dict[str, int] = {}
        for event in self._apiserver.watch(f"{PODS}?watch=1&resourceVersion={since}&timeoutSeconds=1"):
            pod = event["object"]
            for one in _containers(pod):
                if ended := one["state"].get("terminated"):
                    codes[pod["metadata"]["name"]] = ended["exitCode"]
        return codes


def _containers(pod: Json) -> list[Json]:
    found: list[Json] = pod.get("status", {}).get("containerStatuses", [])
    return found


def container_id(pod: Json) -> str:
    """Return by which name the runtime knows its container."""
    found: str = _containers(pod)[0]["containerID"]
    return found.partition("://")[2]
