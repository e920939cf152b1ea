"""Hollow nodes answer as agents do: once for everything that is open, and whatever another writer leaves behind."""

from collections.abc import Iterator

import pytest

from bench.hollow.nodes import HollowNodes
from bench.hollow.pulls import Pull
from bench.hollow.seen import ImageKey
from daemon.cluster.kubeconfig import read_kubeconfig
from tests.servers.apiserver import ApiServer
from tests.servers.crds import install, ours
from tests.servers.fixtures_apiserver import Names
from tests.servers.nodeimages import NodeImageOnServer, entry


SLOW = "example.com/slow"


def pulls(_node: str, key: ImageKey) -> Pull:
    """Let the pulls of one repository last."""
    return Pull(seconds=1.5 if key.repository == SLOW else 0.0)


@pytest.fixture(scope="module")
def hollow(apiserver: ApiServer) -> Iterator[HollowNodes]:
    """Hollow agents of every node."""
    install(apiserver, ours())
    with HollowNodes(read_kubeconfig(apiserver.kubeconfig), nodes="hollow-*", pulls=pulls) as nodes:
        yield nodes


@pytest.fixture
def node(apiserver: ApiServer, hollow: HollowNodes, names: Names) -> NodeImageOnServer:
    """A NodeImage whose agent has said that it is there."""
    found = NodeImageOnServer(apiserver, names("hollow"))
    found.create()
    found.until_status(lambda status: "prewarm" in status, what="its agent is there")
    return found


def test_everything_that_is_open_is_answered_in_one_write(node: NodeImageOnServer) -> None:
    """Three images of two repositories: two changes of the object, one for what is wanted and one for the answer."""
    before = node.read()
    states = node.states()
    assert before == next(states)

    node.want_all({"a": {"tags": [entry("1"), entry("2")]}, "example.com/b": {"tags": [entry("1", version=7)]}})
    wanted, answered = next(states), next(states)

    assert before["status"] == wanted["status"]
    assert (3, 3) == (answered["status"]["desired"], answered["status"]["succeeded"])
    assert answered["metadata"]["generation"] == answered["status"]["observedGeneration"]
    assert ("Succeeded", 7) == (node.tag("example.com/b", "1")["phase"], node.tag("example.com/b", "1")["version"])


def test_a_pull_that_lasts_is_told_before_its_end(node: NodeImageOnServer) -> None:
    """Pulling is there first, and holds up no other image."""
    node.want_all({SLOW: {"tags": [entry("1")]}, "example.com/quick": {"tags": [entry("1")]}})

    pulling = node.until(SLOW, "1", lambda found: found["phase"] == "Pulling", what="is pulled")

    assert "completionTime" not in pulling
    assert "Succeeded" == node.ended("example.com/quick", "1")["phase"]
    assert "Succeeded" == node.ended(SLOW, "1")["phase"]


def test_a_node_answers_after_another_has_taken_its_status(node: NodeImageOnServer) -> None:
    """A refused patch makes it read what stands there, and say everything again."""
    node.want("example.com/a", entry("1"))
    node.ended("example.com/a", "1")
    node.replace_status({"desired": 0, "succeeded": 0, "failed": 0, "pulling": 0, "waiting": 0})

    node.want("example.com/a", entry("1", version=2))

    assert "Succeeded" == node.ended("example.com/a", "1", version=2)["phase"]


def test_a_node_that_comes_back_is_another(node: NodeImageOnServer) -> None:
    """A NodeImage of the same name has its own agent, which knows nothing of the old one's answers."""
    node.want("example.com/a", entry("1"))
    node.ended("example.com/a", "1")
    node.delete()

    node.create({"example.com/a": {"tags": [entry("1")]}})

    assert "Succeeded" == node.ended("example.com/a", "1")["phase"]


def test_the_start_of_each_pull_is_noted(node: NodeImageOnServer, hollow: HollowNodes) -> None:
    """One for each version, with the node and the image."""
    for version in (1, 2):
        node.want("example.com/noted", entry("1", version=version))
        node.ended("example.com/noted", "1", version=version)

    starts = [(one.repository, one.tag, one.version) for one in hollow.starts if one.node == node.name]

    assert [("example.com/noted", "1", 1), ("example.com/noted", "1", 2)] == starts


def test_other_nodes_are_left_alone(apiserver: ApiServer, hollow: HollowNodes, names: Names) -> None:
    """What does not fit the pattern has an agent of its own."""
    other, ours_ = (NodeImageOnServer(apiserver, names(prefix)) for prefix in ("other", "hollow"))

    for each in (other, ours_):
        each.create({"example.com/a": {"tags": [entry("1")]}})
    ours_.ended("example.com/a", "1")

    assert {} == other.status
