"""
Fixtures of tests of what a person asks of a cluster: accounts with the roles of daemonset.yaml, and jobs as they stand.

Nobody coordinates: what stands in a job's status, the test has written.
"""

from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.crds import install, ours
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, job
from tests.servers.objects import Json
from tests.servers.persons import RBAC, Person, bound, roles


IMAGE: Final = "registry.test/team/app:v1"


class MakeJob(Protocol):
    """Makes a job with a status, both as given."""

    def __call__(self, name: str = ..., status: Json | None = ..., *, place: str = ..., **spec: Any) -> JobOnServer:  # noqa: ANN401 - JSON
        """Make it; `kind` is its completionPolicy.type, `place` its namespace, the test's own where none is given."""
        ...


@pytest.fixture(scope="module")
def with_roles(apiserver: ApiServer) -> ApiServer:
    """The module's API server with our CRDs, and the ClusterRoles of daemonset.yaml for people."""
    install(apiserver, ours())
    for role in roles():
        apiserver.request("POST", f"{RBAC}/clusterroles", role)
    return apiserver


@pytest.fixture
def viewer(with_roles: ApiServer, namespace: str, names: Names, tmp_path: Path) -> Person:
    """A person with the ClusterRole prewarm-viewer in the whole cluster, and this namespace in their context."""
    return bound(with_roles, namespace, names("viewer"), tmp_path, role="prewarm-viewer")


@pytest.fixture
def editor(with_roles: ApiServer, namespace: str, names: Names, tmp_path: Path) -> Person:
    """A person with the ClusterRole prewarm-job-editor likewise."""
    return bound(with_roles, namespace, names("editor"), tmp_path, role="prewarm-job-editor")


@pytest.fixture
def make_job(with_roles: ApiServer, namespace: str) -> MakeJob:
    """Make jobs in the test's namespace."""

    def make(name: str = "base", status: Json | None = None, *, place: str = namespace, **spec: Any) -> JobOnServer:  # noqa: ANN401 - JSON
        made = JobOnServer(with_roles, place, name)
        made.create(job(IMAGE, **{"kind": "Never", **spec}))
        if status is not None:
            path = f"/apis/apps.kruise.io/v1beta1/namespaces/{place}/imagepulljobs/{name}/status"
            with_roles.request("PATCH", path, {"status": {"desired": 0, "observedGeneration": 1, **status}})
        return made

    return make
