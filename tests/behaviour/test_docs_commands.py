"""
Every kubectl command of the documents that are for operators works as it stands there, on a real API server.

But those that need a kubelet or a controller, of which there are none here, and those that take away what the others
look at: deploy/README.md's are run by test_deploy_removal.py.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.behaviour.deploy_document import shell
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.coordinator import LEASE, NAMESPACE
from tests.servers.deployment import EVENTS, SECRETS, event
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.nodes import GATE, NodeOnServer, taint
from tests.servers.processes import until


ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/coordinator.md", "docs/runbook.md", "docs/quickstart.md", "docs/operations.md", "docs/security.md")
BEGINS = ("kubectl ", "sed ")
OPENS_ALL = "xargs -r -I{} kubectl taint nodes {}"
OPENS_ONE = "kubectl taint nodes worker-1"
BACKUP = "kubectl get imagepulljobs,imagelistpulljobs --all-namespaces --output json | jq '{apiVersion"
QUOTA = "kubectl create quota"
TEAM, GUIDE = "team-a", "guide"
# What is asked of a Pod, through the kubelet of its node, or waited for until a controller has done it.
OF_A_CLUSTER = ("kubectl logs", "kubectl exec", "/proxy/", "rollout status", "involvedObject.name=try")
# Ends with 1 where there is a difference.
COMPARES = "kubectl diff"
TAKES_AWAY = ("kubectl delete ",)
NOW = "2026-01-01T00:00:00Z"


def _commands() -> list[str]:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    blocks = [block for text in texts for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    lines = dict.fromkeys(line for block in blocks for line in block.splitlines() if line.startswith(BEGINS))
    return [line for line in lines if not any(word in line for word in (*OF_A_CLUSTER, *TAKES_AWAY, COMPARES))]


def _first_image() -> list[str]:
    """Return the steps of the quickstart that are the same everywhere, up to the end of the job."""
    text = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    section = text.partition("\n## A first image\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if "kubectl " in line]
    return [line for line in lines if not any(word in line for word in (*OF_A_CLUSTER, "-f daemonset.yaml"))]


def _of(words: str) -> str:
    return next(command for command in _commands() if words in command)


def _condition(kind: str, reason: str) -> Json:
    said = {"status": "True", "lastTransitionTime": NOW, "message": f"says {reason}"}
    return {"type": kind, "reason": reason, **said}


def _add_list(deployed: ApiServer) -> None:
    path = "/apis/apps.kruise.io/v1beta1/namespaces/default/imagelistpulljobs"
    spec = {"images": ["registry.test/base:v1"], "completionPolicy": {"type": "Never"}}
    body = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "metadata": {"name": "base-images"}}
    deployed.request("POST", path, {**body, "spec": spec})
    status = {"desired": 1, "conditions": [_condition("Ready", "AllWarm")]}
    deployed.request("PATCH", f"{path}/base-images/status", {"status": status})


def _add_copy(deployed: ApiServer) -> None:
    told = {"source-key": "default/regcred", "references": "default/private-image", "mode": "batch"}
    annotations = {f"imagepulljobs.kruise.io/{name}": text for name, text in told.items()}
    copy = {"metadata": {"name": "regcred-5d0c2b", "annotations": annotations}}
    deployed.request("POST", f"/api/v1/namespaces/{SECRETS}/secrets", copy)


@pytest.fixture(scope="module")
def cluster(deployed: ApiServer) -> ApiServer:
    """A cluster with a coordinator's Pod and Lease, jobs that are Ready and stalled, a list, a copy, and events."""
    warm, stalled = (JobOnServer(deployed, "default", name) for name in ("base-image-job", "stalled"))
    failure = {"reason": "DiskLow", "count": 2, "nodes": ["worker-1", "worker-2"], "message": "1 GiB free"}
    for each, condition in ((warm, _condition("Ready", "AllWarm")), (stalled, _condition("Stalled", "NoAgent"))):
        each.create(job("registry.test/app:v1", kind="Never"))
        path = f"/apis/apps.kruise.io/v1beta1/namespaces/default/imagepulljobs/{each.name}/status"
        status = {"desired": 2, "conditions": [condition], "prewarm": {"failures": [failure]}}
        deployed.request("PATCH", path, {"status": status})
    _add_list(deployed)
    _add_copy(deployed)
    NodeImageOnServer(deployed, "worker-1").create()
    for namespace in (NAMESPACE, TEAM, "default"):
        deployed.account(namespace, "default")
    lease = {"metadata": {"name": LEASE}, "spec": {"holderIdentity": "prewarm-coordinator-a"}}
    deployed.request("POST", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases", lease)
    told = {**event("worker-1", kind="Node"), "reason": "GateOpenedCold"}
    deployed.request("POST", EVENTS, told)
    told = event("prewarm-coordinator-a", kind="Pod", namespace=NAMESPACE)
    deployed.request("POST", EVENTS.replace("default", NAMESPACE), told)
    labels = {"app.kubernetes.io/name": "prewarm-coordinator"}
    spec = {"containers": [{"name": "coordinator", "image": "prewarm:none"}]}
    pod = {"metadata": {"name": "prewarm-coordinator-a", "labels": labels}, "spec": spec}
    deployed.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    return deployed


@pytest.fixture
def closed(cluster: ApiServer) -> list[NodeOnServer]:
    """Three nodes, of which two are closed."""
    nodes = [NodeOnServer(cluster, f"worker-{number}") for number in (1, 2, 3)]
    for node, taints in zip(nodes, ([taint(GATE)], [taint("other"), taint(GATE)], [taint("other")]), strict=True):
        node.delete()
        node.create(taints=taints)
    return nodes


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("command", _commands())
def test_each_command_works_as_it_stands(cluster: ApiServer, command: str) -> None:
    """Whoever copies it from the document gets an answer and no error."""
    assert shell(command, cluster=cluster)


def test_one_command_opens_one_node(cluster: ApiServer, closed: list[NodeOnServer]) -> None:
    """With no coordinator at all."""
    shell(_of(OPENS_ONE), cluster=cluster)

    assert [False, True, False] == [node.has_taint(GATE) for node in closed]


def test_one_command_opens_all_that_are_closed(cluster: ApiServer, closed: list[NodeOnServer]) -> None:
    """And leaves their other taints, and the nodes that are open, alone."""
    said = shell(_of(OPENS_ALL), cluster=cluster)

    assert ["node/worker-1 untainted", "node/worker-2 untainted"] == sorted(said.splitlines())
    assert [[], ["other"], ["other"]] == [[each["key"] for each in node.taints()] for node in closed]


def test_the_stalled_jobs_are_listed_with_their_reasons(cluster: ApiServer) -> None:
    """And no others."""
    said = shell(_of('select(.type == "Stalled"'), cluster=cluster)

    assert "default\tstalled\tNoAgent\tsays NoAgent\n" == said


def test_nodes_that_are_not_warm_are_listed_by_reason(cluster: ApiServer) -> None:
    """With how many there are, and the first by name."""
    said = shell(_of("(.failures // [])"), cluster=cluster)

    assert "DiskLow\t2\tworker-1 worker-2\t1 GiB free\n" == said


def test_the_leader_is_told(cluster: ApiServer) -> None:
    """By the name of its Pod."""
    assert "prewarm-coordinator-a\n" == shell(_of("holderIdentity"), cluster=cluster)


def test_the_steps_to_a_first_image_work_one_after_another(cluster: ApiServer, tmp_path: Path) -> None:
    """In a namespace of their own; that the job is Ready is said by the test, as there is no coordinator here."""
    cluster.account(GUIDE, "default")
    kubeconfig = tmp_path / "config"
    shutil.copy(cluster.kubeconfig, kubeconfig)
    shell(f"kubectl config set-context --current --namespace={GUIDE}", kubeconfig=kubeconfig)
    apply, *steps = _first_image()

    shell(apply, kubeconfig=kubeconfig)
    path = f"/apis/apps.kruise.io/v1beta1/namespaces/{GUIDE}/imagepulljobs"
    ready = {"status": {"desired": 1, "conditions": [_condition("Ready", "AllWarm")]}}
    cluster.request("PATCH", f"{path}/base-image-job/status", ready)
    said = [shell(step, kubeconfig=kubeconfig) for step in steps]

    assert "imagepulljob.apps.kruise.io/base-image-job condition met\n" == said[0]
    assert "" not in said
    assert [] == cluster.request("GET", path)["items"]


def test_what_the_backup_prints_can_be_applied(cluster: ApiServer) -> None:
    """Each job and list, by an API server that checks it; no status, and no job that a list has made."""
    restored = shell(f"{_of(BACKUP)} | kubectl apply --dry-run=server --output json -f -", cluster=cluster)

    items = json.loads(restored)["items"]
    assert {"base-image-job", "stalled", "base-images"} <= {each["metadata"]["name"] for each in items}
    assert [] == [each["metadata"]["name"] for each in items if each["metadata"].get("ownerReferences")]


def test_a_quota_bounds_the_jobs_of_a_namespace(cluster: ApiServer) -> None:
    """The API server refuses one job more, and says why; for want of a controller the test counts what is there."""
    line = f"{_of(QUOTA)} --dry-run=client --output json".replace("prewarm-jobs", "bound")
    quota = json.loads(shell(line, cluster=cluster))
    hard = quota["spec"]["hard"]
    path = f"/api/v1/namespaces/{TEAM}/resourcequotas"
    cluster.request("POST", path, quota)
    cluster.request("PATCH", f"{path}/bound/status", {"status": {"hard": hard, "used": hard}})

    assert "exceeded quota: bound" in until(lambda: _refusal(cluster), what="a job is one too many", timeout_seconds=30)


def _refusal(cluster: ApiServer) -> str:
    """Return the words with which a further job is refused, "" where it is taken."""
    body = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "metadata": {"generateName": "more-"}}
    spec = job("registry.test/app:v1")
    try:
        cluster.request("POST", f"/apis/apps.kruise.io/v1beta1/namespaces/{TEAM}/imagepulljobs", {**body, "spec": spec})
    except ApiFailed as error:
        return error.text
    return ""
