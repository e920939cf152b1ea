"""Pull secrets at a real API server and a real registry: which copy opens it, for whom, and that none is ever shown."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers import binaries
from tests.servers.agent import AgentProcess, Json
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd, Hosts
from tests.servers.deployment import ACCOUNT, NAMESPACE, SECRETS, refusal
from tests.servers.fixtures import USERS
from tests.servers.fixtures_agent import StartAgent
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push, PushedImage
from tests.servers.nodeimages import NodeImageOnServer, entry, owner
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


REFERENCES = "imagepulljobs.kruise.io/references"
DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
# More than a backoff's chance needs while a test changes something between two attempts.
OFTEN = {"backoffLimit": 20, "timeoutSeconds": 20}


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One version: nothing here depends on it."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture
def private(private_registry: Registry, hosts: Hosts) -> Iterator[FaultProxy]:
    """What stands before the private registry and notes who asks for what."""
    with FaultProxy(private_registry.url) as proxy:
        hosts.add(proxy.host, proxy.url)
        yield proxy


class Copies:
    """The secret copies of one test, as OpenKruise's manager makes them; their names are nobody else's."""

    def __init__(self, apiserver: ApiServer, names: Names, *, host: str) -> None:
        self._apiserver = apiserver
        self._names = names
        self._host = host

    def put(
        self,
        user: str = "",
        password: str = "",
        *,
        name: str = "",
        references: str | None = None,
        kind: str = DOCKERCONFIGJSON,
        content: Mapping[str, object] | None = None,
        namespace: str = SECRETS,
    ) -> Json:
        """Create a copy, or replace the one of this name, and return how a NodeImage names it."""
        auths = {"auths": {self._host: {"username": user, "password": password}}} if content is None else content
        name = name or self._names("copy")
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "annotations": {} if references is None else {REFERENCES: references}},
            "type": kind,
            "data": {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()},
        }
        self._apiserver.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(body))
        return {"namespace": namespace, "name": name}

    def absent(self) -> Json:
        """Return how a NodeImage names a copy that is not there."""
        return {"namespace": SECRETS, "name": self._names("absent")}


@pytest.fixture
def copies(deployed: ApiServer, names: Names, private: FaultProxy) -> Copies:
    """The test's copies, for the private registry as containerd reaches it."""
    return Copies(deployed, names, host=private.host)


def asked_by(private: FaultProxy, image: PushedImage) -> set[str]:
    """Name the users with whose credentials an image's manifest was asked for, by its tag or its digest."""
    by_either = [*private.traffic.requests(Kind.MANIFEST, reference=image.tag)]
    by_either += private.traffic.requests(Kind.MANIFEST, reference=image.digest)
    return {request.user for request in by_either if request.user}


def test_a_copy_is_read_anew_at_each_attempt(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    private: FaultProxy,
    push_private: Push,
    copies: Copies,
) -> None:
    """Missing first, then with a wrong password, then with the right one: the attempt after that brings the image."""
    image = push_private("app", tag="v1").at(private.host)
    named = copies.absent()
    start_agent(node_image, containerd)

    node_image.want(image.key, entry("v1", pullPolicy=OFTEN), pullSecrets=[named])
    missing = node_image.until(image.key, "v1", lambda found: found.get("reason") == "SecretMissing", what="misses it")
    copies.put("carl", "nobody's", name=named["name"])
    node_image.until(image.key, "v1", lambda found: found.get("reason") == "Unauthorized", what="is denied")
    copies.put("anna", USERS["anna"], name=named["name"])
    status = node_image.ended(image.key, "v1")

    words = f"secret {SECRETS}/{named['name']}: is not there: the job's pullSecrets name a Secret that is missing"
    assert words in missing["message"]
    assert ("Succeeded", image.digest) == (status["phase"], status["digest"])
    assert status["attempt"] >= 3
    assert {"carl", "anna"} == asked_by(private, image)


def test_two_tenants_of_one_repository_pull_each_with_their_own(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    private: FaultProxy,
    push_private: Push,
    copies: Copies,
) -> None:
    """The registry sees of each entry its own job's user alone; of a third job's entry nobody, and lets it not in."""
    images = {tag: push_private("app", tag=tag, seed=seed).at(private.host) for seed, tag in enumerate(("a", "b", "c"))}
    key = images["a"].key
    secrets = [
        copies.put("anna", USERS["anna"], references="team-a/warm"),
        copies.put("ben", USERS["ben"], references="team-x/other,team-b/warm"),
    ]
    start_agent(node_image, containerd)

    entries = [entry(tag, ownerReferences=[owner(f"team-{tag}", "warm")]) for tag in images]
    node_image.want(key, *entries, pullSecrets=secrets)
    ended = {tag: node_image.ended(key, tag) for tag in images}

    assert {"a": "Succeeded", "b": "Succeeded", "c": "Failed"} == {tag: said["phase"] for tag, said in ended.items()}
    assert {"a": {"anna"}, "b": {"ben"}, "c": set()} == {tag: asked_by(private, images[tag]) for tag in images}
    assert "Unauthorized" == ended["c"]["reason"]
    assert "no credential matches, asked anonymously" in ended["c"]["message"]
    assert 2 == ended["c"]["message"].count("belongs to other jobs than this image's")


def test_a_copy_that_serves_nothing_is_told_for_what_it_is(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    private: FaultProxy,
    deployed: ApiServer,
    copies: Copies,
    namespace: str,
) -> None:
    """Missing, malformed, of another type, or elsewhere: that one is never read, also where the agent may read it."""
    allow_reading(deployed, namespace)
    named = {
        "gone": copies.absent(),
        "unsound": copies.put(content={"auths": 5}),
        "opaque": copies.put("anna", USERS["anna"], kind="Opaque"),
        "elsewhere": copies.put("anna", USERS["anna"], namespace=namespace),
    }
    agent = start_agent(node_image, containerd)

    keys = {name: f"{private.host}/{name}" for name in named}
    node_image.want_all(
        {keys[name]: {"tags": [entry("v1")], "pullSecrets": [secret]} for name, secret in named.items()}
    )
    ended = {name: node_image.ended(key, "v1") for name, key in keys.items()}

    assert {
        "gone": "SecretMissing",
        "unsound": "Unauthorized",
        "opaque": "Unauthorized",
        "elsewhere": "SecretForbidden",
    } == {name: said["reason"] for name, said in ended.items()}
    for name, words in {
        "gone": "is not there",
        "unsound": "auths",
        "opaque": "holds no docker config: its type serves no pull",
        "elsewhere": f"is not read: copies are in namespace {SECRETS} alone (--secret-namespace)",
    }.items():
        assert f"secret {named[name]['namespace']}/{named[name]['name']}: " in ended[name]["message"]
        assert words in ended[name]["message"]
    assert {"404": 1, "200": 2} == {code: secrets_read(agent, code) for code in ("404", "200")}


def allow_reading(apiserver: ApiServer, namespace: str) -> None:
    """Give the agent's account every secret of a namespace, which daemonset.yaml does not."""
    apiserver.kubectl("create", "role", "secrets", "--namespace", namespace, "--verb=get", "--resource=secrets")
    account = f"--serviceaccount={NAMESPACE}:{ACCOUNT}"
    apiserver.kubectl("create", "rolebinding", "secrets", "--namespace", namespace, "--role=secrets", account)


def secrets_read(agent: AgentProcess, code: str) -> float:
    """Return how many reads of secrets the API server has answered with a code."""
    return agent.metric("prewarm_api_requests_total", verb="get", resource="secrets", code=code)


@pytest.fixture
def without_role(deployed: ApiServer) -> Iterator[None]:
    """The agent's right to read copies, taken away until the test has ended."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SECRETS}/roles"
    role = deployed.request("GET", f"{path}/{ACCOUNT}")
    token = deployed.token(NAMESPACE, ACCOUNT)
    secret = f"/api/v1/namespaces/{SECRETS}/secrets/absent"
    deployed.request("DELETE", f"{path}/{role['metadata']['name']}")
    until(lambda: is_refused(deployed, secret, token), what="the right is gone", timeout_seconds=30)
    yield
    metadata = {key: role["metadata"][key] for key in ("name", "labels")}
    deployed.request("POST", path, {**role, "metadata": metadata})
    until(lambda: not is_refused(deployed, secret, token), what="the right is back", timeout_seconds=30)


def is_refused(apiserver: ApiServer, path: str, token: str) -> bool:
    """Tell whether a read is refused; that there is nothing to read is no refusal."""
    try:
        return bool(refusal(apiserver, "GET", path, token=token))
    except ApiFailed as error:
        if error.status != 404:
            raise
        return False


def test_a_copy_that_may_not_be_read_names_the_right(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    private: FaultProxy,
    without_role: None,
    copies: Copies,
) -> None:
    """In the API server's words, which an administrator can act on."""
    named = copies.put("anna", USERS["anna"])
    start_agent(node_image, containerd)

    node_image.want(f"{private.host}/app", entry("v1"), pullSecrets=[named])
    status = node_image.ended(f"{private.host}/app", "v1")

    assert ("Failed", "SecretForbidden") == (status["phase"], status["reason"])
    assert f"secret {SECRETS}/{named['name']}: may not be read: " in status["message"]
    assert f'cannot get resource "secrets" in API group "" in the namespace "{SECRETS}"' in status["message"]


def test_the_last_known_copy_goes_on_while_the_api_server_is_away(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    private: FaultProxy,
    push_private: Push,
    deployed: ApiServer,
    copies: Copies,
) -> None:
    """An image that is evicted then comes back from the private registry."""
    image = push_private("app", tag="v1").at(private.host)
    start_agent(node_image, containerd)
    named = copies.put("anna", USERS["anna"])
    node_image.want(image.key, entry("v1"), pullSecrets=[named])
    node_image.ended(image.key, "v1")
    before = len(private.traffic.requests(Kind.MANIFEST))

    deployed.stop()
    try:
        containerd.ctr("images", "rm", image.reference)
        until(lambda: image.reference in containerd.images(), what="the image is back", timeout_seconds=60)
        again = private.traffic.requests(Kind.MANIFEST)[before:]
    finally:
        deployed.start()

    assert {"anna"} == {request.user for request in again if request.user}


def test_no_secret_is_ever_shown(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    private: FaultProxy,
    push_private: Push,
    deployed: ApiServer,
    copies: Copies,
) -> None:
    """Of a pull and a refusal there is no password, plain or encoded, and no token in anything that others can see."""
    image = push_private("app", tag="v1").at(private.host)
    wrong = "wrong-p4ssword-of-carl"
    secrets = [copies.put("carl", wrong), copies.put("anna", USERS["anna"])]
    denied = f"{private.host}/denied"
    agent = start_agent(node_image, containerd, options=["--owner-events"])

    node_image.want(image.key, entry("v1"), pullSecrets=secrets)
    node_image.want(denied, entry("v1", ownerReferences=[owner("default", "warm")]), pullSecrets=secrets[:1])
    ended = {key: node_image.ended(key, "v1")["phase"] for key in (image.key, denied)}
    until(lambda: "PullImageFailed" in events_of(deployed, node_image), what="the events", timeout_seconds=30)
    shown = everything_shown(agent, deployed, node_image)

    assert {image.key: "Succeeded", denied: "Failed"} == ended
    assert {"carl", "anna"} <= asked_by(private, image)
    hidden = [(agent.folder / "account/token").read_text(), wrong, USERS["anna"]]
    hidden += [encoded("carl", wrong), encoded("anna", USERS["anna"])]
    hidden += [stored_content(deployed, secret) for secret in secrets]
    assert {} == {where: text for where, text in shown.items() if any(secret in text for secret in hidden)}
    assert all(shown.values()), shown.keys()


def everything_shown(agent: AgentProcess, apiserver: ApiServer, node_image: NodeImageOnServer) -> dict[str, str]:
    """Return all that an agent lets others see, by where it is."""
    process = Path("/proc", str(agent.process.pid))
    return {
        "log": agent.process.log.read_text(),
        "NodeImage": json.dumps(node_image.read()),
        "events": events_of(apiserver, node_image),
        **{path: agent.get(path)[1] for path in ("/metrics", "/state", "/readyz", "/healthz")},
        **{name: (process / name).read_text() for name in ("cmdline", "environ", "status")},
        "threads": " ".join(path.read_text() for path in process.glob("task/*/comm")),
    }


def events_of(apiserver: ApiServer, node_image: NodeImageOnServer) -> str:
    """Return the events about a node's NodeImage as they are stored."""
    found = apiserver.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    return json.dumps([event for event in found if event["regarding"]["name"] == node_image.name])


def encoded(user: str, password: str) -> str:
    """Write both as HTTP's basic auth and docker's own config do."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def stored_content(apiserver: ApiServer, named: Json) -> str:
    """Return a secret's content as the API server has it."""
    secret = apiserver.request("GET", f"/api/v1/namespaces/{named['namespace']}/secrets/{named['name']}")
    content: str = secret["data"][".dockerconfigjson"]
    return content
