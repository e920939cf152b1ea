"""
Two tenants of a private registry, on one node with a real containerd: each job pulls with its own secret alone.

Witness is what stands before the registry and sees who asks for what.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Hosts
from tests.servers.fixtures import USERS
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import JoinNode, Nodes
from tests.servers.images import Push, PushedImage
from tests.servers.jobs import JobOnServer, failures, job, reason, totals
from tests.servers.objects import Json
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.secrets import Copies, SecretOnServer


pytestmark = pytest.mark.usefixtures("coordinator")


@pytest.fixture
def private(private_registry: Registry, hosts: Hosts) -> Iterator[FaultProxy]:
    """What stands before the private registry and notes who asks for what."""
    with FaultProxy(private_registry.url) as proxy:
        hosts.add(proxy.host, proxy.url)
        yield proxy


class Tenant:
    """A namespace with the pull secret of a user of the registry, which has the same name in each."""

    def __init__(self, apiserver: ApiServer, namespace: str, *, user: str, host: str) -> None:
        self.user = user
        self.namespace = namespace
        self._apiserver = apiserver
        self._host = host
        apiserver.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.secret = SecretOnServer(apiserver, namespace, "regcred")
        self.give(USERS[user])

    def give(self, password: str) -> None:
        """Put a password into the secret."""
        self.secret.put(password, user=self.user, host=self._host)

    def wants(self, image: PushedImage, *, selector: Json, **spec: Any) -> JobOnServer:  # noqa: ANN401 - JSON
        """Create a job that brings an image."""
        made = JobOnServer(self._apiserver, self.namespace, f"warm-{image.tag}")
        made.create(job(image.reference, selector=selector, pullPolicy={"backoffLimit": 0}, **spec))
        return made


def asked_with(private: FaultProxy, image: PushedImage) -> set[str]:
    """Name the users with whose credentials any part of an image was asked for."""
    parts = {image.tag, image.digest, image.image_id, *(layer.digest for layer in image.layers)}
    return {one.user for one in private.traffic.requests() if one.reference in parts and one.user}


def test_neither_tenant_s_job_pulls_with_the_other_s_secret(
    deployed: ApiServer,
    join_node: JoinNode,
    nodes: Nodes,
    names: Names,
    private: FaultProxy,
    private_registry: Registry,
    push_private: Push,
) -> None:
    """
    Of one repository they want tags of their own, and a third job there has no secret: it is let in with nobody's.

    A password that has changed is noticed by the denied pull, which then runs again, with the same tenant's.
    """
    tags = ("a-same", "a-own", "b-same", "b-own", "nobody")
    images = {
        tag: push_private(f"own-{tag[0]}" if tag.endswith("own") else "same", tag=tag, seed=seed).at(private.host)
        for seed, tag in enumerate(tags)
    }
    tenants = {
        name: Tenant(deployed, names(f"team-{name}"), user=user, host=private.host)
        for name, user in (("a", "anna"), ("b", "ben"))
    }
    real = join_node()
    nodes.until_seen()

    def warm(tag: str, **spec: Any) -> JobOnServer:  # noqa: ANN401 - JSON
        return tenants[tag[0]].wants(images[tag], selector=nodes.selector, pullSecrets=["regcred"], **spec)

    made = [warm(tag) for tag in ("a-same", "a-own", "b-same")]
    kept = warm("b-own", kind="Never", imagePullPolicy="Always")
    stranger = tenants["b"].wants(images["nobody"], selector=nodes.selector)
    brought = [totals(one.ended()) for one in made]
    kept.until_ready(nodes=1)
    refused = stranger.ended()
    secrets = real.image.read()["spec"]["images"][images["a-same"].key]["pullSecrets"]
    private_registry.set_users({**USERS, "ben": "changed"})
    tenants["b"].give("changed")
    soon = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=1)
    kept.edit({"prewarm": {"refresh": {"at": f"{soon:%Y-%m-%dT%H:%M:%SZ}"}}})
    copies = Copies(deployed)
    wanted = tenants["b"].secret.read()["data"]
    copies.until(tenants["b"].secret, lambda found: [wanted] == [each["data"] for each in found], what="follow")
    kept.until(
        lambda status: reason(status, "Ready") == "AllWarm" and "lastRefreshTime" in status["prewarm"],
        what="is as fresh as asked",
    )
    seen = {tag: asked_with(private, image) for tag, image in images.items()}
    for one in (*made, stranger, kept):
        one.delete()
    for tenant in tenants.values():
        copies.until_none(tenant.secret)

    assert [(1, 0, 1, 0)] * 3 == brought
    assert {"Unauthorized": [real.name]} == failures(refused)
    assert {"a-same": {"anna"}, "a-own": {"anna"}, "b-same": {"ben"}, "b-own": {"ben"}, "nobody": set()} == seen
    assert 2 == len(secrets)
