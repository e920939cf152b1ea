"""
The coordinator with exactly the rights of daemonset.yaml, under its policies: it does all that it is there for.

What each right is, and that there is no other, is test_deploy_coordinator_rights.py's.
"""

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.deployment import SECRETS
from tests.servers.fixtures_coordinator import Jobs, Nodes, StartCoordinator
from tests.servers.jobs import job
from tests.servers.nodes import GATE, taint
from tests.servers.objects import ObjectOnServer
from tests.servers.processes import until
from tests.servers.scripted_agents import Pulls, ScriptedAgents, Succeeds


IMAGE, OTHER = "registry.test/app:v1", "registry.test/other:v1"
GROUP = "/apis/apps.kruise.io/v1beta1"
DOCKER = "kubernetes.io/dockerconfigjson"
SOURCE_KEY = "imagepulljobs.kruise.io/source-key"
ENDING = {"completionPolicy": {"type": "Always", "ttlSecondsAfterFinished": 0}}
STARTING = "example.com/starting"


def _refusals(coordinator: CoordinatorProcess) -> list[Json]:
    """Return the lines of its log that tell of a request that it may not make."""
    return [line for line in coordinator.lines() if "forbidden" in str(line.get("message", "")).lower()]


def test_the_rights_of_the_manifest_are_enough(
    deployed: ApiServer,
    namespace: str,
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    start_coordinator: StartCoordinator,
) -> None:
    """Jobs of every kind end, a gate opens, a job's TTL runs out, a node goes, and no request is refused."""
    coordinator = start_coordinator()
    coordinator.until_leading()
    gating = jobs(job(IMAGE, kind="Never", selector=nodes.selector, parallelism=5, prewarm={"gate": True}))
    ending = jobs(job(IMAGE, selector=nodes.selector, completionPolicy={"ttlSecondsAfterFinished": 0}))
    by_pods = jobs(job(IMAGE, kind="Never", podSelector={"matchLabels": {"app": "web"}}))
    nobody = jobs(job(IMAGE, selector={"matchLabels": {"no": "node"}}))
    gated, going = nodes(2, taints=[taint("dedicated"), taint(GATE)])
    for node in (gated, going):
        agents.serve(node.name)
    spec = {"nodeName": gated.name, "containers": [{"name": "main", "image": "none:1"}]}
    pod = {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec}
    deployed.account(namespace, "default")
    deployed.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)

    gating.until_ready(nodes=2)
    gated.until_untainted(GATE)
    by_pods.until_ready(nodes=1)
    nobody.ended()
    until(lambda: ending.find() is None, what="the job's TTL has run out", timeout_seconds=30)
    going.delete()
    until(lambda: nodes.image(going).find() is None, what="its NodeImage goes", timeout_seconds=30)

    told = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    until(
        lambda: {"NoNodesSelected"} <= {each["reason"] for each in deployed.request("GET", told)["items"]},
        what="an event",
        timeout_seconds=30,
    )
    assert [taint("dedicated")] == gated.taints()
    assert [] == _refusals(coordinator)


def test_the_rights_on_lists_and_secrets_are_enough(
    deployed: ApiServer,
    namespace: str,
    nodes: Nodes,
    agents: ScriptedAgents,
    start_coordinator: StartCoordinator,
) -> None:
    """A list's jobs come, follow it and go, its TTL runs out, a secret's copy comes and goes; nothing is refused."""
    coordinator = start_coordinator()
    coordinator.until_leading()
    (node,) = nodes(1)
    agent = agents.serve(node.name, answer=Pulls(done=1, total=2))
    secret = {"type": DOCKER, "stringData": {".dockerconfigjson": "{}"}, "metadata": {"name": "registry"}}
    deployed.request("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    spec = {"images": [IMAGE, OTHER], "selector": nodes.selector, "pullSecrets": ["registry"]}
    made = ObjectOnServer(deployed, f"{GROUP}/namespaces/{namespace}/imagelistpulljobs", "images")
    made.create({"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "spec": {**spec, **ENDING}})

    def children() -> dict[str, int]:
        jobs = deployed.request("GET", f"{GROUP}/namespaces/{namespace}/imagepulljobs")["items"]
        return {each["spec"]["image"]: each["spec"].get("parallelism", 0) for each in jobs}

    def copies() -> list[str]:
        found = deployed.request("GET", f"/api/v1/namespaces/{SECRETS}/secrets")["items"]
        return [each["metadata"]["annotations"][SOURCE_KEY] for each in found]

    until(lambda: {IMAGE, OTHER} == children().keys(), what="a job for each image", timeout_seconds=30)
    until(lambda: copies() == [f"{namespace}/registry"], what="one copy of the secret", timeout_seconds=30)
    made.patch({"spec": {"images": [IMAGE], "parallelism": 3}})
    until(lambda: children() == {IMAGE: 3}, what="the jobs follow the list", timeout_seconds=30)
    agent.says(Succeeds())
    made.until_gone()
    until(lambda: not children() and not copies(), what="jobs and copy are gone too", timeout_seconds=30)
    assert [] == _refusals(coordinator)


def test_a_taint_that_the_policy_does_not_know_stays_and_the_log_says_why(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, start_coordinator: StartCoordinator
) -> None:
    """`--gate-taint` and the policy change together; where they do not, everything else goes on."""
    coordinator = start_coordinator(options=("--gate-taint", STARTING))
    coordinator.until_leading()
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, prewarm={"gate": True}))
    (node,) = nodes(taints=[taint(STARTING)])
    agents.serve(node.name)

    made.until_ready(nodes=1)
    until(lambda: _refusals(coordinator), what="it is told", timeout_seconds=30)

    assert "prewarm-coordinator-nodes" in str(_refusals(coordinator))
    assert node.has_taint(STARTING)
