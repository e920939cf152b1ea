"""Pull secrets reach the agent by OpenKruise's copies of them, the legacy ones and the shared ones."""

from tests.behaviour.openkruise.cluster import Cluster, Shape
from tests.behaviour.openkruise.conftest import StartAgent
from tests.servers.fixtures import USERS
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_objects import Release
from tests.servers.registry import Registry


NEVER = {"type": "Never"}
USER, PASSWORD = next(iter(USERS.items()))


def test_a_jobs_pull_secret_is_used_through_its_copy(
    cluster: Cluster,
    shape: Shape,
    manager: Manager,
    node: str,
    start_agent: StartAgent,
    private_registry: Registry,
    push_private: Push,
) -> None:
    """And no word of it is logged or said."""
    image = push_private("app", tag="v1")
    cluster.create_pull_secret("regcred", host=private_registry.host, user=USER, password=PASSWORD)
    agent = start_agent(node)
    manager.start()

    cluster.create_job("j", image=image.reference, node=node, pullSecrets=["regcred"], completionPolicy=NEVER)
    told = cluster.said(node, image=image.reference, phase="Succeeded")

    (reference,) = cluster.read(node)["spec"]["images"][image.key]["pullSecrets"]
    assert (None if shape.release is Release.V1_6 else "batch") == reference.get("mode")
    assert PASSWORD not in str(told) + (agent.folder / "agent.log").read_text()


def test_a_shared_copy_serves_the_jobs_that_it_names_and_no_other_tenant(
    cluster: Cluster,
    shape: Shape,
    manager: Manager,
    node: str,
    start_agent: StartAgent,
    push_private: Push,
    private_registry: Registry,
    names: Names,
) -> None:
    """A legacy copy names none: it serves all who want that repository, as it does with OpenKruise."""
    theirs, ours = push_private("app", tag="v1"), push_private("app", tag="v2", seed=1)
    cluster.create_pull_secret("regcred", host=private_registry.host, user=USER, password=PASSWORD)
    other = Cluster(cluster.apiserver, release=shape.release, namespace=names("tenant"))
    cluster.apiserver.request("POST", "/api/v1/namespaces", {"metadata": {"name": other.namespace}})
    start_agent(node)
    manager.start()
    cluster.create_job("j", image=ours.reference, node=node, pullSecrets=["regcred"], completionPolicy=NEVER)
    cluster.said(node, image=ours.reference, phase="Succeeded")

    other.create_job("k", image=theirs.reference, node=node, pullPolicy={"backoffLimit": 0}, completionPolicy=NEVER)

    is_legacy = shape.release is Release.V1_6
    other.said(node, image=theirs.reference, phase="Succeeded" if is_legacy else "Failed")
