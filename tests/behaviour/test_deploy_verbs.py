"""
The agent with exactly the rights of daemonset.yaml, and with each of them taken away: it stays up, does the rest, and
says what it may not do. docs/security.md tells an operator the same.
"""

import base64
import json

import pytest

from tests.behaviour.withheld import invalid, refusals, without
from tests.rights import CLUSTER, Right, documented
from tests.servers import binaries
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.deployment import ACCOUNT, SECRETS
from tests.servers.fixtures import USERS
from tests.servers.fixtures_agent import StartAgent
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until


NODEIMAGES = "nodeimages.apps.kruise.io"


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One containerd is enough: rights are the API server's."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture
def pull_secret(deployed: ApiServer, push_private: Push, names: Names) -> str:
    """The name of a copy of a pull secret for the private registry."""
    name, user = names("pull"), "anna"
    image = push_private("app", tag="v1")
    auth = base64.b64encode(f"{user}:{USERS[user]}".encode()).decode()
    config = json.dumps({"auths": {image.host: {"auth": auth}}})
    body = {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson"}
    secret = {**body, "stringData": {".dockerconfigjson": config}}
    deployed.request("POST", f"/api/v1/namespaces/{SECRETS}/secrets", secret)
    return name


def want(node_image: NodeImageOnServer, push_private: Push, *, secret: str) -> Json:
    """Have a private image wanted and return what the node says at its end."""
    image = push_private("app", tag="v1")
    node_image.want(image.key, entry("v1"), pullSecrets=[{"namespace": SECRETS, "name": secret}])
    return node_image.ended(image.key, "v1")


def test_the_rights_of_the_manifest_are_enough(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push_private: Push,
    pull_secret: str,
) -> None:
    """A private image is pulled, reported and told, and no request of the agent is refused."""
    agent = start_agent(node_image, containerd)

    status = want(node_image, push_private, secret=pull_secret)

    agent.until_ready()
    assert "Succeeded" == status["phase"]
    until(
        lambda: agent.metric("prewarm_api_requests_total", verb="create", resource="events", code="201"),
        what="an event",
        timeout_seconds=30,
    )
    assert set() == refusals(agent)


def test_every_right_has_its_test() -> None:
    """A right that is added gets a test of what is without it."""
    tried = {
        Right(where=CLUSTER, resource=NODEIMAGES, verb="list"),
        Right(where=CLUSTER, resource=NODEIMAGES, verb="watch"),
        Right(where=CLUSTER, resource=NODEIMAGES, verb="get"),
        Right(where=CLUSTER, resource=f"{NODEIMAGES}/status", verb="patch"),
        Right(where=SECRETS, resource="secrets", verb="get"),
        Right(where="default", resource="events.events.k8s.io", verb="create"),
    }

    assert tried == documented(ACCOUNT)


def test_without_list_the_agent_is_not_ready_and_says_why(
    deployed: ApiServer, node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd
) -> None:
    """It cannot know what is wanted; given the right it goes on by itself."""
    with without(deployed, verb="list", resource=NODEIMAGES):
        agent = start_agent(node_image, containerd)
        until(lambda: agent.is_not_ready('cannot list resource "nodeimages"'), what="it is told", timeout_seconds=30)

        assert 200 == agent.get("/healthz")[0]
        assert {("list", "nodeimages")} == refusals(agent)

    agent.until_ready()


def test_without_watch_the_agent_serves_what_it_lists_and_says_why_it_is_slow(
    deployed: ApiServer, node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """It lists again and again instead; given the right it goes on by itself."""
    image = push("app", tag="v1")
    with without(deployed, verb="watch", resource=NODEIMAGES):
        agent = start_agent(node_image, containerd)
        until(lambda: agent.is_not_ready('cannot watch resource "nodeimages"'), what="it is told", timeout_seconds=30)
        node_image.want(image.key, entry("v1"))

        assert "Succeeded" == node_image.ended(image.key, "v1")["phase"]
        assert 200 == agent.get("/healthz")[0]
        assert {("watch", "nodeimages")} == refusals(agent)

    agent.until_ready()


def test_without_patch_images_come_but_nobody_hears_of_them(
    deployed: ApiServer, node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """The work goes on; given the right the newest status is written."""
    image = push("app", tag="v1")
    with without(deployed, verb="patch", resource=f"{NODEIMAGES}/status"):
        agent = start_agent(node_image, containerd)
        node_image.want(image.key, entry("v1"))
        until(lambda: image.reference in containerd.images(), what="the image is there", timeout_seconds=30)
        until(lambda: agent.is_not_ready('cannot patch resource "nodeimages/status"'), what="told", timeout_seconds=30)

        assert 200 == agent.get("/healthz")[0]
        assert {("patch", "nodeimages/status")} == refusals(agent)

    assert "Succeeded" == node_image.ended(image.key, "v1")["phase"]


def test_without_get_of_secrets_the_entry_says_which_right_is_missing(
    deployed: ApiServer,
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push_private: Push,
    pull_secret: str,
) -> None:
    """An image that needs its secret fails with a reason of its own; everything else goes on."""
    with without(deployed, verb="get", resource="secrets", where=SECRETS):
        agent = start_agent(node_image, containerd)
        status = want(node_image, push_private, secret=pull_secret)

        agent.until_ready()
        assert ("Failed", "SecretForbidden") == (status["phase"], status["reason"])
        assert 'cannot get resource "secrets"' in status["message"]
        assert {("get", "secrets")} == refusals(agent)


def test_without_create_of_events_everything_else_goes_on(
    deployed: ApiServer, node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Events are best effort: the status has it all, and what is not sent is counted."""
    image = push("app", tag="v1")
    with without(deployed, verb="create", resource="events.events.k8s.io", where="default"):
        agent = start_agent(node_image, containerd)
        node_image.want(image.key, entry("v1"))
        status = node_image.ended(image.key, "v1")

        agent.until_ready()
        assert "Succeeded" == status["phase"]
        until(lambda: agent.metric("prewarm_events_dropped_total"), what="the event is counted", timeout_seconds=30)
        assert {("create", "events")} == refusals(agent)


def test_without_get_of_nodeimages_a_refused_status_waits_and_says_why(
    deployed: ApiServer, node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd
) -> None:
    """After a patch that was understood and refused it reads the object anew; without that it tries again later."""
    with without(deployed, verb="get", resource=NODEIMAGES):
        with invalid(deployed, node_image.name):
            agent = start_agent(node_image, containerd)
            until(lambda: agent.is_not_ready('cannot get resource "nodeimages"'), what="it is told", timeout_seconds=30)

            assert 200 == agent.get("/healthz")[0]
            assert {("get", "nodeimages")} == refusals(agent)

        agent.until_ready()
