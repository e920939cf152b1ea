"""`prewarm status` and `suspend` on OpenKruise's CRDs, and on a server that has none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.crds import install, remove
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import NodeImageOnServer, entry, owner
from tests.servers.openkruise.crds import crds
from tests.servers.persons import Person


REPOSITORY = "registry.test/team/app"


@pytest.fixture
def administrator(apiserver: ApiServer, tmp_path: Path) -> Person:
    """A person who may everything."""
    return Person(apiserver.kubeconfig, tmp_path / "home")


@pytest.fixture(params=["1.6", "1.9"])
def version(request: pytest.FixtureRequest, apiserver: ApiServer) -> Iterator[str]:
    """A version that CRDs like OpenKruise's of a release serve; they go at the end."""
    found = crds(request.param)
    install(apiserver, found)
    yield "v1alpha1" if request.param == "1.6" else "v1beta1"
    remove(apiserver, found)


def test_what_its_status_has_is_shown(
    apiserver: ApiServer, administrator: Person, version: str, namespace: str, names: Names
) -> None:
    """Counts instead of groups, and the nodes by name as their NodeImages tell."""
    made = JobOnServer(apiserver, namespace, "base", version=version)
    made.create(job(f"{REPOSITORY}:v1", selector={"names": []}))
    status = {"desired": 3, "active": 1, "succeeded": 1, "failed": 1, "message": "job is running"}
    path = f"/apis/apps.kruise.io/{version}/namespaces/{namespace}/imagepulljobs/base/status"
    apiserver.request("PATCH", path, {"status": status})
    name = names("node")
    node = NodeImageOnServer(apiserver, name, version=version)
    owners, bounds = [owner(namespace, "base", uid=made.uid)], {"timeoutSeconds": 600, "backoffLimit": 3}
    node.create({REPOSITORY: {"tags": [entry("v1", ownerReferences=owners, pullPolicy=bounds)]}})
    failed = {"tag": "v1", "version": 1, "phase": "Failed", "message": "EOF"}
    node.replace_status({"desired": 1, "imageStatuses": {REPOSITORY: {"tags": [failed]}}})

    row = administrator.output("status", "-n", namespace).splitlines()[1].split()
    page = administrator.output("status", "base", "-n", namespace)
    shown = administrator.output("status", name)
    nodes, images = administrator.output("status", "nodes"), administrator.output("status", "images")

    assert ["base", "1/3", "1", "-", "-", "-", "1", "-", "-", "-", "InProgress"] == row[:-1]
    assert "Nodes:    1 active, 1 succeeded, 1 failed" in page
    assert "State:    InProgress: job is running" in page
    assert ["PullFailed", "1", "EOF", name] == page.splitlines()[page.splitlines().index("FAILED") + 2].split()
    assert "none of Prewarm's has reported" in shown
    assert [[name, "PullFailed", "EOF"]] == [
        [words[0], *words[-2:]] for words in map(str.split, nodes.splitlines()) if words[:1] == [name]
    ]
    assert any(line.split()[:4] == ["registry.test", "1", "0", "1"] for line in images.splitlines())


def test_a_suspension_that_is_dropped_is_told(
    apiserver: ApiServer, administrator: Person, version: str, namespace: str
) -> None:
    """Whoever has to stop everything now must not believe that it has."""
    made = JobOnServer(apiserver, namespace, "base", version=version)
    made.create(job(f"{REPOSITORY}:v1", kind="Never"))

    done = administrator.run("suspend", "--all", "-n", namespace)

    assert (1, "") == (done.returncode, done.stdout)
    assert "unchanged: the CRDs here have no spec.prewarm" in done.stderr


def test_a_server_without_the_kinds_is_told(apiserver: ApiServer, administrator: Person) -> None:
    """With what brings them."""
    done = administrator.run("status", "-A")

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "serves no imagepulljobs of apps.kruise.io: are the CRDs installed?" in done.stderr
    assert "kubectl apply -f daemonset.yaml" in done.stderr
