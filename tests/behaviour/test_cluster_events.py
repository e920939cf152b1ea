"""Events that we record are good enough for a real API server, and stand where a person looks for them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cluster.access import in_pod
from daemon.cluster.errors import ClusterError, Denied
from daemon.cluster.recorder import EventRecorder, Regarding
from daemon.cluster.transport import HttpApi
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.processes import until


ACCOUNT = "reporter"
WAIT_SECONDS = 30.0


@pytest.fixture
def client(apiserver: ApiServer, namespace: str, tmp_path: Path) -> Iterator[HttpApi]:
    """A client whose account may do nothing yet."""
    folder = apiserver.service_account_folder(tmp_path / "account", namespace, ACCOUNT)
    http = HttpApi(in_pod(folder, environment=apiserver.service_environment()), user_agent="prewarm-test/1")
    yield http
    http.close()


@pytest.fixture
def errors() -> list[ClusterError]:
    """What the recorder told as failed."""
    return []


@pytest.fixture
def recorder(client: HttpApi, errors: list[ClusterError]) -> Iterator[EventRecorder]:
    """A recorder that runs."""
    recorder = EventRecorder(client, controller="prewarm.internal/agent", instance="agent-x", failed=errors.append)
    thread = threading.Thread(target=recorder.run, name="events")
    thread.start()
    yield recorder
    recorder.stop()
    thread.join(15)
    assert not thread.is_alive()


def _allow(apiserver: ApiServer, names: Names, namespace: str) -> None:
    """Give the account the right to create events, and no other."""
    name = names("events")
    account = f"--serviceaccount={namespace}:{ACCOUNT}"
    apiserver.kubectl("create", "clusterrole", name, "--verb=create", "--resource=events.events.k8s.io")
    apiserver.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)


def test_an_event_is_seen_with_its_object(
    apiserver: ApiServer, names: Names, namespace: str, recorder: EventRecorder, errors: list[ClusterError]
) -> None:
    """`kubectl get events` shows it: of a cluster-wide object in default, of any other beside it."""
    _allow(apiserver, names, namespace)
    node = Regarding(api_version="apps.kruise.io/v1beta1", kind="NodeImage", name=names("node"), uid="u-1")
    job = Regarding(
        api_version="apps.kruise.io/v1beta1", kind="ImagePullJob", name="job", uid="u-2", namespace=namespace
    )

    for regarding, kind in ((node, "Normal"), (job, "Warning")):
        recorder.record(regarding, kind=kind, reason="PullImageFailed", note="\u00e9" * 2000, action="PullImage")
    until(
        lambda: _events(apiserver, "default", node) and _events(apiserver, namespace, job),
        what="both events",
        timeout_seconds=WAIT_SECONDS,
    )

    assert [] == errors
    assert ["Warning", "PullImageFailed"] == _events(apiserver, namespace, job).split()[1:3]
    assert "agent-x" in apiserver.kubectl("get", "events.events.k8s.io", "--namespace", namespace, "--output=yaml")


def test_an_event_of_a_node_is_seen_where_nodes_are_described(
    apiserver: ApiServer, names: Names, namespace: str, recorder: EventRecorder, errors: list[ClusterError]
) -> None:
    """`kubectl describe node` shows it: there a person looks who wonders about a node that came cold."""
    _allow(apiserver, names, namespace)
    created = apiserver.request("POST", "/api/v1/nodes", {"metadata": {"name": names("node")}})["metadata"]
    node = Regarding(api_version="v1", kind="Node", name=created["name"], uid=created["uid"])

    recorder.record(node, kind="Warning", reason="GateOpenedCold", note="2 jobs are not warm", action="OpenGate")
    until(lambda: _events(apiserver, "default", node), what="the event", timeout_seconds=WAIT_SECONDS)
    described = apiserver.kubectl("describe", "node", node.name)
    apiserver.request("DELETE", f"/api/v1/nodes/{node.name}")

    assert [] == errors
    assert "GateOpenedCold" in described
    assert "2 jobs are not warm" in described


def _events(apiserver: ApiServer, namespace: str, regarding: Regarding) -> str:
    selector = f"--field-selector=involvedObject.name={regarding.name},involvedObject.kind={regarding.kind}"
    return apiserver.kubectl("get", "events", "--namespace", namespace, selector, "--no-headers")


def test_without_the_right_events_are_dropped_and_the_rest_goes_on(
    namespace: str, recorder: EventRecorder, errors: list[ClusterError]
) -> None:
    """The refusal names the right, and the next event is tried."""
    job = Regarding(api_version="apps.kruise.io/v1beta1", kind="ImagePullJob", name="job", uid="u", namespace=namespace)

    recorder.record(job, kind="Normal", reason="One", note="one", action="PullImage")
    recorder.record(job, kind="Normal", reason="Two", note="two", action="PullImage")
    until(lambda: len(errors) == 2, what="both refusals", timeout_seconds=WAIT_SECONDS)

    assert {Denied} == {type(error) for error in errors}
    assert 'cannot create resource "events" in API group "events.k8s.io"' in errors[0].message
