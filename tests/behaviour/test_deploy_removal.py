"""Prewarm comes off a cluster as deploy/README.md says, with jobs running: the software alone, or everything."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.behaviour.deploy_document import block, section, shell, timed
from tests.servers import namespaces
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import NAMESPACE, CoordinatorProcess
from tests.servers.deployment import MANIFEST, SECRETS, apply, deploy
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodes import NodeOnServer
from tests.servers.processes import until
from tests.servers.scripted_agents import Pulls, ScriptedAgents


SECTION = section("Removing it")
# As issue 6 asks for it.
WITHIN_SECONDS = 30
FINALIZER = "apps.kruise.io/deletion-protection"
GROUP = "/apis/apps.kruise.io/v1beta1"
COPIES = f"/api/v1/namespaces/{SECRETS}/secrets"
KINDS = ("imagepulljobs", "imagelistpulljobs", "nodeimages")
CRDS = [f"{kind}.apps.kruise.io" for kind in KINDS]
STAYS = {f"namespace/{SECRETS}", *(f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in CRDS)}


class Running(msgspec.Struct, frozen=True):
    """A cluster in which three jobs and a list run on two nodes; nobody's pull ends."""

    apiserver: ApiServer
    namespace: str
    nodes: tuple[NodeOnServer, ...]
    jobs: tuple[JobOnServer, ...]
    copy: str

    def uids(self) -> dict[str, str]:
        """Return the uid of each of the jobs, the list, the NodeImages and the copy of a secret, by its path."""
        here = f"{GROUP}/namespaces/{self.namespace}"
        jobs = [f"{here}/imagepulljobs/{each.name}" for each in self.jobs]
        images = [f"{GROUP}/nodeimages/{each.name}" for each in self.nodes]
        paths = [*jobs, f"{here}/imagelistpulljobs/images", *images, self.copy]
        return {path: self.apiserver.request("GET", path)["metadata"]["uid"] for path in paths}

    def left(self) -> set[str]:
        """Return what is there of what daemonset.yaml brings."""
        return set(self.apiserver.kubectl("get", "-f", MANIFEST, "--ignore-not-found", "-o", "name").split())


@pytest.fixture
def installed(apiserver: ApiServer) -> Iterator[ApiServer]:
    """Apply daemonset.yaml; its namespaces go when they are deleted."""
    with namespaces.ending(apiserver, (NAMESPACE, SECRETS)):
        deploy(apiserver)
        yield apiserver


@pytest.fixture
def running(installed: ApiServer, namespace: str, names: Names, tmp_path: Path) -> Iterator[Running]:
    """Have a coordinator lead and agents pull, and a copy of a secret lie there."""
    apiserver = installed
    with contextlib.ExitStack() as stack:
        copy = names("registry")
        apiserver.request("POST", COPIES, {"metadata": {"name": copy}})
        agents = stack.enter_context(ScriptedAgents(apiserver))
        coordinator = CoordinatorProcess(apiserver, tmp_path / "coordinator", name=names("coordinator"))
        stack.enter_context(coordinator).until_leading()
        nodes = tuple(NodeOnServer(apiserver, names("node")) for _ in range(2))
        for node in nodes:
            node.create()
            stack.callback(node.delete)
            agents.serve(node.name, Pulls(done=1, total=2))
        jobs = tuple(JobOnServer(apiserver, namespace, f"job-{number}") for number in range(3))
        for number, each in enumerate(jobs):
            each.create(job(f"registry.test/app:v{number}", kind="Never", parallelism=2))
        spec = {"images": ["registry.test/app:v0", "registry.test/app:v9"], "completionPolicy": {"type": "Never"}}
        images = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "metadata": {"name": "images"}}
        apiserver.request("POST", f"{GROUP}/namespaces/{namespace}/imagelistpulljobs", {**images, "spec": spec})
        for each in jobs:
            each.until(lambda status: status.get("active") == 2, what="both nodes pull")
        yield Running(apiserver, namespace, nodes, jobs, copy=f"{COPIES}/{copy}")


def test_the_software_goes_and_the_jobs_stay(running: Running) -> None:
    """With its accounts, rights and policies; applied again, it finds every job, NodeImage and copy as it was."""
    before = running.uids()

    seconds = timed(block(SECTION, "kubectl delete -f daemonset.yaml --selector"), cluster=running.apiserver)

    assert seconds <= WITHIN_SECONDS
    assert STAYS == running.left()
    assert before == running.uids()
    apply(running.apiserver)
    assert before == running.uids()


def test_everything_goes_while_jobs_run(running: Running) -> None:
    """Jobs, lists and NodeImages go with their kinds: nothing of ours has a finalizer that somebody had to take off."""
    assert 3 + 1 + 2 + 1 == len(running.uids())

    seconds = timed(block(SECTION, "kubectl delete -f daemonset.yaml --ignore-not-found"), cluster=running.apiserver)

    assert seconds <= WITHIN_SECONDS
    assert set() == running.left()
    until(lambda: _is_unknown(running.apiserver), what="the group is served no more", timeout_seconds=30)


def test_openkruise_s_finalizer_is_taken_off_by_hand(installed: ApiServer, namespace: str) -> None:
    """Where its manager is gone and no coordinator leads, by the document's command; the job can go then."""
    held = JobOnServer(installed, namespace, "held")
    held.create(job("registry.test/app:v1"))
    path = f"{GROUP}/namespaces/{namespace}/imagepulljobs/held"
    installed.request("PATCH", path, {"metadata": {"finalizers": [FINALIZER]}})

    shell(block(SECTION, "kubectl get imagepulljobs"), cluster=installed)
    held.delete()

    held.until_gone()


def test_all_of_the_software_has_the_label_and_nothing_else() -> None:
    """What a person selects by it is what runs, with what lets it run; the kinds have one of their own."""
    objects = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
    labels = {(each["kind"], each["metadata"]["name"]): each["metadata"].get("labels", {}) for each in objects}
    others = {key: found for key, found in labels.items() if found.get("app.kubernetes.io/instance") != "prewarm"}

    assert {("Namespace", SECRETS), *(("CustomResourceDefinition", name) for name in CRDS)} == set(others)
    assert {} == others.pop(("Namespace", SECRETS))
    assert {"crds"} == {found["app.kubernetes.io/component"] for found in others.values()}


def _is_unknown(apiserver: ApiServer) -> bool:
    groups = apiserver.request("GET", "/apis")["groups"]
    return "apps.kruise.io" not in {each["name"] for each in groups}
