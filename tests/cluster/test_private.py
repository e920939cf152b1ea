"""
Private images on real nodes, and what the tokens can do that Prewarm's running Pods have.

They are read where the kubelet has put them, as whoever is root on a node could. What the roles and policies say of
made tokens, right for right, is tests/behaviour/test_deploy_*.py's.
"""

import http
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest

from tests.cluster.mounted import Mounted, mounted, readable, reading
from tests.cluster.story import PATIENT_SECONDS, until_pulled
from tests.servers.apiserver_access import ApiFailed
from tests.servers.cluster import waiting
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.pods import PRESENT, PULLING, PodOnServer
from tests.servers.cluster.product import NAMESPACE, Product
from tests.servers.deployment import EVENTS, SECRETS, event, nodeimages, refusal
from tests.servers.images import Push, PushedImage
from tests.servers.jobs import JobOnServer, failures, job
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.secrets import Copies, SecretOnServer


HOST: Final = "private.lab:5000"
USERS: Final = {"anna": "word-of-anna", "ben": "word-of-ben"}
PULL_SECRET: Final = "regcred"
OWN, OTHER = "node-1", "node-2"
PLACES: Final = (SECRETS, "team-anna")
NOTHING: Final = [{"op": "test", "path": "/metadata/name", "value": OWN}]
Asked = tuple[str, str, Json | list[Json] | None]


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a namespace, a pull secret there, an image in the private registry, and a job that brings it."""

    image: PushedImage
    job: JobOnServer
    secret: SecretOnServer


class Private(msgspec.Struct, frozen=True, kw_only=True):
    """A registry that asks who one is, and what stands before it and notes who that was."""

    registry: Registry
    witness: FaultProxy

    def push(self, repository: str, *, user: str, seed: int) -> PushedImage:
        """Push an image as a user; its Pods run."""
        push = Push(self.registry, user=(user, USERS[user]))
        layers = (waiting.layer(), 4096)
        return push(repository, tag="v1", layers=layers, seed=seed, entrypoint=waiting.ENTRYPOINT).at(HOST)

    def users_of(self, image: PushedImage) -> set[str]:
        """Name the users as whom an image's own layer was asked for."""
        asked = self.witness.traffic.requests(reference=image.layers[-1].digest)
        return {one.user for one in asked if one.user}


@pytest.fixture(scope="module")
def private(cluster: LabCluster) -> Iterator[Private]:
    """The private registry, which nodes have as HOST."""
    with Registry(cluster.folder / "private", users=USERS) as registry, FaultProxy(registry.url) as witness:
        cluster.serve(HOST, witness.port)
        yield Private(registry=registry, witness=witness)


@pytest.fixture(scope="module")
def tenants(cluster: LabCluster, product: Product, private: Private) -> dict[str, Tenant]:
    """Anna and Ben, whose images every node has."""
    product.until_up()
    found = {user: _tenant(cluster, private, user, seed=seed) for seed, user in enumerate(USERS, start=1)}
    for tenant in found.values():
        tenant.job.until_ready(nodes=3, timeout_seconds=PATIENT_SECONDS)
    return found


def _tenant(cluster: LabCluster, private: Private, user: str, *, seed: int) -> Tenant:
    namespace = f"team-{user}"
    cluster.apiserver.kubectl("create", "namespace", namespace)
    secret = SecretOnServer(cluster.apiserver, namespace, PULL_SECRET)
    secret.put(USERS[user], user=user, host=HOST)
    image = private.push(f"of-{user}", user=user, seed=seed)
    made = JobOnServer(cluster.apiserver, namespace, "warm")
    made.create(job(image.reference, kind="Never", parallelism=3, pullSecrets=[PULL_SECRET]))
    return Tenant(image=image, job=made, secret=secret)


@pytest.fixture(scope="module")
def agent(cluster: LabCluster, product: Product) -> Mounted:
    """The token of the agent on OWN."""
    product.until_up()
    return next(each for each in mounted(cluster, "prewarm-agent") if each.node == OWN)


@pytest.fixture(scope="module")
def coordinator(cluster: LabCluster, product: Product) -> Mounted:
    """The token of a coordinator."""
    product.until_up()
    return next(mounted(cluster, "prewarm-coordinator"))


def test_a_private_image_comes_to_every_node_by_its_own_tenant_s_secret(
    cluster: LabCluster, private: Private, tenants: dict[str, Tenant]
) -> None:
    """Each tenant's Pods start there without a pull; a job that names no secret is refused on every node."""
    nobody_s = private.push("nobody", user="anna", seed=9)
    stranger = JobOnServer(cluster.apiserver, tenants["ben"].job.namespace, "without-a-secret")
    stranger.create(job(nobody_s.reference, parallelism=3, pullPolicy={"backoffLimit": 0}))

    refused = stranger.ended(timeout_seconds=PATIENT_SECONDS)
    pods = [_pod(cluster, tenant, node) for tenant in tenants.values() for node in cluster.nodes]
    told = [until_pulled(pod) for pod in pods]
    asked = {user: private.users_of(tenant.image) for user, tenant in tenants.items()}

    assert {user: {user} for user in USERS} == asked
    assert [True] * 6 == [PRESENT in word for word in told], told
    assert [] == [note for pod in pods for note in pod.notes(PULLING)]
    assert {"Unauthorized": sorted(cluster.nodes)} == failures(refused)


def _pod(cluster: LabCluster, tenant: Tenant, node: str) -> PodOnServer:
    pod = PodOnServer(cluster.apiserver, f"app-{node}", namespace=tenant.job.namespace)
    pod.create(tenant.image.reference, node=node, pull_secrets=[PULL_SECRET])
    return pod


def test_no_password_is_told_by_what_runs(cluster: LabCluster, tenants: dict[str, Tenant]) -> None:
    """Not in a log of ours, a job, a NodeImage or an event, also not as the docker config that it is in."""
    kubectl = cluster.apiserver.kubectl
    (copy,) = Copies(cluster.apiserver).of(tenants["anna"].secret)

    logs = kubectl("logs", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/instance=prewarm", "--tail=-1")
    kinds = kubectl("get", "imagepulljobs,nodeimages,events,pods", "--all-namespaces", "--output=yaml")

    assert tenants["anna"].image.reference in logs
    assert copy["metadata"]["name"] in kinds
    assert [] == [hidden for hidden in (*USERS.values(), *copy["data"].values()) if hidden in logs + kinds]


def test_a_mounted_token_is_its_pod_s_for_an_hour(agent: Mounted, coordinator: Mounted) -> None:
    """It says on which node: that is what binds an agent to its own."""
    for each, account in ((agent, "prewarm-agent"), (coordinator, "prewarm-coordinator")):
        claims = each.claims["kubernetes.io"]

        assert (each.node, each.pod) == (claims["node"]["name"], claims["pod"]["name"])
        assert (NAMESPACE, account) == (claims["namespace"], claims["serviceaccount"]["name"])
        assert 3600 == each.claims["exp"] - each.claims["iat"]


@pytest.mark.usefixtures("tenants")
def test_a_mounted_token_reads_what_the_document_says_and_nothing_else(
    cluster: LabCluster, agent: Mounted, coordinator: Mounted
) -> None:
    """In the whole cluster, in the namespace of the copies, and in a tenant's."""
    assert reading("prewarm-agent", PLACES) == readable(cluster.apiserver, agent.token, PLACES)
    assert reading("prewarm-coordinator", PLACES) == readable(cluster.apiserver, coordinator.token, PLACES)


AGENT_REFUSED: dict[str, Asked] = {
    "a tenant's pull secret": ("GET", f"/api/v1/namespaces/team-anna/secrets/{PULL_SECRET}", None),
    "the list of copies": ("GET", f"/api/v1/namespaces/{SECRETS}/secrets", None),
    "every Secret": ("GET", "/api/v1/secrets?limit=1", None),
    "its own Pod": ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods", None),
    "its own Node": ("GET", f"/api/v1/nodes/{OWN}", None),
    "its kubelet": ("GET", f"/api/v1/nodes/{OWN}/proxy/pods", None),
    "the jobs": ("GET", "/apis/apps.kruise.io/v1beta1/imagepulljobs", None),
    "a coordinator's token": (
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/prewarm-coordinator/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ),
    "another node's report": ("PATCH", nodeimages(OTHER, subresource="status"), [{**NOTHING[0], "value": OTHER}]),
    "what its node is to have": ("PATCH", nodeimages(OWN), NOTHING),
    "an event about another node": ("POST", EVENTS, event(OTHER)),
    "a taint of its Node": ("PATCH", f"/api/v1/nodes/{OWN}", {"spec": {"taints": None}}),
}
AGENT_ALLOWED: dict[str, Asked] = {
    "its own NodeImage": ("GET", nodeimages(OWN), None),
    "its own report": ("PATCH", nodeimages(OWN, subresource="status"), NOTHING),
    "an event about its own node": ("POST", f"{EVENTS}?dryRun=All", event(OWN)),
}
COORDINATOR_REFUSED: dict[str, Asked] = {
    "every Secret": ("GET", "/api/v1/secrets?limit=1", None),
    "a watch of every Secret": ("GET", "/api/v1/secrets?watch=1&timeoutSeconds=1", None),
    "the list of a tenant's Secrets": ("GET", "/api/v1/namespaces/team-anna/secrets", None),
    "a tenant's Secret to write": ("PATCH", f"/api/v1/namespaces/team-anna/secrets/{PULL_SECRET}", {"data": None}),
    "a Secret of its own making": ("POST", f"/api/v1/namespaces/{SECRETS}/secrets", {"metadata": {"name": "any"}}),
    "a tenant's job to delete": (
        "DELETE",
        "/apis/apps.kruise.io/v1beta1/namespaces/team-anna/imagepulljobs/warm?dryRun=All",
        None,
    ),
    "a Node's label": ("PATCH", f"/api/v1/nodes/{OWN}?dryRun=All", {"metadata": {"labels": {"any": "one"}}}),
    "a Node to cordon": ("PATCH", f"/api/v1/nodes/{OWN}?dryRun=All", {"spec": {"unschedulable": True}}),
    "a kubelet": ("GET", f"/api/v1/nodes/{OWN}/proxy/pods", None),
    "a Pod to make": ("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", {"metadata": {"name": "any"}}),
    "another's Lease": ("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{OWN}", None),
}
COORDINATOR_ALLOWED: dict[str, Asked] = {
    "a tenant's pull secret by its name": ("GET", f"/api/v1/namespaces/team-anna/secrets/{PULL_SECRET}", None),
    "the copies": ("GET", f"/api/v1/namespaces/{SECRETS}/secrets", None),
    "the Nodes": ("GET", "/api/v1/nodes?limit=1", None),
}


@pytest.mark.usefixtures("tenants")
def test_a_stolen_agent_s_token_is_refused_what_is_not_its_own(cluster: LabCluster, agent: Mounted) -> None:
    """By real requests; what it is there for works with it in the same moment."""
    assert [] == _differing(cluster, agent, refused=AGENT_REFUSED, allowed=AGENT_ALLOWED)


def test_a_stolen_agent_s_token_reads_a_copy_by_its_name(
    cluster: LabCluster, agent: Mounted, tenants: dict[str, Tenant]
) -> None:
    """As docs/security.md says in bold: the name stands in every NodeImage that wants the image."""
    (copy,) = Copies(cluster.apiserver).of(tenants["anna"].secret)

    found = cluster.apiserver.request(
        "GET", f"/api/v1/namespaces/{SECRETS}/secrets/{copy['metadata']['name']}", token=agent.token
    )

    assert tenants["anna"].secret.read()["data"] == found["data"]


@pytest.mark.usefixtures("tenants")
def test_a_stolen_coordinator_s_token_is_refused_what_is_not_its_own(cluster: LabCluster, coordinator: Mounted) -> None:
    """By real requests; what it is there for works with it in the same moment."""
    assert [] == _differing(cluster, coordinator, refused=COORDINATOR_REFUSED, allowed=COORDINATOR_ALLOWED)


def _differing(
    cluster: LabCluster, stolen: Mounted, *, refused: dict[str, Asked], allowed: dict[str, Asked]
) -> list[str]:
    """Name what was let through and should not have been, or the other way round."""
    said = {
        what: refusal(cluster.apiserver, *asked, token=stolen.token) for what, asked in {**refused, **allowed}.items()
    }
    return [what for what, words in said.items() if bool(words) != (what in refused)]


def test_a_token_ends_with_its_pod(cluster: LabCluster, product: Product) -> None:
    """Whoever has taken it has nothing any more when the Pod is deleted."""
    taken = next(each for each in mounted(cluster, "prewarm-agent") if each.node == "node-3")
    path = nodeimages("node-3")
    before = cluster.apiserver.request("GET", path, token=taken.token)["metadata"]["name"]

    cluster.apiserver.kubectl("delete", "pod", f"--namespace={NAMESPACE}", taken.pod)
    until(lambda: _is_unknown(cluster, path, taken), what="it is refused", timeout_seconds=PATIENT_SECONDS)
    product.until_up()

    assert "node-3" == before
    assert _is_unknown(cluster, path, taken)


def _is_unknown(cluster: LabCluster, path: str, taken: Mounted) -> bool:
    try:
        cluster.apiserver.request("GET", path, token=taken.token)
    except ApiFailed as error:
        return error.status == http.HTTPStatus.UNAUTHORIZED
    return False
