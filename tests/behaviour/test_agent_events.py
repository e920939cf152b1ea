"""Events of an agent: one for each end that is news, on the NodeImage, on the jobs too where that is wanted."""

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.fixtures_apiserver import Names
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry, owner
from tests.servers.processes import until


pytestmark = ON_NEWEST

NAMESPACE = "prewarm-system"


def events_about(apiserver: ApiServer, uid: str, *, namespace: str = "default") -> list[Json]:
    """List the events of a namespace that are about an object, in the order of their times."""
    found = apiserver.request("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
    about = [event for event in found if event["regarding"].get("uid") == uid]
    return sorted(about, key=lambda event: str(event["eventTime"]))


def until_told(apiserver: ApiServer, uid: str, count: int, *, namespace: str = "default") -> list[Json]:
    """Return the events about an object once there are so many, in whichever number."""

    def told() -> list[Json]:
        found = events_about(apiserver, uid, namespace=namespace)
        return found if len(found) >= count else []

    return until(told, what=f"{count} events", timeout_seconds=30)


def uid_of(node_image: NodeImageOnServer) -> str:
    """Return the object's uid."""
    uid: str = node_image.read()["metadata"]["uid"]
    return uid


def in_short(events: list[Json]) -> list[tuple[str, str, str]]:
    """Return type, reason and the image of each event."""
    return [(event["type"], event["reason"], event["note"].partition(": ")[0]) for event in events]


@pytest.fixture
def account(deployed: ApiServer, names: Names) -> tuple[str, str]:
    """An account of an agent that may also tell of its pulls in every namespace, as an overlay grants it."""
    name = names("agent")
    subject = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": name}
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]}
    deployed.account(NAMESPACE, name)
    deployed.request("POST", f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": [rule]})
    for role in ("prewarm-agent", name):
        deployed.request(
            "POST",
            f"{rbac}/clusterrolebindings",
            {
                "metadata": {"name": f"{name}-{role}"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [subject],
            },
        )
    return NAMESPACE, name


def test_a_fetched_image_is_an_event_on_the_node_image(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """Normal, with the image and how long it took; kubectl shows it where a person looks."""
    image, uid = push("app", tag="v1"), uid_of(node_image)
    agent = start_agent(node_image, containerd)

    node_image.want(image.key, entry("v1"))
    (event,) = until_told(deployed, uid, 1)
    described = deployed.kubectl("describe", "nodeimage", node_image.name)
    listed = deployed.kubectl("get", "events", "--field-selector", f"involvedObject.name={node_image.name}")

    assert ("Normal", "PullImageSucceed", "PullImage") == (event["type"], event["reason"], event["action"])
    assert {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "NodeImage",
        "name": node_image.name,
        "uid": uid,
    } == event["regarding"]
    assert event["note"].startswith(f"{image.reference}: pulled in ")
    assert ("prewarm.internal/agent", f"agent-{agent.node_name}") == (
        event["reportingController"],
        event["reportingInstance"],
    )
    assert "PullImageSucceed" in described
    assert f"nodeimage/{node_image.name}" in listed
    assert image.reference in listed


def test_a_failed_image_is_one_warning_however_many_attempts_it_took(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    deployed: ApiServer,
) -> None:
    """With the reason and the runtime's words; an attempt that is followed by another is no event."""
    last, uid = push("last", tag="v1"), uid_of(node_image)
    key = f"{last.host}/absent"
    start_agent(node_image, containerd)

    node_image.want(key, entry("v1", pullPolicy={"backoffLimit": 2}))
    node_image.ended(key, "v1")
    # Events are sent in their order, so what comes after tells that nothing else came before.
    node_image.want(last.key, entry("v1"))
    events = until_told(deployed, uid, 2)
    described = deployed.kubectl("describe", "nodeimage", node_image.name)

    assert [("Warning", "PullImageFailed", f"{key}:v1"), ("Normal", "PullImageSucceed", last.reference)] == (
        in_short(events)
    )
    assert events[0]["note"].startswith(f"{key}:v1: ImageNotFound: ")
    assert "PullImageFailed" in described


def test_a_pull_that_brought_nothing_is_no_event(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """An image that lay there, and a refresh that found it unchanged: nightly, they would fill a cluster."""
    present, last, uid = push("app", tag="v1"), push("last", tag="v1", seed=1), uid_of(node_image)
    containerd.pull(present.reference)
    start_agent(node_image, containerd)

    node_image.want(present.key, entry("v1"))
    node_image.ended(present.key, "v1")
    node_image.want(present.key, entry("v1", version=2, policy="Always"))
    node_image.ended(present.key, "v1", version=2)
    node_image.want(last.key, entry("v1"))
    events = until_told(deployed, uid, 1)

    assert [("Normal", "PullImageSucceed", last.reference)] == in_short(events)


def test_a_restart_repeats_no_event(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    deployed: ApiServer,
) -> None:
    """What an earlier process reached, well or not, has been told."""
    image, last, uid = push("app", tag="v1"), push("last", tag="v1", seed=1), uid_of(node_image)
    absent = f"{image.host}/absent"
    agent = start_agent(node_image, containerd)
    node_image.want_all({key: {"tags": [entry("v1")]} for key in (image.key, absent)})
    before = until_told(deployed, uid, 2)

    agent.stop()
    agent.start()
    node_image.want(last.key, entry("v1"))
    after = until_told(deployed, uid, 3)

    assert {("Normal", image.reference), ("Warning", f"{absent}:v1")} == {
        (kind, name) for kind, _, name in in_short(before)
    }
    assert [*in_short(before), ("Normal", "PullImageSucceed", last.reference)] == in_short(after)


def test_an_image_that_was_removed_and_is_back_is_an_event_that_says_so(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """Somebody took it: a kubelet short of disk, or a person. It is told though the pull before was told as well."""
    image, uid = push("app", tag="v1"), uid_of(node_image)
    start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    until_told(deployed, uid, 1)

    containerd.ctr("images", "rm", image.reference)
    first, second = until_told(deployed, uid, 2)

    assert [("Normal", "PullImageSucceed", image.reference)] * 2 == in_short([first, second])
    assert second["note"].startswith(f"{image.reference}: removed from the node, pulled again in ")


def test_owners_hear_of_a_failure_where_that_is_wanted(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    deployed: ApiServer,
    namespace: str,
    account: tuple[str, str],
    names: Names,
) -> None:
    """With --owner-events each job of the entry has the Warning in its own namespace; a success is the node's alone."""
    image = push("app", tag="v1")
    absent = f"{image.host}/absent"
    jobs = [owner(namespace, name, uid=names("uid")) for name in ("first", "second")]
    start_agent(node_image, containerd, options=["--owner-events"], account=account)

    node_image.want(image.key, entry("v1", ownerReferences=jobs))
    node_image.ended(image.key, "v1")
    node_image.want(absent, entry("v1", ownerReferences=jobs))
    told = [until_told(deployed, job["uid"], 1, namespace=namespace) for job in jobs]
    on_node = until_told(deployed, uid_of(node_image), 2)

    warning = ("Warning", "PullImageFailed", f"{absent}:v1")
    assert [[warning], [warning]] == [in_short(events) for events in told]
    assert jobs == [events[0]["regarding"] for events in told]
    assert [("Normal", "PullImageSucceed", image.reference), warning] == in_short(on_node)


def test_owners_hear_nothing_otherwise(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    deployed: ApiServer,
    namespace: str,
    account: tuple[str, str],
    names: Names,
) -> None:
    """Without the flag nothing is written into the jobs' namespaces, though the account could."""
    last = push("last", tag="v1")
    absent = f"{last.host}/absent"
    job = owner(namespace, "job", uid=names("uid"))
    start_agent(node_image, containerd, account=account)

    node_image.want(absent, entry("v1", ownerReferences=[job]))
    node_image.ended(absent, "v1")
    node_image.want(last.key, entry("v1", ownerReferences=[job]))
    on_node = until_told(deployed, uid_of(node_image), 2)

    assert ["PullImageFailed", "PullImageSucceed"] == [event["reason"] for event in on_node]
    assert [] == events_about(deployed, job["uid"], namespace=namespace)
