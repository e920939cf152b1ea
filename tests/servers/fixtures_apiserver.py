"""
Fixtures of tests that need an API server, for any folder of tests whose conftest imports them.

A module of tests has one API server, with its own folder and port, or the cluster that PREWARM_TEST_KUBECONFIG names.
Its tests share it: each takes names of its own from `names` for what is cluster-wide, and a `namespace` for the rest.
Nothing needs root but what starts a containerd or a registry.
"""

import contextlib
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.servers import apiserver_existing
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_existing import NotOurs


Names = Callable[[str], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs root, so that `-m "not lab"` leaves it out."""
    for item in items:
        if "workdir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.lab)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Skip a test whose fixtures would stop or change a server which the tests did not start."""
    with _skipping():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Skip a test that would stop or change a server which the tests did not start."""
    with _skipping():
        yield


@pytest.fixture(scope="module")
def apiserver_flags() -> Sequence[str]:
    """Further flags of the module's kube-apiserver: none, and a module that needs some has a fixture of this name."""
    return ()


@pytest.fixture(scope="module")
def apiserver(apiserver_flags: Sequence[str]) -> Iterator[ApiServer]:
    """The module's API server, running; a test that stops or freezes it lets it run again."""
    existing = apiserver_existing.offered()
    if existing and apiserver_flags:
        pytest.skip(f"these tests need an API server with {' '.join(apiserver_flags)}")
    with _scratch() as folder, ApiServer(folder, flags=apiserver_flags, server=existing) as server:
        yield server


@pytest.fixture
def names() -> Names:
    """Make names that nothing else has: `names("node")` is node-3f9a1c, and another one each time."""
    return lambda prefix: f"{prefix}-{secrets.token_hex(3)}"


@pytest.fixture
def namespace(apiserver: ApiServer, names: Names, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, named after it; what is in it goes only where a controller-manager runs."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())
    name = names(words[:50].strip("-"))
    apiserver.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    apiserver.request("DELETE", f"/api/v1/namespaces/{name}")


@contextlib.contextmanager
def _skipping() -> Iterator[None]:
    try:
        yield
    except NotOurs as error:
        pytest.skip(str(error))


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder, and remove it unless its server failed, whose log is in it."""
    folder = Path(tempfile.mkdtemp(prefix="pw-api-"))
    yield folder
    shutil.rmtree(folder)
