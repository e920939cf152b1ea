"""`prewarm check` on a real API server: each combination with OpenKruise is told by its row, with what to do."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.behaviour.check_objects import (
    OUR_LEASE,
    OURS,
    SECRETS,
    THEIR_LEASE,
    THEIRS,
    ensure_namespaces,
    lease,
    renewed,
    webhook,
    workload,
)
from tests.servers.apiserver import ApiServer
from tests.servers.crds import install, ours
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.openkruise.crds import crds
from tests.servers.openkruise.webhook_rules import Gates
from tests.servers.openkruise.webhooks import Webhooks
from tests.servers.persons import RBAC, ROOT, Person, bound, kubeconfig_of
from tests.unit.documents import blocks


AGENTS: Final = (OURS, "prewarm-agent")
COORDINATORS: Final = (OURS, "prewarm-coordinator")
KRUISE_DAEMONS: Final = (THEIRS, "kruise-daemon")
NODES: Final = ("n1", "n2")
NOBODY: Final = {"service": {"namespace": THEIRS, "name": "kruise-webhook-service", "path": "/v"}}


@pytest.fixture(scope="module")
def cluster(apiserver: ApiServer) -> ApiServer:
    """The module's API server with our kinds, the namespaces, and two nodes' NodeImages."""
    install(apiserver, ours())
    ensure_namespaces(apiserver, OURS, THEIRS, SECRETS)
    for name in NODES:
        NodeImageOnServer(apiserver, name).create()
    return apiserver


@pytest.fixture
def person(cluster: ApiServer, tmp_path: Path) -> Person:
    """A person who may everything."""
    return Person(cluster.kubeconfig, tmp_path / "home")


@pytest.fixture
def theirs(cluster: ApiServer) -> Iterator[ApiServer]:
    """The same with kinds like OpenKruise's 1.9 in the place of ours."""
    install(cluster, crds("1.9"))
    yield cluster
    install(cluster, ours())


@pytest.fixture(scope="module")
def role(cluster: ApiServer) -> str:
    """The name of the ClusterRole of docs/check.md, which is there."""
    found = yaml.safe_load(blocks(ROOT / "docs/check.md", "yaml")[0])
    cluster.request("POST", f"{RBAC}/clusterroles", found)
    return str(found["metadata"]["name"])


def webhooks(cluster: ApiServer, *, image_pull_job: bool) -> Webhooks:
    """Return OpenKruise's webhooks, with or without its gate."""
    return Webhooks(cluster, versions=("v1alpha1", "v1beta1"), gates=Gates(image_pull_job=image_pull_job))


@contextlib.contextmanager
def openkruise(cluster: ApiServer, *, image_pull_job: bool) -> Iterator[None]:
    """Have its manager: webhooks that answer, and a Lease that is renewed."""
    with webhooks(cluster, image_pull_job=image_pull_job), renewed(cluster, THEIR_LEASE):
        yield


@contextlib.contextmanager
def prewarm(cluster: ApiServer) -> Iterator[None]:
    """Have all of ours: an agent a node, and a coordinator that leads."""
    with (
        workload(cluster, "DaemonSet", AGENTS, nodes=NODES),
        workload(cluster, "Deployment", COORDINATORS, args=["coordinator"]),
        renewed(cluster, OUR_LEASE),
    ):
        yield


def checked(person: Person) -> tuple[int, Any]:
    """Return the exit code and the document of `prewarm check`."""
    done = person.run("check", "-o", "json")
    assert "" == done.stderr
    return done.returncode, json.loads(done.stdout)


def test_ours_alone_is_nothing_to_do(cluster: ApiServer, person: Person) -> None:
    """Code 0, the row first, and who leads, where agents are and in which version."""
    with prewarm(cluster):
        code, found = checked(person)
        page = person.output("check")

    assert (0, "alone", []) == (code, found["row"], found["steps"])
    assert ("renewed", "taken") == (found["facts"]["coordinator"]["state"], found["facts"]["creation"]["outcome"])
    assert [{"version": "0.1.0", "nodes": 2}] == found["facts"]["nodes"]["versions"]
    assert [] == found["notes"]
    assert "alone: no OpenKruise serves the jobs" == page.splitlines()[0]
    assert "Nothing to do" in page.splitlines()[-1]


def test_a_lease_that_nobody_renews_is_nobody(cluster: ApiServer, person: Person) -> None:
    """OpenKruise's Lease outlives it; and without a leader of ours jobs stand still."""
    with (
        workload(cluster, "DaemonSet", AGENTS, nodes=NODES[:1]),
        lease(cluster, THEIR_LEASE),
        lease(cluster, OUR_LEASE),
    ):
        code, found = checked(person)
        page = person.run("check").stdout

    assert (1, "alone") == (code, found["row"])
    assert ("silent", "kruise-manager-1") == (found["facts"]["manager"]["state"], found["facts"]["manager"]["holder"])
    leader, node = found["steps"]
    assert "no coordinator of Prewarm's leads" in leader["why"]
    assert f"1 of 2 nodes have no agent, nor kruise-daemon: {NODES[1]}" == node["why"]
    assert "kubectl apply -f daemonset.yaml" in page


def test_their_manager_with_our_agents_is_nothing_to_do(theirs: ApiServer, person: Person) -> None:
    """It says what nobody serves there; with a coordinator of ours there are two ways out."""
    with workload(theirs, "DaemonSet", AGENTS, nodes=NODES), openkruise(theirs, image_pull_job=True):
        alone = checked(person)
        with workload(theirs, "Deployment", COORDINATORS, args=["coordinator"]):
            beside = checked(person)

    assert (0, "their-manager", []) == (alone[0], alone[1]["row"], alone[1]["steps"])
    assert [False, False, False] == [each["is_ours"] for each in alone[1]["facts"]["crds"]]
    assert "nobody serves ContainerRecreateRequest and PodProbe" in alone[1]["summary"]
    assert (1, "their-manager", 2) == (beside[0], beside[1]["row"], len(beside[1]["steps"][0]["ways"]))


def test_their_manager_that_refuses_every_job_is_told_with_its_words(theirs: ApiServer, person: Person) -> None:
    """ImagePullJobGate is off by default: it leads, and its webhook refuses."""
    with workload(theirs, "DaemonSet", KRUISE_DAEMONS, nodes=NODES), openkruise(theirs, image_pull_job=False):
        code, found = checked(person)

    creation = found["facts"]["creation"]
    assert (1, "their-manager-refuses", "refused") == (code, found["row"], creation["outcome"])
    assert "feature-gate ImagePullJobGate is not enabled" in creation["message"]
    assert "featureGates=ImagePullJobGate=true" in found["steps"][0]["ways"][0]["command"]


def test_left_over_webhooks_are_told_with_the_command_that_takes_them_away(cluster: ApiServer, person: Person) -> None:
    """Nobody answers for them, and no job can be written."""
    with prewarm(cluster), webhooks(cluster, image_pull_job=True) as left:
        left.leave()
        code, found = checked(person)
        page = person.run("check").stdout

    assert (1, "leftover-webhooks") == (code, found["row"])
    told = {each["name"]: each["answers"] for each in found["facts"]["webhooks"]}
    assert (False, None) == (told["mimagepulljob.kb.io"], told["vnodeimage.kb.io"])
    assert "NOBODY ANSWERS" in page
    assert "kubectl delete mutatingwebhookconfiguration/kruise-mutating-webhook-configuration" in page


def test_a_webhook_of_another_kind_is_told_too(cluster: ApiServer, person: Person) -> None:
    """One on NodeImages alone, which no trial of a job meets."""
    with prewarm(cluster), webhook(cluster, "vnodeimage.kb.io", "nodeimages", client=NOBODY) as configuration:
        code, found = checked(person)

    assert (1, "alone") == (code, found["row"])
    assert [f"kubectl delete validatingwebhookconfiguration {configuration}"] == [
        way["command"] for step in found["steps"] for way in step["ways"]
    ]


def test_both_daemons_on_one_node_are_told_by_its_name(cluster: ApiServer, person: Person) -> None:
    """With two ways out of it."""
    with prewarm(cluster), workload(cluster, "DaemonSet", KRUISE_DAEMONS, nodes=NODES[1:]):
        code, found = checked(person)

    assert (1, "both-daemons", [NODES[1]]) == (code, found["row"], found["facts"]["shared"])
    assert 2 == len(found["steps"][0]["ways"])


def test_the_role_of_the_document_is_enough(
    cluster: ApiServer, role: str, namespace: str, names: Names, tmp_path: Path
) -> None:
    """Nothing is left unread; without the right to create jobs, that no webhook is configured tells the row."""
    person = bound(cluster, namespace, names("checker"), tmp_path, role=role)

    with prewarm(cluster):
        code, found = checked(person)
    with webhook(cluster, "vimagepulljob.kb.io", "imagepulljobs", client=NOBODY):
        left = checked(person)[1]

    assert (0, "alone", [], "denied") == (code, found["row"], found["notes"], found["facts"]["creation"]["outcome"])
    assert ("leftover-webhooks", False) == (left["row"], left["facts"]["webhooks"][0]["answers"])


def test_without_rights_it_guesses_nothing(cluster: ApiServer, namespace: str, names: Names, tmp_path: Path) -> None:
    """Each fact that is missing is named with its right, and the way to get them."""
    name = names("nobody")
    person = Person(kubeconfig_of(cluster, tmp_path / name, namespace=namespace, account=name), tmp_path / "home")

    code, found = checked(person)
    page = person.run("check").stdout

    facts = found["facts"]
    assert (1, "unknown") == (code, found["row"])
    unread = ("crds", "webhooks", "manager", "coordinator", "agents", "kruise_daemons", "shared", "nodes")
    assert [None] * len(unread) == [facts[each] for each in unread]
    assert [] == [note for note in found["notes"] if "HTTP 403" not in note]
    assert "the ClusterRole prewarm-checker of docs/check.md#rights" in page
    assert "Not known:" in page


def test_a_context_whose_namespace_is_not_there_hinders_nothing(cluster: ApiServer, tmp_path: Path) -> None:
    """A job is tried in the one that always is."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = "nowhere"
    path = tmp_path / "config"
    path.write_text(json.dumps(config))

    with prewarm(cluster):
        code, found = checked(Person(path, tmp_path / "home"))

    assert (0, "alone", "taken") == (code, found["row"], found["facts"]["creation"]["outcome"])


def test_an_account_that_is_not_known_is_told(cluster: ApiServer, tmp_path: Path) -> None:
    """As a server that does not answer is: there is nothing to report."""
    path = kubeconfig_of(cluster, tmp_path / "config", namespace="default", account="any")
    config = json.loads(path.read_text())
    config["users"][0]["user"]["token"] = "expired"
    path.write_text(json.dumps(config))

    done = Person(path, tmp_path / "home").run("check")

    assert (3, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "HTTP 401" in done.stderr
    assert "log in again" in done.stderr


def test_in_a_pod_its_own_account_serves(
    cluster: ApiServer, role: str, namespace: str, names: Names, tmp_path: Path
) -> None:
    """As in the coordinator's, where nothing is installed."""
    account = names("pod")
    bound(cluster, namespace, account, tmp_path, role=role)
    folder = cluster.service_account_folder(tmp_path / "account", namespace, account)

    with prewarm(cluster):
        done = Person(None, tmp_path / "home").run(
            "check", "--service-account-folder", str(folder), variables=cluster.service_environment()
        )

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("alone: ")
