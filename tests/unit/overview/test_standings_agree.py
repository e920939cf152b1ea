"""
The names that `prewarm status JOB` shows are the ones that the coordinator counts.

A whole cluster in virtual time (the coordinator's simulation) comes to a state; then where the coordinator has each
node is compared with what the objects alone tell.
"""

from datetime import datetime

import msgspec
import pytest

from daemon.coordinator.decoding import job_of as seen_job_of
from daemon.coordinator.decoding import node_of
from daemon.coordinator.standing import Stand
from daemon.overview.jobs import is_finished, job_of
from daemon.overview.nodeimages import facts_of
from daemon.overview.standings import nodes_of
from tests.unit.coordinator.simulation.agents import Key, Pull
from tests.unit.coordinator.simulation.apiserver import IMAGES, JOBS, NODES
from tests.unit.coordinator.simulation.cluster import Cluster
from tests.unit.coordinator.simulation.story import Story


Stands = dict[str, tuple[str, str]]


def told(cluster: Cluster, *, with_nodes: bool) -> dict[str, Stands]:
    """Return where each node stands by the objects, by job."""
    facts = [facts_of(msgspec.json.encode(image)) for image in cluster.api.objects(IMAGES)]
    nodes = [node_of(msgspec.json.encode(each)) for each in cluster.api.objects(NODES)]
    found = {}
    for document in cluster.api.objects(JOBS):
        content = msgspec.json.encode(document)
        if not is_finished(job_of(content)):
            stands = nodes_of(
                seen_job_of(content),
                job_of(content),
                facts=facts,
                nodes={node.name: node for node in nodes} if with_nodes else None,
                now=cluster.at,
            )
            found[document["metadata"]["name"]] = {each.node: (each.group, each.state) for each in stands}
    return found


def counted(cluster: Cluster) -> dict[str, Stands]:
    """Return where the coordinator has each node, by job."""
    assert cluster.leader is not None
    fleet = cluster.leader.fleet
    return {
        job.seen.name: {
            name: (standing.group.value, standing.stand.value)
            for name in job.names
            for standing in (fleet.nodes[name].standings[job.uid],)
        }
        for job in fleet.jobs.values()
        if job.task is not None
    }


def mixed(node: str, _key: Key, _at: datetime) -> Pull:
    """Let some nodes fail, and some pull for long."""
    number = int(node[1:])
    return Pull(5.0, "ImageNotFound" if number % 5 == 0 else "") if number % 3 else Pull(900.0)


@pytest.mark.parametrize("with_nodes", [True, False], ids=["nodes read", "nodes not read"])
@pytest.mark.parametrize("seconds", [3.0, 20.0, 45.0, 400.0])
def test_in_the_middle_of_a_job_the_names_are_the_counted_ones(seconds: float, *, with_nodes: bool) -> None:
    """Waiting, granted, pulling, failed, warm and left out, on thirty nodes of which some fail and some are slow."""
    cluster = Cluster(nodes=30, pulls=mixed)
    cluster.lead()
    cluster.run(5)
    cluster.turn("n07", is_ready=False)
    cluster.job("app", kind="Never", parallelism=8)

    cluster.run(seconds)

    assert counted(cluster) == told(cluster, with_nodes=with_nodes)
    assert {Stand.PULLING.value} <= {state for _, state in counted(cluster)["app"].values()}


@pytest.mark.parametrize("seed", range(8))
def test_after_any_story_the_names_are_the_counted_ones(seed: int) -> None:
    """Whatever has happened, once the cluster is calm."""
    story = Story(seed)
    story.go_on(25)
    story.calm_down()

    story.cluster.until(story.is_over, seconds=6 * 3600)
    story.cluster.run(10)

    assert counted(story.cluster) == told(story.cluster, with_nodes=True)
