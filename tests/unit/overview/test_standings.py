"""Which nodes are cold or stale, who pulls and who is left out is named as the objects say it."""

from datetime import timedelta

import msgspec
import pytest

from daemon.coordinator.decoding import job_of as seen_job_of
from daemon.coordinator.decoding import node_of
from daemon.coordinator.seen import SeenNode
from daemon.overview.documents import Bytes, JobNode
from daemon.overview.jobs import job_of
from daemon.overview.nodeimages import facts_of
from daemon.overview.standings import needs_nodes, nodes_of
from tests.unit.overview.objects import DIGEST, IMAGE, NOW, Json, answer, at, entry, job, node_image, warm


def stood(*images: bytes, of: bytes | None = None, nodes: dict[str, SeenNode] | None = None) -> dict[str, JobNode]:
    """Return where nodes stand for a job, by name."""
    content = of or job()
    facts = [facts_of(image) for image in images]
    found = nodes_of(seen_job_of(content), job_of(content), facts=facts, nodes=nodes, now=NOW)
    return {node.node: node for node in found}


def node(name: str, *, is_ready: bool = True, taint: str = "") -> SeenNode:
    """Return a Node."""
    content = {
        "metadata": {"name": name, "uid": f"node-{name}"},
        "spec": {"taints": [{"key": taint, "effect": "NoSchedule"}] if taint else []},
        "status": {"conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}]},
    }
    return node_of(msgspec.json.encode(content))


def placed(found: JobNode) -> tuple[str, str, str]:
    """Return where a node stands, in three words."""
    return found.group, found.state, found.reason


def test_a_node_with_the_image_is_warm() -> None:
    """With what lies there."""
    found = stood(node_image(entry=entry(), answer=warm()))["n1"]

    assert ("warm", "Succeeded", "") == placed(found)
    assert DIGEST == found.digest


def test_who_pulls_is_told_with_how_far() -> None:
    """Bytes, percent, attempt, and since when."""
    size = {"done": 30, "total": 60}
    pulling = answer("Pulling", startTime=at(-20), attempt=2, progress=50, bytes=size, stage="Downloading")

    found = stood(node_image(entry=entry(), answer=pulling))["n1"]

    assert ("cold", "Pulling", "") == placed(found)
    assert (50, Bytes(done=30, total=60), 2, at(-20)) == (
        found.percent,
        found.bytes,
        found.attempt,
        found.since and found.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def test_a_pull_without_bytes_has_no_percent() -> None:
    """Where the runtime cannot tell, nothing is made up."""
    assert stood(node_image(entry=entry(), answer=answer("Pulling", startTime=at(-5))))["n1"].percent is None


def test_a_node_whose_renewal_runs_is_stale_meanwhile() -> None:
    """An older image lies there."""
    pulling = answer("Pulling", version=2, imageID=f"{IMAGE}@{DIGEST}")

    assert ("stale", "Pulling", "") == placed(stood(node_image(entry=entry(version=2), answer=pulling))["n1"])


def test_a_failed_node_says_why_and_when_it_is_tried_again() -> None:
    """The reason, the words, and the next round: a minute after the failure."""
    failed = answer("Failed", reason="ImageNotFound", message="no such tag", attempt=4, completionTime=at(-10))

    found = stood(node_image(entry=entry(), answer=failed))["n1"]

    assert ("cold", "Failed", "ImageNotFound", "no such tag", 4) == (*placed(found), found.message, found.attempt)
    assert found.since == NOW - timedelta(seconds=10)
    assert 50 == (found.retry_at - NOW).total_seconds() if found.retry_at else None


def test_a_node_that_waits_with_its_grant_says_for_what() -> None:
    """Space, say, in the node's words."""
    waiting = answer("Waiting", reason="DiskLow", message="12% free, 20% asked", attempt=1)

    found = stood(node_image(entry=entry(), answer=waiting))["n1"]

    assert ("cold", "Granted", "DiskLow", "12% free, 20% asked") == (*placed(found), found.message)


def test_a_node_without_an_entry_waits_for_its_turn() -> None:
    """It is named by its NodeImage's labels, which are the Node's."""
    assert ("cold", "Waiting", "") == placed(stood(node_image())["n1"])


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"matchLabels": {"pool": "blue"}}, ["n1"]),
        ({"matchLabels": {"pool": "green"}}, []),
        ({"names": ["n1", "n2"]}, ["n1"]),
        ({"names": []}, []),
        ({}, ["n1"]),
    ],
)
def test_nodes_that_the_job_does_not_select_are_not_its(selector: Json, expected: list[str]) -> None:
    """By name, by label, or every one."""
    assert expected == list(stood(node_image(), of=job(selector=selector)))


def test_with_a_pod_selector_the_nodes_with_an_entry_are_named() -> None:
    """Where Pods run is not read here."""
    content = job(podSelector={"matchLabels": {"app": "web"}})

    assert ["n1"] == list(stood(node_image("n1", entry=entry(), answer=warm()), node_image("n2"), of=content))


def test_of_a_finished_job_the_nodes_that_still_have_its_entry_are_named() -> None:
    """Of the others nobody knows what it came to."""
    content = job({"desired": 2, "completionTime": at(-60), "observedGeneration": 1}, kind="Always")

    assert ["n1"] == list(stood(node_image("n1", entry=entry(), answer=warm()), node_image("n2"), of=content))


def test_a_job_whose_spec_cannot_be_used_has_no_nodes() -> None:
    """What is wrong with it is told elsewhere."""
    assert {} == stood(node_image(), of=job(image="NO SUCH"))


def test_a_node_that_its_status_names_as_left_out_is_left_out_for_that() -> None:
    """Also one without a NodeImage, such as a virtual kubelet's."""
    skipped = [{"reason": "NodeNotReady", "count": 2, "nodes": ["n1", "virtual"], "message": "the node is not Ready"}]
    content = job({"desired": 0, "prewarm": {"skipped": skipped}})

    found = stood(node_image(entry=entry()), of=content)

    assert ("skipped", "NodeNotReady", "the node is not Ready") == (
        found["n1"].group,
        found["n1"].reason,
        found["n1"].message,
    )
    assert ("skipped", "Waiting", "NodeNotReady") == placed(found["virtual"])


def test_a_node_that_has_not_answered_for_a_minute_has_no_agent() -> None:
    """Its NodeImage alone tells it."""
    image = node_image(entry=entry(granted=-90), has_agent=False)

    assert ("skipped", "Granted", "NoAgent") == placed(stood(image)["n1"])


def test_a_node_whose_agent_is_said_to_be_silent_is_left_out() -> None:
    """As the coordinator has written it."""
    silent = answer("Failed", reason="AgentSilent", message="the agent has reported nothing")

    assert ("skipped", "AgentSilent") == (
        (found := stood(node_image(entry=entry(), answer=silent))["n1"]).group,
        found.reason,
    )


def test_nodes_are_asked_for_where_a_status_names_too_few() -> None:
    """Only then, and only for what the Nodes themselves say."""
    group = {"reason": "NodeNotReady", "count": 11, "nodes": [f"n{number}" for number in range(10)]}
    few = {"reason": "NodeNotReady", "count": 1, "nodes": ["n1"]}
    silent = {"reason": "AgentSilent", "count": 11, "nodes": ["n1"]}

    def told(skipped: Json) -> bool:
        return needs_nodes(job_of(job({"desired": 1, "prewarm": {"skipped": [skipped]}})))

    assert [True, False, False] == [told(group), told(few), told(silent)]


def test_what_nodes_say_of_themselves_leaves_them_out() -> None:
    """Where they were read: not Ready, or about to go; and a NodeImage without its Node is nobody's."""
    nodes = {"n1": node("n1", is_ready=False), "n2": node("n2", taint="ToBeDeletedByClusterAutoscaler")}

    found = stood(node_image("n1"), node_image("n2"), node_image("n3"), nodes=nodes)

    assert {"n1": "NodeNotReady", "n2": "NodeLeaving"} == {name: each.reason for name, each in found.items()}
