"""A real API server's answers become the errors that say what to do, with an account and files as a Pod has them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from daemon.cluster.access import Access, in_pod
from daemon.cluster.errors import ClusterError, Conflict, Denied, Invalid, NotFound, Unauthenticated, Unreachable
from daemon.cluster.interface import Operation
from daemon.cluster.kubeconfig import read_kubeconfig
from daemon.cluster.patches import guard
from daemon.cluster.transport import HttpApi
from daemon.cluster.writes import creation, deletion, json_patch, merge_patch, replacement
from tests.servers.apiserver import ApiServer


ACCOUNT = "client"
RULES = "create,get,list,watch,patch,update,delete"

Connect = Callable[[Access], HttpApi]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make a client, which is closed when the test ends."""
    with ExitStack() as stack:

        def client(access: Access) -> HttpApi:
            http = HttpApi(access, user_agent="prewarm-test/1")
            stack.callback(http.close)
            return http

        yield client


@pytest.fixture
def folder(apiserver: ApiServer, namespace: str, tmp_path: Path) -> Path:
    """The service account folder of a Pod that may work with ConfigMaps in the test's namespace."""
    folder = apiserver.service_account_folder(tmp_path / "account", namespace, ACCOUNT)
    apiserver.kubectl("create", "role", "maps", f"--verb={RULES}", "--resource=configmaps", f"--namespace={namespace}")
    account = f"--serviceaccount={namespace}:{ACCOUNT}"
    apiserver.kubectl("create", "rolebinding", "maps", "--role=maps", account, f"--namespace={namespace}")
    return folder


@pytest.fixture
def client(apiserver: ApiServer, folder: Path, connect: Connect) -> HttpApi:
    """A client with what that Pod has."""
    return connect(in_pod(folder, environment=apiserver.service_environment()))


@pytest.fixture
def maps(namespace: str) -> str:
    """The path of the namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def _failure(call: Callable[[], object]) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        call()
    return caught.value


def _created(client: HttpApi, maps: str, name: str = "one") -> dict[str, str]:
    """Create a ConfigMap and return its metadata."""
    created = client.create(maps, {"metadata": {"name": name}, "data": {"a": "1"}}, timeout_seconds=10)
    metadata = created["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def test_a_pods_account_creates_reads_and_patches(client: HttpApi, maps: str) -> None:
    """What was created is read back, and a guarded patch changes it."""
    metadata = _created(client, maps)

    operations = [
        *guard(uid=metadata["uid"], resource_version=metadata["resourceVersion"]),
        Operation(op="add", path="/data/b", value="2"),
        Operation(op="remove", path="/data/a"),
    ]
    patched = client.patch(f"{maps}/one", operations, timeout_seconds=10)

    assert {"b": "2"} == patched["data"]
    assert patched == client.get(f"{maps}/one", timeout_seconds=10)


def test_a_guard_that_fails_is_invalid_and_changes_nothing(client: HttpApi, maps: str) -> None:
    """Another uid or an older version: 422, whether or not the rest of the patch would do."""
    metadata = _created(client, maps)
    change = Operation(op="add", path="/data/b", value="2")

    errors = [
        _failure(lambda: client.patch(f"{maps}/one", [*guard(uid="other"), change], timeout_seconds=10)),
        _failure(
            lambda: client.patch(
                f"{maps}/one", [*guard(uid=metadata["uid"], resource_version="1"), change], timeout_seconds=10
            )
        ),
    ]

    assert [(Invalid, 422)] * 2 == [(type(error), error.code) for error in errors]
    assert {"a": "1"} == client.get(f"{maps}/one", timeout_seconds=10)["data"]


def test_a_merge_patch_adds_and_removes(client: HttpApi, maps: str) -> None:
    """Null removes a key; with an older resourceVersion it is a conflict, which changes nothing."""
    metadata = _created(client, maps)
    older = {"metadata": {"resourceVersion": "1"}, "data": {"c": "3"}}

    change = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "data": {"a": None, "b": "2"}}
    stored = msgspec.json.decode(client.send(merge_patch(f"{maps}/one", change), timeout_seconds=10))
    error = _failure(lambda: client.send(merge_patch(f"{maps}/one", older), timeout_seconds=10))

    assert {"b": "2"} == stored["data"]
    assert (Conflict, 409) == (type(error), error.code)
    assert stored == client.get(f"{maps}/one", timeout_seconds=10)


def test_a_replacement_of_an_older_version_is_a_conflict(client: HttpApi, maps: str) -> None:
    """The first of two writers who read the same wins, and the other hears of it."""
    metadata = _created(client, maps)
    body = {"metadata": {"name": "one", "resourceVersion": metadata["resourceVersion"]}, "data": {"b": "2"}}

    stored = msgspec.json.decode(client.send(replacement(f"{maps}/one", body), timeout_seconds=10))
    error = _failure(lambda: client.send(replacement(f"{maps}/one", body), timeout_seconds=10))

    assert {"b": "2"} == stored["data"]
    assert (Conflict, 409) == (type(error), error.code)


def test_only_the_object_that_was_meant_is_deleted(client: HttpApi, maps: str) -> None:
    """Another uid under the name is another object: 409, and it stays."""
    metadata = _created(client, maps)

    error = _failure(lambda: client.send(deletion(f"{maps}/one", uid="other"), timeout_seconds=10))
    client.get(f"{maps}/one", timeout_seconds=10)
    client.send(deletion(f"{maps}/one", uid=metadata["uid"]), timeout_seconds=10)
    gone = _failure(lambda: client.get(f"{maps}/one", timeout_seconds=10))

    assert (Conflict, 409) == (type(error), error.code)
    assert isinstance(gone, NotFound)


def test_every_write_is_answered_by_the_object_as_it_is_stored(client: HttpApi, maps: str) -> None:
    """The answer in bytes is what a read in bytes gives."""
    created = client.send(creation(maps, {"metadata": {"name": "one"}, "data": {"a": "1"}}), timeout_seconds=10)
    read = client.fetch(f"{maps}/one", timeout_seconds=10)
    patched = client.send(
        json_patch(f"{maps}/one", [Operation(op="add", path="/data/b", value="2")]), timeout_seconds=10
    )

    assert msgspec.json.decode(created) == msgspec.json.decode(read)
    assert msgspec.json.decode(patched) == client.get(f"{maps}/one", timeout_seconds=10)


@pytest.mark.parametrize(
    "operations",
    [
        [Operation(op="remove", path="/data/absent")],
        [Operation(op="add", path="/absent/b", value="2")],
        [Operation(op="add", path="/data/b", value=7)],
        [Operation(op="add", path="/data/not allowed", value="x")],
        [Operation(op="wrong", path="/data")],
    ],
)
def test_a_patch_that_cannot_be_applied_is_invalid(client: HttpApi, maps: str, operations: list[Operation]) -> None:
    """A missing parent, a wrong type, a broken rule, an unknown operation: sending it again cannot help."""
    _created(client, maps)

    error = _failure(lambda: client.patch(f"{maps}/one", operations, timeout_seconds=10))

    assert isinstance(error, Invalid)
    assert error.message.startswith(f"patch {maps}/one: HTTP 4")


def test_a_name_that_is_taken_is_a_conflict(client: HttpApi, maps: str) -> None:
    """409, which is no 422: the object is there."""
    _created(client, maps)

    error = _failure(lambda: _created(client, maps))

    assert (Conflict, 409) == (type(error), error.code)
    assert "already exists" in error.message


def test_an_object_that_is_not_there_and_a_resource_that_is_not_there_are_not_found(client: HttpApi, maps: str) -> None:
    """404 for both, and the words tell which."""
    absent = _failure(lambda: client.get(f"{maps}/absent", timeout_seconds=10))
    unknown = _failure(lambda: client.get("/apis/none.example/v1", timeout_seconds=10))

    assert [NotFound, NotFound] == [type(absent), type(unknown)]
    assert 'configmaps "absent" not found' in absent.message


def test_a_missing_right_is_denied_and_named(client: HttpApi, namespace: str) -> None:
    """The message says who lacks which right on what: all that an administrator needs."""
    error = _failure(lambda: client.get(f"/api/v1/namespaces/{namespace}/secrets", timeout_seconds=10))

    assert isinstance(error, Denied)
    assert f'"system:serviceaccount:{namespace}:{ACCOUNT}" cannot list resource "secrets"' in error.message


def test_a_token_is_read_anew_when_the_server_refuses_it(
    apiserver: ApiServer, folder: Path, namespace: str, client: HttpApi, maps: str
) -> None:
    """The kubelet replaces the folder under a running Pod; the first refusal is made up for at once."""
    token = folder / "token"
    link = (folder / "..data").resolve()
    (link / "token").write_text("eyJhbGciOiJSUzI1NiJ9.e30.bm9uZQ\n")
    refused = _failure(lambda: client.get(maps, timeout_seconds=10))

    apiserver.service_account_folder(folder, namespace, ACCOUNT)

    assert isinstance(refused, Unauthenticated)
    assert "bm9uZQ" not in refused.message
    assert "ConfigMapList" == client.get(maps, timeout_seconds=10)["kind"]
    assert token.is_file()


def test_the_server_answers_at_ipv6(apiserver: ApiServer, folder: Path, maps: str, connect: Connect) -> None:
    """KUBERNETES_SERVICE_HOST may be an IPv6 address, as on a cluster that has only those."""
    if not apiserver.has_ipv6:
        pytest.skip("this machine has no IPv6")

    client = connect(in_pod(folder, environment=apiserver.service_environment(host="::1")))

    assert "ConfigMapList" == client.get(maps, timeout_seconds=10)["kind"]


def test_a_kubeconfig_with_a_client_certificate_is_an_access_too(apiserver: ApiServer, connect: Connect) -> None:
    """The administrator's own file, over the same transport."""
    client = connect(read_kubeconfig(apiserver.kubeconfig))

    assert "NamespaceList" == client.get("/api/v1/namespaces", query={"limit": "1"}, timeout_seconds=10)["kind"]


def test_a_stopped_server_is_unreachable_and_answers_again(apiserver: ApiServer, client: HttpApi, maps: str) -> None:
    """The same client goes on after a restart, without a word to it."""
    client.get(maps, timeout_seconds=10)

    apiserver.stop()
    stopped = _failure(lambda: client.get(maps, timeout_seconds=10))
    apiserver.start()

    assert isinstance(stopped, Unreachable)
    assert "ConfigMapList" == client.get(maps, timeout_seconds=10)["kind"]
