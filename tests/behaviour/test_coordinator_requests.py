"""
What the coordinator asks of an API server, and what it does without: OpenKruise's defects of writes, watches and hooks.

Every request passes a gateway. What it may ask at all is test_deploy_coordinator_rights.py's.
"""

from collections.abc import Iterator, Sequence

import msgspec
import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.deployment import SECRETS
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.gateway import Gateway
from tests.servers.jobs import job, totals
from tests.servers.nodeimages import entry
from tests.servers.processes import until
from tests.servers.scripted_agents import Pulls, ScriptedAgents
from tests.servers.secrets import SecretOnServer


IMAGE = "registry.test/app:v1"
# As many repositories as a NodeImage may have.
REPOSITORIES = 256
HOOKS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")


class Seen(msgspec.Struct, frozen=True):
    """A coordinator that leads, and the gateway that all its requests pass."""

    process: CoordinatorProcess
    gateway: Gateway

    def asked(self, *methods: str) -> list[str]:
        """Return the paths of its requests by these methods, but those of the Lease."""
        paths = [one.path for method in methods for one in self.gateway.seen(method)]
        return [path for path in paths if "/leases" not in path]


@pytest.fixture
def seen(deployed: ApiServer, start_coordinator: StartCoordinator) -> Iterator[Seen]:
    """A coordinator that leads, looked at."""
    with Gateway(deployed) as gateway:
        process = start_coordinator(variables=gateway.variables)
        process.until_leading()
        yield Seen(process, gateway)
        process.stop()


def test_nothing_is_replaced_and_each_node_is_written_once(
    seen: Seen, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """A guarded patch a node, and a few of the job's status; OpenKruise puts whole objects (8.2 number 19)."""
    five = nodes(5)
    for node in five:
        agents.serve(node.name)
        nodes.image(node).until_object(lambda _: True, what="is made")

    status = jobs(job(IMAGE, selector=nodes.selector, parallelism=5)).ended()

    assert (5, 0, 5, 0) == totals(status)
    assert [] == seen.asked("PUT")
    patched = [path.rpartition("/")[2] for path in seen.asked("PATCH") if "/nodeimages/" in path]
    assert sorted(node.name for node in five) == sorted(patched)
    assert 4 >= len([path for path in seen.asked("PATCH") if "/imagepulljobs/" in path])


def test_neither_secrets_nor_pods_are_watched(
    seen: Seen, deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, namespace: str
) -> None:
    """
    Pods of one namespace are, while a job there selects by them; no other Pods, and no Secret at any time: one that a
    job names is read by its name, and the copies are listed where they are, which is the only such place.

    OpenKruise's manager keeps all Pods and all Secrets of a cluster (8.2 number 21, kruise#1482).
    """
    (node,) = nodes()
    agents.serve(node.name)
    SecretOnServer(deployed, namespace, "registry").put("password")
    jobs(job(IMAGE, selector=nodes.selector, pullSecrets=["registry", "missing"])).ended()
    before = seen.asked("GET")

    jobs(job(IMAGE, kind="Never", podSelector={"matchLabels": {"app": "web"}}))
    pods = f"/api/v1/namespaces/{namespace}/pods"
    until(lambda: any("watch=" in path for path in of(seen, pods)), what="its Pods are watched", timeout_seconds=20)

    assert [] == [path for path in before if "/pods" in path]
    secrets = {path for path in seen.asked("GET", "POST", "PATCH", "DELETE") if "/secrets" in path}
    place = f"/api/v1/namespaces/{SECRETS}/secrets"
    theirs = {f"/api/v1/namespaces/{namespace}/secrets/{name}" for name in ("registry", "missing")}
    assert theirs == {path for path in secrets if not path.startswith(place)}
    assert {"?limit=100"} == {path.removeprefix(place) for path in secrets if "?" in path}
    assert {pods} == {path.partition("?")[0] for path in seen.asked("GET") if "/pods" in path}


def of(seen: Seen, path: str) -> Sequence[str]:
    """Return the reads of one path."""
    return [one for one in seen.asked("GET") if one.partition("?")[0] == path]


def test_a_job_goes_and_is_edited_with_nobody_there(
    seen: Seen, deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """
    No finalizer holds a job, and no hook judges it, so neither needs a coordinator or a namespace of secrets.

    In OpenKruise a job can't be deleted without its namespace, nor freed while a gate is off (8.2 number 16).
    """
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    made = jobs(job(IMAGE, selector=nodes.selector, pullSecrets=["registry"]))
    made.until(lambda status: status.get("active") == 1, what="is active")
    finalizers = [made.read()["metadata"].get("finalizers"), nodes.image(node).read()["metadata"].get("finalizers")]

    seen.process.stop()
    edited = made.edit({"parallelism": 3})
    made.delete()

    assert [None, None] == finalizers
    assert 3 == edited["spec"]["parallelism"]
    assert made.find() is None
    base = "/apis/admissionregistration.k8s.io/v1"
    assert [[], []] == [deployed.request("GET", f"{base}/{hooks}")["items"] for hooks in HOOKS]


def test_a_node_image_that_takes_no_write_holds_up_no_other(
    seen: Seen, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs
) -> None:
    """
    The others are served, the job's status says which is not and why, and the node is not asked in a loop.

    In OpenKruise one such node ends the writing of all others and of the status (8.2 number 9).
    """
    full, *others = nodes(5)
    image = nodes.image(full)
    image.until_object(lambda _: True, what="is made")
    image.want_all({f"registry.test/other-{number}": {"tags": [entry("v1")]} for number in range(REPOSITORIES)})
    for node in (full, *others):
        agents.serve(node.name)

    made = jobs(job(IMAGE, selector=nodes.selector))
    status = made.until(
        lambda status: (5, 0, 4, 0) == totals(status) and full.name in status["message"], what="the others are there"
    )
    tries = [path for path in seen.asked("PATCH") if path.endswith(f"/nodeimages/{full.name}")]

    assert "completionTime" not in status
    # One more where the node's other entries came while the first was on its way.
    assert len(tries) in {2, 3}
    # It is counted once a second.
    until(lambda: 1 == seen.process.metric("prewarm_coordinator_nodes_refused"), what="its count", timeout_seconds=10)
    (line,) = seen.process.told("write_refused")
    assert line["path"].endswith(f"/{full.name}")
