"""Pull secrets: one copy a source where agents read it, made, followed and released; what is missing is told."""

import base64
import json

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.deployment import ACCOUNT, SECRETS
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import condition, job, reason, said, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.objects import Json
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds
from tests.servers.secrets import DOCKERCONFIGJSON, FIELD, MODE, REFERENCES, SOURCE_KEY, Copies, SecretOnServer


pytestmark = pytest.mark.usefixtures("coordinator")

REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"


@pytest.fixture
def copies(deployed: ApiServer) -> Copies:
    """What agents may read."""
    return Copies(deployed)


@pytest.fixture
def source(deployed: ApiServer, namespace: str) -> SecretOnServer:
    """A pull secret of the test's own, not there yet."""
    return SecretOnServer(deployed, namespace, "regcred")


def named(node_image: NodeImageOnServer, *, repository: str = REPOSITORY) -> list[str]:
    """Return the names of a repository's pull secrets on a node."""
    spec = node_image.read()["spec"]["images"][repository]
    return [secret["name"] for secret in spec.get("pullSecrets", [])]


def until_named(node_image: NodeImageOnServer, names: list[str], *, repository: str = REPOSITORY) -> None:
    """Wait until a repository's pull secrets on a node are these."""

    def is_so(found: Json) -> bool:
        image = found["spec"].get("images", {}).get(repository, {})
        return names == [secret["name"] for secret in image.get("pullSecrets", [])]

    node_image.until_object(is_so, what=f"{repository} names {names}")


def test_the_first_write_of_a_node_names_the_copy(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer, copies: Copies
) -> None:
    """The copy has exactly the annotations of OpenKruise, the type and the one field; the node is written once."""
    (node,) = nodes()
    agents.serve(node.name)
    nodes.until_seen()
    before = nodes.image(node).read()["metadata"]["generation"]
    source.put("correct horse", annotations={"team": "a"}, labels={"app": "x"})

    made = jobs(job(IMAGE, selector=nodes.selector, pullSecrets=[source.name]))
    made.ended()
    copy = copies.one(source, f"{made.namespace}/{made.name}")
    found = nodes.image(node).read()

    assert {
        SOURCE_KEY: source.key,
        REFERENCES: f"{made.namespace}/{made.name}",
        MODE: "batch",
    } == copy["metadata"]["annotations"]
    assert "labels" not in copy["metadata"]
    assert (DOCKERCONFIGJSON, source.read()["data"], None) == (copy["type"], copy["data"], copy.get("immutable"))
    assert copy["metadata"]["name"].startswith(f"{source.name}-")
    secret = {"namespace": SECRETS, "name": copy["metadata"]["name"], "mode": "batch"}
    assert [secret] == found["spec"]["images"][REPOSITORY]["pullSecrets"]
    assert before + 1 == found["metadata"]["generation"]


def test_jobs_share_a_copy_until_the_last_one_ends(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer, copies: Copies
) -> None:
    """Its references are sorted and follow the jobs; then it goes, and the node names none any more."""
    (node,) = nodes()
    agents.serve(node.name)
    source.put("shared")
    other = f"{REPOSITORY}:v2"

    late = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]), name="warm-z")
    late.until_ready(nodes=1)
    early = jobs(job(other, kind="Never", selector=nodes.selector, pullSecrets=[source.name]), name="warm-a")
    early.until_ready(nodes=1)
    shared = copies.one(source, early.namespace + "/warm-a", late.namespace + "/warm-z")
    late.delete()
    left = copies.one(source, early.namespace + "/warm-a")
    early.delete()
    copies.until_none(source)
    nodes.image(node).until_object(lambda found: not found["spec"].get("images"), what="has no entry left")

    assert shared["metadata"]["uid"] == left["metadata"]["uid"]


def test_a_denied_pull_has_the_secret_read_again_and_the_node_runs_again(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer, copies: Copies
) -> None:
    """Also of an Always job whose last node has just failed: it has not ended while that is looked into."""
    (node,) = nodes()
    agent = agents.serve(node.name, Pulls())
    source.put("old")
    made = jobs(job(IMAGE, selector=nodes.selector, pullSecrets=[source.name]))
    made.until(lambda status: status.get("active") == 1, what="is active")

    source.put("new")
    # What has ended stays as it was said: the first version fails, the next one will not.
    agent.says(Fails("Unauthorized"))
    agent.says(Succeeds())
    status = made.ended()
    copy = copies.one(source, f"{made.namespace}/{made.name}")

    assert (1, 0, 1, 0) == totals(status)
    assert 2 == len(agent.begun)
    assert source.read()["data"] == copy["data"]


def test_a_denied_pull_that_nothing_mends_ends_the_job(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer
) -> None:
    """Where the secret is as it was, the failure stands."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("Unauthorized"))
    source.put("wrong for ever")

    status = jobs(job(IMAGE, selector=nodes.selector, pullSecrets=[source.name])).ended()

    assert ("True", (1, 0, 0, 1)) == (said(status, "Failed"), totals(status))
    assert 1 == len(agent.begun)


def test_a_missing_secret_is_told_and_the_job_goes_on_when_it_is_there(
    nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer, copies: Copies
) -> None:
    """Condition, message and one Warning say what to do; nobody has to touch the job."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("Unauthorized"))
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    stalled = made.until(
        lambda status: totals(status) == (1, 0, 0, 1) and reason(status, "Stalled") == "SecretMissing", what="says so"
    )
    event = made.until_event(lambda found: found["reason"] == "Stalled")

    agent.says(Succeeds())
    source.put("late")
    status = made.until_ready(nodes=1)

    words = f"secret {source.key}, which spec.pullSecrets names, is not there: create it in namespace {made.namespace}"
    assert words in condition(stalled, "Stalled")["message"]
    assert ("Warning", True) == (event["type"], words in event["note"])
    assert "False" == said(status, "Stalled")
    assert [copies.one(source, f"{made.namespace}/{made.name}")["metadata"]["name"]] == named(nodes.image(node))
    assert 1 == sum(found["reason"] == "Stalled" for found in made.events())


@pytest.mark.parametrize(("kind", "data"), [("Opaque", {FIELD: "e30="}), ("kubernetes.io/tls", None)])
def test_only_pull_secrets_are_copied(
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    source: SecretOnServer,
    copies: Copies,
    kind: str,
    data: Json | None,
) -> None:
    """Whoever may create jobs and no more must not get at other Secrets of a namespace by them."""
    (node,) = nodes()
    agents.serve(node.name, Pulls())
    source.put(kind=kind, data=data or {"tls.crt": "", "tls.key": ""})

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    status = made.until(lambda status: reason(status, "Stalled") == "SecretMissing", what="says so")
    made.until(lambda status: status.get("active") == 1, what="goes on without")

    assert f"is of type {kind}: only" in condition(status, "Stalled")["message"]
    assert ([], []) == (copies.of(source), named(nodes.image(node)))


def test_a_secret_of_a_person_is_never_touched(
    deployed: ApiServer,
    nodes: Nodes,
    agents: ScriptedAgents,
    jobs: Jobs,
    source: SecretOnServer,
    copies: Copies,
    names: Names,
) -> None:
    """Not one that nobody uses, nor one that has the copy's name by chance: the copy has another name then."""
    (node,) = nodes()
    agents.serve(node.name)
    source.put("first")
    first = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    copy = copies.one(source, f"{first.namespace}/{first.name}")
    first.delete()
    copies.until_none(source)
    theirs = SecretOnServer(deployed, SECRETS, copy["metadata"]["name"])
    plain = SecretOnServer(deployed, SECRETS, names("plain"))
    before = [theirs.put("a person's"), plain.put("another's")]

    second = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    other = copies.one(source, f"{second.namespace}/{second.name}")
    second.until_ready(nodes=1)
    second.delete()
    copies.until_none(source)

    assert theirs.name != other["metadata"]["name"]
    assert before == [theirs.read(), plain.read()]


def test_a_job_where_the_copies_are_needs_none(
    deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, names: Names, copies: Copies
) -> None:
    """Its NodeImages name its own secret."""
    (node,) = nodes()
    agents.serve(node.name)
    nodes.until_seen()
    source = SecretOnServer(deployed, SECRETS, names("direct"))
    source.put("here already")
    path = f"/apis/apps.kruise.io/v1beta1/namespaces/{SECRETS}/imagepulljobs"
    spec = job(IMAGE, selector=nodes.selector, pullSecrets=[source.name])

    body = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "metadata": {"name": source.name}}
    deployed.request("POST", path, {**body, "spec": spec})
    until_named(nodes.image(node), [source.name])
    deployed.request("DELETE", f"{path}/{source.name}")
    nodes.image(node).until_object(lambda found: not found["spec"].get("images"), what="has no entry left")

    assert ([], "here already") == (copies.of(source), _password(source.read()))


def _password(secret: Json) -> str:
    """Return the password in a pull secret of the tests'."""
    auths = json.loads(base64.b64decode(secret["data"][FIELD]))["auths"]
    found: str = auths["registry.test"]["password"]
    return found


def test_other_pull_secrets_of_a_running_job_take_effect(
    deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer, copies: Copies
) -> None:
    """The edit reaches references and nodes, and the failed node is tried again; none is an edit too."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("Unauthorized"))
    source.put("wrong")
    better = SecretOnServer(deployed, source.namespace, "better")
    better.put("right")
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    made.until(lambda status: totals(status) == (1, 0, 0, 1), what="has failed")

    agent.says(Succeeds())
    made.edit({"pullSecrets": [better.name]})
    made.until_ready(nodes=1)
    copy = copies.one(better, f"{made.namespace}/{made.name}")
    until_named(nodes.image(node), [copy["metadata"]["name"]])
    copies.until_none(source)
    made.edit({"pullSecrets": None})
    until_named(nodes.image(node), [])
    copies.until_none(better)

    assert 2 == len(agent.begun)


def test_a_secret_that_may_not_be_read_names_the_role_to_add(
    deployed: ApiServer, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, source: SecretOnServer, copies: Copies
) -> None:
    """The commands in the message are all that is needed: then the job goes on by itself."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("Unauthorized"))
    source.put("guarded")
    binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    name = f"{ACCOUNT.replace('agent', 'coordinator')}-secrets"
    before = deployed.request("GET", f"{binding}/{name}")
    deployed.request("DELETE", f"{binding}/{name}")
    try:
        made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
        stalled = made.until(lambda status: reason(status, "Stalled") == "SecretForbidden", what="says so")
        made.until(lambda status: totals(status) == (1, 0, 0, 1), what="goes on without")
        none_yet = copies.of(source)
        words = condition(stalled, "Stalled")["message"]
        agent.says(Succeeds())
        for command in words.partition("to allow it, ")[2].split(" && "):
            deployed.kubectl(*command.split()[1:])
        status = made.until_ready(nodes=1)
    finally:
        metadata = {key: before["metadata"][key] for key in ("name", "labels") if key in before["metadata"]}
        deployed.request("POST", binding, {**before, "metadata": metadata})

    assert f"kubectl create role prewarm-pull-secrets --namespace {source.namespace} --verb=get" in words
    assert "--serviceaccount=prewarm-system:prewarm-coordinator" in words
    assert [] == none_yet
    assert "False" == said(status, "Stalled")
    assert [copies.one(source, f"{made.namespace}/{made.name}")["metadata"]["name"]] == named(nodes.image(node))
