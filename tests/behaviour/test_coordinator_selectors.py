"""Which nodes a job is for: by name, by label, by the Pods on them, all of them, and machines without a Node."""

from collections.abc import Iterator

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import LABEL, Jobs, Nodes
from tests.servers.jobs import job, reason, said, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.scripted_agents import ScriptedAgents


pytestmark = pytest.mark.usefixtures("coordinator")

IMAGE = "registry.test/app:v1"
FAKE = "apps.kruise.io/fake-nodeimage"


class Pods:
    """Makes Pods that are bound to a node."""

    def __init__(self, apiserver: ApiServer, names: Names) -> None:
        self._apiserver = apiserver
        self._names = names
        self._made: list[ObjectOnServer] = []

    def __call__(self, namespace: str, node: str, *, labels: dict[str, str]) -> ObjectOnServer:
        """Create one on a node."""
        self._apiserver.account(namespace, "default")
        pod = ObjectOnServer(self._apiserver, f"/api/v1/namespaces/{namespace}/pods", self._names("pod"))
        spec = {"nodeName": node, "containers": [{"name": "main", "image": "registry.test/none:1"}]}
        pod.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": labels}, "spec": spec})
        self._made.append(pod)
        return pod

    def end(self) -> None:
        """Take them all away at once."""
        for pod in self._made:
            self._apiserver.request("DELETE", f"{pod.path}?gracePeriodSeconds=0")


@pytest.fixture
def pods(deployed: ApiServer, names: Names) -> Iterator[Pods]:
    """Make Pods; they go at the end of the test."""
    pods = Pods(deployed, names)
    yield pods
    pods.end()


def had(agents: ScriptedAgents, nodes: Nodes, uid: str) -> list[bool]:
    """Tell of each Node in the order in which they were made whether its NodeImage has an entry of this job."""
    return [any(_owners(nodes.image(node).read(), uid)) for node in nodes.made]


def _owners(node_image: Json, uid: str) -> Iterator[bool]:
    for image in node_image["spec"].get("images", {}).values():
        for entry in image["tags"]:
            yield from (owner["uid"] == uid for owner in entry.get("ownerReferences", []))


def test_nodes_by_name(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Those alone; a name that is no node's is not counted, as in OpenKruise."""
    three = nodes(3)
    for node in three:
        agents.serve(node.name)

    made = jobs(job(IMAGE, selector={"names": [three[0].name, three[2].name, nodes.name()]}, parallelism=3))
    status = made.ended()

    assert (2, 0, 2, 0) == totals(status)
    assert [True, False, True] == had(agents, nodes, made.uid)


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ({"key": "disk", "operator": "In", "values": ["ssd"]}, [True, False, False]),
        ({"key": "disk", "operator": "NotIn", "values": ["ssd"]}, [False, True, True]),
        ({"key": "disk", "operator": "Exists"}, [True, True, False]),
        ({"key": "disk", "operator": "DoesNotExist"}, [False, False, True]),
    ],
    ids=lambda value: str(value.get("operator", "")) if isinstance(value, dict) else "",
)
def test_nodes_by_label(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, requirement: Json, expected: list[bool]
) -> None:
    """Labels and expressions must all hold, by the Node's own labels."""
    for labels in ({"disk": "ssd"}, {"disk": "hdd"}, {}):
        (node,) = nodes(labels=labels)
        agents.serve(node.name)

    made = jobs(job(IMAGE, selector={**nodes.selector, "matchExpressions": [requirement]}, parallelism=3))
    status = made.ended()

    assert (sum(expected), 0, sum(expected), 0) == totals(status)
    assert expected == had(agents, nodes, made.uid)


@pytest.mark.parametrize("selector", [None, {}], ids=["absent", "empty"])
def test_every_node_where_no_selector_tells_them_apart(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, selector: Json | None
) -> None:
    """An absent and an empty selector are the same, for nodes that join later too (8.2 number 17)."""
    first, second = nodes(2)
    for node in (first, second):
        agents.serve(node.name)

    made = jobs(job(IMAGE, kind="Never", parallelism=3, **({} if selector is None else {"selector": selector})))
    made.until_ready(nodes=2)
    (third,) = nodes()
    agents.serve(third.name)
    made.until_ready(nodes=3)

    assert [True, True, True] == had(agents, nodes, made.uid)


def test_no_name_is_no_node(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """An empty list of names does not become all nodes (8.2 number 17)."""
    (node,) = nodes()
    agents.serve(node.name)

    made = jobs(job(IMAGE, selector={"names": []}))
    status = made.ended()

    assert (0, 0, 0, 0) == totals(status)
    assert "NoNodesSelected" == reason(status, "Complete")


def test_a_machine_without_a_node_is_served_by_its_label(
    deployed: ApiServer, agents: ScriptedAgents, jobs: Jobs, nodes: Nodes
) -> None:
    """A NodeImage with OpenKruise's label stays although there is no Node, and a job selects it by its own labels."""
    fake = NodeImageOnServer(deployed, nodes.name())
    labels = {FAKE: "yes", **nodes.selector["matchLabels"]}
    agents.serve(fake.name)

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    fake.create(labels=labels)
    status = made.until_ready(nodes=1)
    fake.delete()

    assert (1, 0, 1, 0) == totals(status)


def test_nodes_by_the_pods_on_them(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, pods: Pods, namespace: str, deployed: ApiServer
) -> None:
    """Pods of the job's namespace alone, that are bound and have not ended; two on one node are one node."""
    five = nodes(5)
    for node in five:
        agents.serve(node.name)
    web = {"app": "web"}
    pods(namespace, five[0].name, labels=web)
    pods(namespace, five[0].name, labels=web)
    pods(namespace, five[1].name, labels={"app": "db"})
    pods("default", five[2].name, labels=web)
    ended = pods(namespace, five[3].name, labels=web)
    ended.patch({"status": {"phase": "Succeeded"}}, subresource="status")

    made = jobs(job(IMAGE, podSelector={"matchLabels": web}, parallelism=5))
    status = made.ended()

    assert (1, 0, 1, 0) == totals(status)
    assert [True, False, False, False, False] == had(agents, nodes, made.uid)


def test_a_pod_brings_its_node_into_a_job_and_takes_it_out_again(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, pods: Pods, namespace: str
) -> None:
    """A Never job follows the Pods."""
    first, second = nodes(2)
    for node in (first, second):
        agents.serve(node.name)
    web = {"app": "web"}
    pods(namespace, first.name, labels=web)
    made = jobs(job(IMAGE, kind="Never", podSelector={"matchLabels": web}))
    made.until_ready(nodes=1)

    pod = pods(namespace, second.name, labels=web)
    made.until_ready(nodes=2)
    pod.patch({"metadata": {"labels": {"app": "db"}}})
    status = made.until_ready(nodes=1)

    assert 1 == status["desired"]


def test_a_changed_selector_changes_who_counts(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Nodes that it selects now are served, those that it selected before leave the counts."""
    first, second = nodes(2)
    for node in (first, second):
        agents.serve(node.name)
    made = jobs(job(IMAGE, kind="Never", selector={"names": [first.name]}))
    made.until_ready(nodes=1)

    made.edit({"selector": {"names": [second.name, first.name]}})
    made.until_ready(nodes=2)
    made.edit({"selector": {"names": None, "matchLabels": {LABEL: "nobody"}}})
    status = made.until(lambda status: status["desired"] == 0, what="selects none")

    assert "True" == said(status, "Stalled")
