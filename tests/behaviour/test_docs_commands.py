"""
Every kubectl command of docs/coordinator.md and docs/runbook.md works as it stands there, on a real API server.

But those that need a kubelet, of which there is none here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.binaries import kubernetes
from tests.servers.coordinator import LEASE, NAMESPACE
from tests.servers.deployment import EVENTS, SECRETS, event
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodes import GATE, NodeOnServer, taint


ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/coordinator.md", "docs/runbook.md")
OPENS_ALL = "xargs -r -I{} kubectl taint nodes {}"
OPENS_ONE = "kubectl taint nodes worker-1"
# What is asked of a Pod, through the kubelet of its node.
OF_A_KUBELET = ("kubectl logs", "/proxy/")
NOW = "2026-01-01T00:00:00Z"

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="the documents' commands need jq")


def _commands() -> list[str]:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    blocks = [block for text in texts for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    lines = dict.fromkeys(line for block in blocks for line in block.splitlines() if line.startswith("kubectl "))
    return [line for line in lines if not any(word in line for word in OF_A_KUBELET)]


def _of(words: str) -> str:
    return next(command for command in _commands() if words in command)


def _run(cluster: ApiServer, command: str) -> str:
    """Run a line as a person would, with kubectl on their PATH and the cluster as their context; a failure is one."""
    environment = {
        **os.environ,
        "PATH": f"{kubernetes().kubectl.parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(cluster.kubeconfig),
        "KUBERC": "off",
        "PASSWORD": "of-a-person",
    }
    line = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


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
    lease = {"metadata": {"name": LEASE}, "spec": {"holderIdentity": "prewarm-coordinator-a"}}
    deployed.request("POST", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases", lease)
    told = {**event("worker-1", kind="Node"), "reason": "GateOpenedCold"}
    deployed.request("POST", EVENTS, told)
    told = event("prewarm-coordinator-a", kind="Pod", namespace=NAMESPACE)
    deployed.request("POST", EVENTS.replace("default", NAMESPACE), told)
    labels = {"app.kubernetes.io/name": "prewarm-coordinator"}
    spec = {"containers": [{"name": "coordinator", "image": "prewarm:none"}]}
    pod = {"metadata": {"name": "prewarm-coordinator-a", "labels": labels}, "spec": spec}
    deployed.account(NAMESPACE, "default")
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
    assert _run(cluster, command)


def test_one_command_opens_one_node(cluster: ApiServer, closed: list[NodeOnServer]) -> None:
    """With no coordinator at all."""
    _run(cluster, _of(OPENS_ONE))

    assert [False, True, False] == [node.has_taint(GATE) for node in closed]


def test_one_command_opens_all_that_are_closed(cluster: ApiServer, closed: list[NodeOnServer]) -> None:
    """And leaves their other taints, and the nodes that are open, alone."""
    said = _run(cluster, _of(OPENS_ALL))

    assert ["node/worker-1 untainted", "node/worker-2 untainted"] == sorted(said.splitlines())
    assert [[], ["other"], ["other"]] == [[each["key"] for each in node.taints()] for node in closed]


def test_the_stalled_jobs_are_listed_with_their_reasons(cluster: ApiServer) -> None:
    """And no others."""
    said = _run(cluster, _of('select(.type == "Stalled"'))

    assert "default\tstalled\tNoAgent\tsays NoAgent\n" == said


def test_nodes_that_are_not_warm_are_listed_by_reason(cluster: ApiServer) -> None:
    """With how many there are, and the first by name."""
    said = _run(cluster, _of("(.failures // [])"))

    assert "DiskLow\t2\tworker-1 worker-2\t1 GiB free\n" == said


def test_the_leader_is_told(cluster: ApiServer) -> None:
    """By the name of its Pod."""
    assert "prewarm-coordinator-a\n" == _run(cluster, _of("holderIdentity"))
