"""
The story of test_story.py on the overlay without a Deployment: each agent is a coordinator too, and one of them leads.

Its tests are that file's own; what is added here is what this overlay alone has to show.
"""

from collections.abc import Iterator

import pytest

from deploy.render import ROOT
from tests.cluster.conftest import PushApp
from tests.cluster.ours import Ours, container_id
from tests.cluster.story import PATIENT_SECONDS, Apply, apply, built, join, kept, network, node_of, pods
from tests.cluster.test_story import (
    test_a_waiting_pod_starts_on_a_new_node_once_its_image_is_there,
    test_after_a_renewal_pods_run_what_the_tag_has_become,
    test_the_job_warms_every_node_and_pods_start_without_a_pull,
)
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import Product
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import counted
from tests.servers.objects import Json


__all__ = [
    "apply",
    "join",
    "network",
    "pods",
    "test_a_waiting_pod_starts_on_a_new_node_once_its_image_is_there",
    "test_after_a_renewal_pods_run_what_the_tag_has_become",
    "test_the_job_warms_every_node_and_pods_start_without_a_pull",
]

OVERLAY = ROOT / "deploy/overlays/daemonset-only"

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(scope="module")
def product(cluster: LabCluster) -> Product:
    """The cluster with the overlay applied: one agent a node, and nothing else of ours."""
    product = Product(cluster)
    product.install(OVERLAY)
    return product


@pytest.fixture
def leader(cluster: LabCluster) -> Iterator[Json]:
    """The Pod that leads; afterwards its node has a kubelet, and all agents are well."""
    ours = Ours(cluster)
    pod = ours.pods()[ours.until_led(timeout_seconds=PATIENT_SECONDS)]
    yield pod
    node = cluster.nodes[node_of(pod)]
    if not node.kubelet.is_running:
        node.start_kubelet()
    ours.until_all_ready(timeout_seconds=PATIENT_SECONDS)


def test_when_the_agent_that_leads_dies_another_leads(
    cluster: LabCluster, push: PushApp, names: Names, apply: Apply, leader: Json
) -> None:
    """Killed, and nobody starts it again yet: the others get their images; its own node does when it is back."""
    image = built(push, names("base"))
    name, ours = node_of(leader), Ours(cluster)
    node = cluster.nodes[name]

    node.kill_kubelet()
    node.ctr.run("tasks", "kill", "--signal=SIGKILL", container_id(leader))
    job = apply(image)
    led = ours.until_led(but=leader["metadata"]["name"], timeout_seconds=PATIENT_SECONDS)
    job.until(lambda status: counted(status)[0] == 2, what="two nodes are warm", timeout_seconds=PATIENT_SECONDS)
    meanwhile = kept(cluster, image)
    node.start_kubelet()
    job.until_ready(nodes=3, timeout_seconds=PATIENT_SECONDS)

    assert led in {each for agent_s, each in ours.agents().items() if agent_s != name}
    assert {**dict.fromkeys(cluster.nodes, image.digest), name: ""} == meanwhile
    assert dict.fromkeys(cluster.nodes, image.digest) == kept(cluster, image)
