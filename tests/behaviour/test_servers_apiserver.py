"""The API server that tests start does what they rely on: it is ready soon, and can be stopped, killed and frozen."""

import socket
from pathlib import Path

import pytest
import urllib3

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Requests
from tests.servers.fixtures_apiserver import Names


CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"


def test_it_answers_its_administrator_and_kubectl(apiserver: ApiServer) -> None:
    """Plain requests and kubectl reach it as an administrator, and its first namespaces are there."""
    namespaces = apiserver.request("GET", "/api/v1/namespaces")["items"]

    assert {"default", "kube-system"} <= {item["metadata"]["name"] for item in namespaces}
    assert "namespace/default" in apiserver.kubectl("get", "namespace", "--output=name").split()


def test_it_answers_on_ipv6(apiserver: ApiServer, namespace: str) -> None:
    """[::1] reaches it on the same port, with a certificate that holds for it."""
    if not apiserver.has_ipv6:
        pytest.skip("this machine has no IPv6")
    environment = apiserver.service_environment(host="::1")
    access = apiserver.access_at(environment["KUBERNETES_SERVICE_HOST"])

    text = Requests(access).send("GET", f"/api/v1/namespaces/{namespace}")

    assert f"https://[::1]:{apiserver.port}" == access.url
    assert namespace in text


def test_kubectl_applies_what_comes_from_standard_input(apiserver: ApiServer, namespace: str) -> None:
    """A manifest is applied through kubectl, and read back by a plain request."""
    manifest = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: one, namespace: {namespace}}}
data: {{key: value}}
"""

    apiserver.kubectl("apply", "--filename=-", stdin=manifest)

    assert {"key": "value"} == apiserver.request("GET", CONFIG_MAPS.format(namespace) + "/one")["data"]


def test_a_patch_is_a_merge_patch_or_a_json_patch_by_its_shape(apiserver: ApiServer, namespace: str) -> None:
    """A dict is merged, a list is applied step by step, and a failed step is refused with 422."""
    path = CONFIG_MAPS.format(namespace)
    apiserver.request("POST", path, {"metadata": {"name": "one"}, "data": {"a": "1"}})

    merged = apiserver.request("PATCH", f"{path}/one", {"data": {"b": "2"}})
    patched = apiserver.request("PATCH", f"{path}/one", [{"op": "remove", "path": "/data/a"}])
    with pytest.raises(ApiFailed) as refused:
        apiserver.request("PATCH", f"{path}/one", [{"op": "test", "path": "/data/b", "value": "3"}])

    assert {"a": "1", "b": "2"} == merged["data"]
    assert {"b": "2"} == patched["data"]
    assert (422, "Invalid") == (refused.value.status, refused.value.body["reason"])


def test_a_restart_keeps_data_and_port(apiserver: ApiServer, namespace: str) -> None:
    """What was written before a stop or a kill is there after the start, at the same address."""
    before = apiserver.url

    apiserver.restart()
    apiserver.kill()
    apiserver.start()

    assert before == apiserver.url
    assert namespace == apiserver.request("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["name"]


def test_a_stopped_one_refuses_connections_and_keeps_its_port(apiserver: ApiServer) -> None:
    """While it is stopped nobody answers, and no other server can take its port."""
    apiserver.stop()
    try:
        with socket.socket() as client, socket.socket() as other:
            assert 0 != client.connect_ex(("127.0.0.1", apiserver.port))
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", apiserver.port))
    finally:
        apiserver.start()


def test_a_watcher_sees_a_change_as_it_comes(apiserver: ApiServer, namespace: str) -> None:
    """A watch first yields what is there, then each change."""
    path = CONFIG_MAPS.format(namespace)
    apiserver.request("POST", path, {"metadata": {"name": "one"}})
    events = apiserver.watch(f"{path}?watch=1&resourceVersion=0")
    first = next(events)

    apiserver.request("PATCH", f"{path}/one", {"data": {"key": "value"}})

    second = next(events)
    assert ("ADDED", "MODIFIED") == (first["type"], second["type"])
    assert {"key": "value"} == second["object"]["data"]


def test_a_stop_ends_open_watches(apiserver: ApiServer, namespace: str) -> None:
    """A stop does not wait for a watcher, which sees a clean end."""
    path = CONFIG_MAPS.format(namespace)
    apiserver.request("POST", path, {"metadata": {"name": "one"}})
    events = apiserver.watch(f"{path}?watch=1&resourceVersion=0")
    next(events)

    apiserver.stop()

    apiserver.start()
    assert [] == list(events)


def test_a_kill_cuts_open_watches(apiserver: ApiServer, namespace: str) -> None:
    """A killed server leaves a watcher with a cut connection."""
    path = CONFIG_MAPS.format(namespace)
    apiserver.request("POST", path, {"metadata": {"name": "one"}})
    events = apiserver.watch(f"{path}?watch=1&resourceVersion=0")
    next(events)

    apiserver.kill()

    apiserver.start()
    with pytest.raises(urllib3.exceptions.HTTPError):
        next(events)


def test_a_frozen_one_takes_connections_and_does_not_answer(apiserver: ApiServer, namespace: str) -> None:
    """Frozen, it lets requests wait; thawed, it answers again."""
    apiserver.freeze()
    try:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            apiserver.request("GET", f"/api/v1/namespaces/{namespace}", timeout_seconds=0.2)
    finally:
        apiserver.thaw()

    assert namespace == apiserver.request("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["name"]


def test_after_a_compaction_and_a_restart_an_old_version_is_gone(apiserver: ApiServer, namespace: str) -> None:
    """A watch from before the compaction gets 410 as an event."""
    path = CONFIG_MAPS.format(namespace)
    old = apiserver.request("POST", path, {"metadata": {"name": "one"}})["metadata"]["resourceVersion"]
    apiserver.request("POST", path, {"metadata": {"name": "two"}})

    apiserver.compact()
    apiserver.restart()

    seen = next(apiserver.watch(f"{path}?watch=1&resourceVersion={old}"))
    assert ("ERROR", 410) == (seen["type"], seen["object"]["code"])


def test_two_at_once_share_nothing(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    """A second server has a port and data of its own, and takes flags."""
    with ApiServer(tmp_path / "second", flags=["--watch-cache=false"]) as second:
        assert apiserver.port != second.port
        with pytest.raises(ApiFailed) as absent:
            second.request("GET", f"/api/v1/namespaces/{namespace}")

    assert 404 == absent.value.status


def test_without_a_watch_cache_an_old_version_is_gone_at_once(tmp_path: Path) -> None:
    """A list that goes on from before a compaction gets 410 as a status, a watch as an event."""
    path = CONFIG_MAPS.format("default")
    with ApiServer(tmp_path / "api", flags=["--watch-cache=false"]) as apiserver:
        for name in ("one", "two"):
            apiserver.request("POST", path, {"metadata": {"name": name}})
        begun = apiserver.request("GET", f"{path}?limit=1")
        old = begun["items"][0]["metadata"]["resourceVersion"]
        apiserver.request("POST", path, {"metadata": {"name": "three"}})

        apiserver.compact()

        with pytest.raises(ApiFailed) as gone:
            apiserver.request("GET", f"{path}?limit=1&continue={begun['metadata']['continue']}")
        seen = next(apiserver.watch(f"{path}?watch=1&resourceVersion={old}"))

    assert 410 == gone.value.status
    assert ("ERROR", 410) == (seen["type"], seen["object"]["code"])


def test_names_differ_each_time(names: Names) -> None:
    """Two objects of a test, or of two tests, do not clash."""
    assert names("node") != names("node")
